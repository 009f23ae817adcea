// npm openid-client discovers the issuer; jose verifies with exactly what that discovery returns.
//
// Usage: node verify_openid_client.mjs CASES_FILE

import { createRemoteJWKSet, jwtVerify } from "jose";
import { allowInsecureRequests, discovery } from "openid-client";
import { checkCases } from "./cases.mjs";

await checkCases(process.argv[2], async (url) => {
  const options = { execute: [allowInsecureRequests] };
  const found = (await discovery(new URL(url), "any", undefined, undefined, options)).serverMetadata();
  const { issuer, id_token_signing_alg_values_supported: algorithms } = found;
  if (issuer !== url) throw new Error("discovery names another issuer");
  const keySet = createRemoteJWKSet(new URL(found.jwks_uri));
  return async (token, audience) => (await jwtVerify(token, keySet, { issuer, audience, algorithms })).payload;
});
