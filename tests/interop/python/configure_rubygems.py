"""Does in a job what the action configure-rubygems-credentials does: an ID token from the job's environment, a key for
it, and the key where `gem` looks for one.

Usage: configure_rubygems.py EXCHANGE GEM_HOST AUDIENCE [ROLE]
"""

import datetime
import json
import os
import pathlib
import sys
import urllib.parse
import urllib.request


def read(request):
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, json.load(answer)


def id_token(audience):
    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=" + urllib.parse.quote(audience, safe="")
    bearer = {"Authorization": "Bearer " + os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]}
    return read(urllib.request.Request(url, headers=bearer))[1]["value"]


def key(exchange, token, role):
    path = f"api_key_roles/{role}/assume_role" if role else "trusted_publisher/exchange_token"
    body = json.dumps({"jwt": token}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    status, answer = read(urllib.request.Request(f"{exchange}/api/v1/oidc/{path}", body, headers))
    assert status == 201, status
    assert {"rubygems_api_key", "name", "scopes", "expires_at"} <= answer.keys(), answer.keys()
    datetime.datetime.fromisoformat(answer["expires_at"].replace("Z", "+00:00"))
    return answer["rubygems_api_key"]


def main(exchange, host, audience, role=None):
    secret = key(exchange, id_token(audience), role)
    credentials = pathlib.Path(os.environ["HOME"], ".gem", "credentials")
    credentials.parent.mkdir(exist_ok=True)
    credentials.touch(mode=0o600)
    credentials.write_text(f"---\n:rubygems_api_key: {secret}\n{host}: {secret}\n")


main(*sys.argv[1:])
