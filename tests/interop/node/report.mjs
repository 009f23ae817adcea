// What every script of this folder prints: one line a case, `ok NAME` or `not ok NAME: why`. It never prints a token.

const print = process.stdout.write.bind(process.stdout);

/** Runs one case: it holds if `act` returns and fails with what `act` throws. */
export async function check(name, act) {
  try {
    await act();
    print(`ok ${name}\n`);
  } catch (error) {
    print(`not ok ${name}: ${String(error?.message ?? error).replace(/\s+/g, " ")}\n`);
  }
}

/** Throws, with both texts, unless they are the same. */
export function same(what, actual, expected) {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${what} is ${a}, not ${e}`);
}

/** The claims of a token, unverified: fetchers only compare what they asked for with what came. */
export function claims(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString("utf8"));
}
