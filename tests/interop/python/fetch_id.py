"""A job that fetches its tokens with PyPI `id`, as sigstore's and PyPI's own clients do. It never prints a token.

Usage: python fetch_id.py AUDIENCES_FILE, with GITHUB_ACTIONS and ACTIONS_ID_TOKEN_REQUEST_{URL,TOKEN} set.
"""

import json
import os
import sys

import id as ambient

from report import check, claims, same


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        audiences = json.load(file)
    for case in audiences:
        audience = case["audience"]
        check(
            f"audience: {case['name']}",
            lambda audience=audience: same("aud", claims(ambient.detect_credential(audience))["aud"], audience),
        )
    check("a wrong request token: the refusal is a sentence", wrong_token)


def wrong_token() -> None:
    right = os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "bpr_" + "A" * 43
    try:
        ambient.detect_credential("a")
    except ambient.AmbientCredentialError as error:
        if "code=401" not in str(error) or '"unauthenticated"' not in str(error):
            raise AssertionError(f"it reads: {error}") from error
    else:
        raise AssertionError("a token came")
    finally:
        os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = right


main()
