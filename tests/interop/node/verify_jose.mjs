// npm jose as most people use it: the remote key set, the issuer, the audience, and no word on algorithms.
//
// Usage: node verify_jose.mjs CASES_FILE

import { createRemoteJWKSet, jwtVerify } from "jose";
import { checkCases } from "./cases.mjs";

await checkCases(process.argv[2], async (issuer) => {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  const discovery = await answer.json();
  if (discovery.issuer !== issuer) throw new Error("discovery names another issuer");
  const keySet = createRemoteJWKSet(new URL(discovery.jwks_uri));
  return async (token, audience) => (await jwtVerify(token, keySet, { issuer, audience })).payload;
});
