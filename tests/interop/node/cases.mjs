// Has one verifier check every case of a case file. A refusal counts only if it is for the right reason.

import { readFileSync } from "node:fs";
import { check, same } from "./report.mjs";

/** What npm jose's errors mean, in the words of the case file; anything else (a network error, say) is a failure. */
export function reason(error) {
  switch (error?.code) {
    case "ERR_JWT_EXPIRED":
      return "expired";
    case "ERR_JWT_CLAIM_VALIDATION_FAILED":
      return { aud: "audience", iss: "issuer" }[error.claim];
    case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
      return "signature";
    case "ERR_JOSE_ALG_NOT_ALLOWED":
    case "ERR_JOSE_NOT_SUPPORTED":
      return "algorithm";
    case "ERR_JWKS_NO_MATCHING_KEY":
    case "ERR_JWKS_MULTIPLE_MATCHING_KEYS":
      return "key";
    case "ERR_JWS_INVALID":
    case "ERR_JWT_INVALID":
      return "malformed";
    default:
      return undefined;
  }
}

/** `prepare(issuer)` gives a function that takes a token and an audience, and resolves to its payload or throws. */
export async function checkCases(file, prepare) {
  const { issuer, audience, cases } = JSON.parse(readFileSync(file, "utf8"));
  const verify = await prepare(issuer);
  for (const { name, token, accept, sub, reasons } of cases) {
    await check(name, async () => {
      let payload;
      try {
        payload = await verify(token, audience);
      } catch (error) {
        if (!accept && reasons.includes(reason(error))) return;
        throw new Error(`${accept ? "refused" : `not refused for ${reasons.join(" or ")}`}: ${error.code} ${error.message}`);
      }
      if (!accept) throw new Error("accepted");
      same("sub", payload.sub, sub);
    });
  }
}
