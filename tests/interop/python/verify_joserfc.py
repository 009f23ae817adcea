"""joserfc verifies with the discovered key set, by nothing but the issuer's URL.

Usage: python verify_joserfc.py CASES_FILE
"""

import sys
from collections.abc import Callable

from joserfc import errors, jwt
from joserfc.jwk import KeySet

from report import Refused, check_cases, discover, fetch_json


def reason(error: errors.JoseError) -> str | None:
    """What joserfc's error means, in the words of the case file."""
    match error:
        case errors.ExpiredTokenError():
            return "expired"
        case errors.InvalidClaimError():
            return {"aud": "audience", "iss": "issuer"}.get(error.claim)
        case errors.BadSignatureError():
            return "signature"
        case errors.UnsupportedAlgorithmError():
            return "algorithm"
        case errors.InvalidKeyIdError() | errors.InvalidKeyTypeError() | errors.UnsupportedKeyAlgorithmError():
            return "key"
        case errors.DecodeError() | errors.MissingHeaderError():
            return "malformed"
    return None


def prepare(issuer: str) -> Callable[[str, str], dict]:
    discovery = discover(issuer)
    algorithms = discovery["id_token_signing_alg_values_supported"]
    keys = KeySet.import_key_set(fetch_json(discovery["jwks_uri"]))

    def verify(token: str, audience: str) -> dict:
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            decoded = jwt.decode(token, keys, algorithms=algorithms)
            registry.validate(decoded.claims)
        except errors.JoseError as error:
            raise Refused(reason(error), error) from error
        except ValueError as error:
            # joserfc refuses a token of other than three segments with a bare ValueError.
            raise Refused("malformed", error) from error
        return decoded.claims

    return verify


check_cases(sys.argv[1], prepare)
