// Small readings for the shell scripts, all from standard input:
//   node tell.mjs FIELD [FIELD…]    a member of a JSON document, deeper with each FIELD; text bare, else as JSON
//   node tell.mjs --environment     the `env` object of a registration, one NAME=value a line
//   node tell.mjs --audience        the `aud` of a token as JSON
//   node tell.mjs --count           how many cases a case file, or audiences an audience file, holds

import { readFileSync } from "node:fs";
import { claims } from "./report.mjs";

const input = readFileSync(0, "utf8");
const [first, ...more] = process.argv.slice(2);

function text() {
  if (first === "--audience") return JSON.stringify(claims(input).aud);
  const document = JSON.parse(input);
  if (first === "--environment") return Object.entries(document.env).map(([name, value]) => `${name}=${value}`).join("\n");
  if (first === "--count") return String((document.cases ?? document).length);
  const value = [first, ...more].reduce((inner, field) => inner[field], document);
  if (value === undefined) throw new Error(`no ${[first, ...more].join(".")}`);
  return typeof value === "string" ? value : JSON.stringify(value);
}

process.stdout.write(`${text()}\n`);
