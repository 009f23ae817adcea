"""PyJWT verifies with `PyJWKClient`, by nothing but the issuer's URL.

Usage: python verify_pyjwt.py CASES_FILE
"""

import sys
from collections.abc import Callable

import jwt

from report import Refused, check_cases, discover

# The first that fits, so the narrower classes come first. A network error is a PyJWKClientConnectionError: no verdict.
REASONS: list[tuple[type[Exception], str | None]] = [
    (jwt.PyJWKClientConnectionError, None),
    (jwt.PyJWKClientError, "key"),
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.InvalidAlgorithmError, "algorithm"),
    (jwt.InvalidSignatureError, "signature"),
    (jwt.DecodeError, "malformed"),
]


def prepare(issuer: str) -> Callable[[str, str], dict]:
    discovery = discover(issuer)
    algorithms = discovery["id_token_signing_alg_values_supported"]
    client = jwt.PyJWKClient(discovery["jwks_uri"])

    def verify(token: str, audience: str) -> dict:
        try:
            key = client.get_signing_key_from_jwt(token)
            return jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=audience,
                issuer=issuer,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]},
            )
        except jwt.PyJWTError as error:
            reason = next((reason for kind, reason in REASONS if isinstance(error, kind)), None)
            raise Refused(reason, error) from error

    return verify


check_cases(sys.argv[1], prepare)
