"""What every script of this folder prints: one line a case, `ok NAME` or `not ok NAME: why`. Never a token."""

import base64
import json
import urllib.request
from collections.abc import Callable


class Refused(Exception):
    """A verifier's refusal, in the words of the case file; `reason` is None where it is no verdict at all."""

    def __init__(self, reason: str | None, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.reason = reason


def check(name: str, act: Callable[[], None]) -> None:
    """Run one case: it holds if `act` returns, and fails with what it raises."""
    try:
        act()
    except Exception as error:  # noqa: BLE001: whatever a client throws is the finding
        text = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"not ok {name}: {text}", flush=True)
    else:
        print(f"ok {name}", flush=True)


def same(what: str, actual: object, expected: object) -> None:
    """Fail, with both values, unless they are the same."""
    if actual != expected or type(actual) is not type(expected):
        raise AssertionError(f"{what} is {actual!r}, not {expected!r}")


def claims(token: str) -> dict:
    """The claims of a token, unverified: fetchers only compare what they asked for with what came."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def fetch_json(url: str) -> dict:
    """One public document."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def discover(issuer: str) -> dict:
    """The discovery document, which has to name the issuer byte for byte."""
    document = fetch_json(f"{issuer}/.well-known/openid-configuration")
    same("the discovered issuer", document["issuer"], issuer)
    return document


def check_cases(path: str, prepare: Callable[[str], Callable[[str, str], dict]]) -> None:
    """Have one verifier check every case of a case file. A refusal counts only if it is for the right reason.

    `prepare(issuer)` gives a function of token and audience that returns the claims or raises `Refused`.
    """
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    verify = prepare(document["issuer"])

    def verdict(case: dict) -> None:
        try:
            payload = verify(case["token"], document["audience"])
        except Refused as refused:
            if case["accept"]:
                raise
            if refused.reason not in case["reasons"]:
                raise AssertionError(f"not refused for {' or '.join(case['reasons'])}: {refused}") from refused
            return
        if not case["accept"]:
            raise AssertionError("accepted")
        same("sub", payload["sub"], case["sub"])

    for case in document["cases"]:
        check(case["name"], lambda case=case: verdict(case))
