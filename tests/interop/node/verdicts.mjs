// npm jose's verdict on every token of the suite: `taken`, or its error's code.
//
// Usage: node verdicts.mjs VERDICTS_FILE

import { readFileSync } from "node:fs";
import { createLocalJWKSet, jwtVerify } from "jose";

const [setting, ...cases] = readFileSync(process.argv[2], "utf8").trim().split("\n").map((line) => JSON.parse(line));
const keySet = createLocalJWKSet(setting.jwks);
const options = {
  issuer: setting.issuer,
  audience: setting.audience,
  currentDate: new Date(setting.now * 1000),
  clockTolerance: 60,
  requiredClaims: ["exp", "iat"],
};
for (const { name, token } of cases) {
  let verdict = "taken";
  try {
    await jwtVerify(token, keySet, options);
  } catch (error) {
    verdict = error.code ?? error.name;
  }
  process.stdout.write(`${JSON.stringify({ name, verdict })}\n`);
}
