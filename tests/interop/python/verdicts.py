"""joserfc's verdict on every token of the suite: `taken`, or its error's name.

Usage: python verdicts.py VERDICTS_FILE
"""

import json
import sys

from joserfc import errors, jwt
from joserfc.jwk import KeySet

with open(sys.argv[1], encoding="utf-8") as file:
    setting, *cases = [json.loads(line) for line in file]
keys = KeySet.import_key_set(setting["jwks"])
registry = jwt.JWTClaimsRegistry(
    now=setting["now"],
    leeway=60,
    iss={"essential": True, "value": setting["issuer"]},
    aud={"essential": True, "value": setting["audience"]},
    exp={"essential": True},
    iat={"essential": True},
)
for case in cases:
    try:
        decoded = jwt.decode(case["token"], keys, algorithms=["RS256", "RS384", "RS512", "ES256", "ES384"])
        registry.validate(decoded.claims)
        verdict = "taken"
    except errors.JoseError as error:
        verdict = type(error).__name__
    except Exception as error:  # a bare error of Python's own is a refusal too
        verdict = f"{type(error).__name__} (bare)"
    print(json.dumps({"name": case["name"], "verdict": verdict}))
