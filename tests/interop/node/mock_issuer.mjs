// A whole issuer that others wrote, live on loopback: prints its URL and one token of each algorithm that it signs with,
// a line each, and serves until its input ends.
//
// Usage: node mock_issuer.mjs AUDIENCE

import { OAuth2Server } from "oauth2-mock-server";

const server = new OAuth2Server();
for (const alg of ["RS256", "RS384", "RS512", "ES256", "ES384"]) await server.issuer.keys.generate(alg);
await server.start(0, "127.0.0.1");
server.issuer.url = `http://127.0.0.1:${server.address().port}`;
process.stdout.write(`${server.issuer.url}\n`);
for (const key of server.issuer.keys.toJSON()) {
  const token = await server.issuer.buildToken({
    kid: key.kid,
    scopesOrTransform: (header, payload) => Object.assign(payload, { aud: process.argv[2], sub: "ci" }),
  });
  process.stdout.write(`${key.alg} ${token}\n`);
}
process.stdin.resume();
process.stdin.on("end", async () => {
  await server.stop();
});
