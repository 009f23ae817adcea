// A job that fetches its tokens with `getIDToken` of GitHub's own toolkit. It never prints a token.
//
// Usage: node fetch_actions_core.mjs AUDIENCES_FILE, with ACTIONS_ID_TOKEN_REQUEST_{URL,TOKEN} in the environment.

import { readFileSync } from "node:fs";
import { check, claims, same } from "./report.mjs";

// The toolkit asks the runner to mask each token by printing it: here nobody masks, so nothing of it is printed.
const report = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk, ...rest) => (String(chunk).includes("::add-mask::") ? true : report(chunk, ...rest));
const { getIDToken } = await import("@actions/core");

for (const { name, audience } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  await check(`audience: ${name}`, async () => same("aud", claims(await getIDToken(audience)).aud, audience));
}

await check("two tokens in a row differ in their jti", async () => {
  const [one, two] = [claims(await getIDToken("a")), claims(await getIDToken("a"))];
  if (one.jti === two.jti) throw new Error("the same jti twice");
});

await check("the claims have the types that verifiers want", async () => {
  const token = claims(await getIDToken("types"));
  for (const name of ["iss", "sub", "aud", "jti"]) same(`the type of ${name}`, typeof token[name], "string");
  for (const name of ["exp", "iat", "nbf"]) same(`${name} is whole`, Number.isInteger(token[name]), true);
  for (const [name, value] of Object.entries(token)) {
    const number = typeof value === "number" && !["exp", "iat", "nbf"].includes(name);
    if (number || value === null || value === "") throw new Error(`${name} is ${JSON.stringify(value)}`);
  }
});

async function refusal(audience) {
  try {
    await getIDToken(audience);
  } catch (error) {
    return error.message;
  }
  throw new Error("a token came");
}

await check("no audience: our refusal reaches the person at the build", async () => {
  const text = await refusal(undefined);
  if (!text.includes("400") || !/audience/i.test(text)) throw new Error(`it reads: ${text}`);
});

await check("a wrong request token: our refusal reaches the person at the build", async () => {
  const right = process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN;
  process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = `bpr_${"A".repeat(43)}`;
  const text = await refusal("a");
  process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = right;
  // `undefined` is what the toolkit shows for a body without `message`.
  if (!text.includes("401") || /undefined|null/.test(text)) throw new Error(`it reads: ${text}`);
});
