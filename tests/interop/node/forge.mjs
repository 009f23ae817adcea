// Asks for good tokens and spoils each in exactly one way: the cases that every verifier must decide.
// It never signs with a key of the issuer, and writes tokens nowhere but to its output file.
//
// Usage: node forge.mjs REGISTRATION_FILE ELSEWHERE_TOKEN_FILE OUTPUT_FILE
// ELSEWHERE_TOKEN_FILE: a token that the same keys signed while the issuer had another URL.

import { createHmac, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { claims } from "./report.mjs";

const [registrationFile, elsewhereFile, outputFile] = process.argv.slice(2);
const registration = JSON.parse(readFileSync(registrationFile, "utf8"));
const elsewhere = readFileSync(elsewhereFile, "utf8").trim();
const audience = "https://interop.example.com";

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

async function get(url, headers = {}) {
  const answer = await fetch(url, { headers });
  if (answer.status !== 200) throw new Error(`${url.split("?")[0]} answered ${answer.status}`);
  return answer.json();
}

async function token(query) {
  const headers = { authorization: `Bearer ${registration.request_token}` };
  return (await get(`${registration.request_url}&${new URLSearchParams(query)}`, headers)).value;
}

function parts(text) {
  const [header, payload, signature] = text.split(".");
  return {
    header: JSON.parse(Buffer.from(header, "base64url")),
    payload: claims(text),
    signature: Buffer.from(signature, "base64url"),
    raw: { header, payload, signature },
  };
}

/** The same token with another header or payload; the signature stays what it was, or what `resign` makes of the input. */
function changed(text, { header, payload, resign }) {
  const was = parts(text);
  const head = header ? encode(header({ ...was.header })) : was.raw.header;
  const body = payload ? encode(payload({ ...was.payload })) : was.raw.payload;
  const signature = resign ? Buffer.from(resign(`${head}.${body}`)).toString("base64url") : was.raw.signature;
  return `${head}.${body}.${signature}`;
}

const withSignature = (text, signature) => text.replace(/[^.]*$/, () => Buffer.from(signature).toString("base64url"));

function flipped(text, at) {
  const signature = Buffer.from(parts(text).signature);
  signature[at < 0 ? signature.length + at : at] ^= 1;
  return withSignature(text, signature);
}

const discovery = await get(`${registration.issuer}/.well-known/openid-configuration`);
const { keys } = await get(discovery.jwks_uri);

// The shortest-lived first: it has to expire while the others are made.
const expired = await token({ audience, lifetime: "1" });
const rs = await token({ audience, algorithm: "RS256" });
const es = await token({ audience, algorithm: "ES256" });
const foreignAudience = await token({ audience: "https://elsewhere.example.com" });
const nearAudience = await token({ audience: `${audience}/` });
const twoAudiences = await token([["audience", audience], ["audience", "https://elsewhere.example.com"]]);
const another = await token({ audience, algorithm: "RS256" });

// Who forges has to know that the forgery is otherwise sound.
const keyOf = (text) => {
  const jwk = keys.find(({ kid }) => kid === parts(text).header.kid);
  if (!jwk) throw new Error("a good token names a kid that the key set lacks");
  return { jwk, key: createPublicKey({ key: jwk, format: "jwk" }) };
};
for (const text of [rs, es, elsewhere]) {
  const { raw, signature } = parts(text);
  const input = Buffer.from(`${raw.header}.${raw.payload}`);
  if (!verify("sha256", input, { key: keyOf(text).key, dsaEncoding: "ieee-p1363" }, signature)) {
    throw new Error("a good token does not verify under the key it names");
  }
}
if (claims(elsewhere).iss === registration.issuer) throw new Error("the token from elsewhere has our own issuer");

const foreignRsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const foreignEc = generateKeyPairSync("ec", { namedCurve: "P-256" });
const byForeignRsa = (input) => sign("sha256", Buffer.from(input), foreignRsa.privateKey);
const byForeignEc = (input) =>
  sign("sha256", Buffer.from(input), { key: foreignEc.privateKey, dsaEncoding: "ieee-p1363" });
const hmac = (secret) => (input) => createHmac("sha256", secret).update(input).digest();
const pem = keyOf(rs).key.export({ type: "spki", format: "pem" });
const { kid: rsKid } = parts(rs).header;
const { kid: esKid } = parts(es).header;
const unknownKid = encode("no such key");

/** The DER form of an ECDSA signature, which JWS forbids. */
function der(signature) {
  const integer = (bytes) => {
    let value = bytes;
    while (value.length > 1 && value[0] === 0) value = value.subarray(1);
    if (value[0] & 0x80) value = Buffer.concat([Buffer.of(0), value]);
    return Buffer.concat([Buffer.of(2, value.length), value]);
  };
  const both = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, both.length), both]);
}

const cases = [];
const good = (name, text) => cases.push({ name, token: text, accept: true, sub: claims(text).sub });
/** `reasons`: the kinds of refusal that are right here; one of any other kind is a failure. */
const spoiled = (name, text, ...reasons) => cases.push({ name, token: text, accept: false, reasons });

good("RS256, good", rs);
good("ES256, good", es);
good("two audiences, ours among them", twoAudiences);

spoiled("for another audience", foreignAudience, "audience");
spoiled("for our audience with a slash more", nearAudience, "audience");
spoiled("by our keys under another issuer's URL", elsewhere, "issuer");
spoiled("expired", expired, "expired");
spoiled("RS256, first byte of the signature flipped", flipped(rs, 0), "signature");
spoiled("RS256, last byte of the signature flipped", flipped(rs, -1), "signature");
spoiled("ES256, first byte of the signature flipped", flipped(es, 0), "signature");
spoiled("ES256, last byte of the signature flipped", flipped(es, -1), "signature");
spoiled("RS256, signature truncated", withSignature(rs, parts(rs).signature.subarray(0, 255)), "signature");
spoiled("ES256, signature truncated", withSignature(es, parts(es).signature.subarray(0, 63)), "signature");
spoiled("ES256, signature of zeros", withSignature(es, Buffer.alloc(64)), "signature");
spoiled("ES256, signature in DER", withSignature(es, der(parts(es).signature)), "signature");
spoiled("without a signature", withSignature(rs, ""), "signature", "malformed");
spoiled("two segments only", rs.replace(/\.[^.]*$/, ""), "malformed");
spoiled("one segment more", `${rs}.`, "malformed", "signature");
spoiled("another token's signature", withSignature(rs, parts(another).signature), "signature");
spoiled("another repository in the payload", changed(rs, { payload: (p) => ({ ...p, repo: "acme/other" }) }), "signature");
spoiled("a later expiry in the payload", changed(expired, { payload: (p) => ({ ...p, exp: p.exp + 3600 }) }), "signature");
spoiled("our audience in another's payload", changed(foreignAudience, { payload: (p) => ({ ...p, aud: audience }) }), "signature");
spoiled("alg none", changed(rs, { header: (h) => ({ ...h, alg: "none" }), resign: () => "" }), "algorithm", "malformed", "signature");
spoiled("alg nOnE", changed(rs, { header: (h) => ({ ...h, alg: "nOnE" }), resign: () => "" }), "algorithm", "malformed", "signature");
spoiled("alg none, signature kept", changed(rs, { header: (h) => ({ ...h, alg: "none" }) }), "algorithm", "malformed");
spoiled("HS256 with the public key's PEM", changed(rs, { header: (h) => ({ ...h, alg: "HS256" }), resign: hmac(pem) }), "algorithm");
spoiled("HS256 with the public key's JWK", changed(rs, { header: (h) => ({ ...h, alg: "HS256" }), resign: hmac(JSON.stringify(keyOf(rs).jwk)) }), "algorithm");
spoiled("HS256 with no secret", changed(es, { header: (h) => ({ ...h, alg: "HS256" }), resign: hmac("") }), "algorithm");
spoiled("RS512 in the header", changed(rs, { header: (h) => ({ ...h, alg: "RS512" }) }), "algorithm", "key");
spoiled("a kid that is not in the key set", changed(rs, { header: (h) => ({ ...h, kid: unknownKid }) }), "key", "signature");
spoiled("no kid", changed(rs, { header: ({ kid, ...h }) => h }), "key", "signature");
spoiled("RS256 with the kid of the ES256 key", changed(rs, { header: (h) => ({ ...h, kid: esKid }) }), "key", "algorithm", "signature");
spoiled("ES256 with the kid of the RS256 key", changed(es, { header: (h) => ({ ...h, kid: rsKid }) }), "key", "algorithm", "signature");
spoiled("a stranger's RSA key under our kid", changed(rs, { resign: byForeignRsa }), "signature");
spoiled("a stranger's EC key under our kid", changed(es, { resign: byForeignEc }), "signature");
spoiled("a stranger's key brought along in the header", changed(es, {
  header: ({ kid, ...h }) => ({ ...h, jwk: foreignEc.publicKey.export({ format: "jwk" }) }),
  resign: byForeignEc,
}), "key", "signature");
spoiled("a stranger's key set named in the header", changed(rs, {
  header: (h) => ({ ...h, kid: unknownKid, jku: "http://127.0.0.1:9/jwks" }),
  resign: byForeignRsa,
}), "key", "signature");

// Its last second has to be over for verifiers without any leeway too.
const over = (claims(expired).exp + 2) * 1000 - Date.now();
if (over > 0) await sleep(over);
const document = { issuer: registration.issuer, audience, cases };
writeFileSync(outputFile, JSON.stringify(document, null, 1), { mode: 0o600 });
