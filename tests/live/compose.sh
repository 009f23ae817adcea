#!/usr/bin/env bash
# Follows examples/compose without a container runtime: the same files, from the binaries, under the same paths and
# users. It ends with a token that was fetched and verified through the proxy.
#
#   - buildpass as user 10001, its working directory read-only, only state_dir writable, its secrets at /run/secrets
#   - PostgreSQL with the database's user and password file; Caddy with the very Caddyfile and the variables of .env
#
# Usage: tests/live/compose.sh
#   BUILDPASS=PATH  the binary to test; without it `cargo build` makes one
#
# Needs root, for the users and the paths, and PostgreSQL's binaries; installs Caddy from its Go module and PyJWT from
# PyPI. Prints one line a case and closes with `N passed, N failed`; it skips nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
example=$root/examples/compose
target=${CARGO_TARGET_DIR:-$root/target}
scratch=$target/compose
caddy_version=v2.11.9
caddy=$scratch/caddy-$caddy_version/caddy
binary=${BUILDPASS:-$target/debug/buildpass}
passed=0
failed=0
processes=()

pass() { printf 'ok %s\n' "$1"; passed=$((passed + 1)); }
fail() { printf 'not ok %s\n' "$1"; failed=$((failed + 1)); }
expect() { if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1: $2, not $3"; fi; }

for name in $(compgen -e); do case $name in BUILDPASS*) unset "$name" ;; esac; done
export NO_PROXY='*' no_proxy='*'

end() {
    for process in "${processes[@]}"; do kill -INT "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$place" /run/secrets/buildpass-compose
    for secret in master-key database-password; do rm -f "/run/secrets/$secret"; done
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
}

mkdir -p "$scratch"
[[ -x $caddy ]] || GOBIN=$(dirname "$caddy") go install "github.com/caddyserver/caddy/v2/cmd/caddy@$caddy_version"
requirements=$root/tests/interop/python/requirements.txt
if ! cmp -s "$requirements" "$scratch/python/installed.txt"; then
    rm -rf "$scratch/python"
    python3 -m venv "$scratch/python"
    "$scratch/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement "$requirements"
    cp "$requirements" "$scratch/python/installed.txt"
fi
[[ -n ${BUILDPASS:-} ]] || (cd "$root" && cargo build --locked)

place=$(mktemp -d)
chmod 0755 "$place"
trap end EXIT
host=localhost
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
upstream=127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
admin=127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
database_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# The page's own lines make the secrets; compose mounts them here.
mkdir -p /run/secrets "$place/example"
cp "$example"/{compose.yaml,Caddyfile,buildpass.toml,.env.example} "$place/example/"
(cd "$place/example" && sed -n '/^```sh$/,/^```$/p' "$example/README.md" | grep -E '^(cp|mkdir|head|chmod)' >"$place/page.sh" && bash -eu "$place/page.sh")
cp "$place/example/secrets/"* /run/secrets/
chmod 0444 /run/secrets/master-key /run/secrets/database-password
[[ -s /run/secrets/master-key ]] && pass "the page's lines make the secrets" || fail "the page's lines make the secrets"

# The database, with what the image's entry point does.
binaries=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
install -d -o 65534 -g 65534 "$place/database"
as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=/usr/bin:/bin LC_ALL=C)
(cd "$place/database" && "${as_nobody[@]}" "$binaries/initdb" --no-sync --encoding=UTF8 --locale=C --auth=scram-sha-256 \
    --username=buildpass --pwfile=/run/secrets/database-password --pgdata="$place/database/data") >"$place/initdb.log" 2>&1
(cd "$place/database" && exec "${as_nobody[@]}" "$binaries/postgres" -D data -p "$database_port" -k "$place/database" \
    -c listen_addresses=127.0.0.1) >"$place/postgres.log" 2>&1 &
processes+=($!)
for _ in $(seq 100); do "$binaries/pg_isready" -q -h 127.0.0.1 -p "$database_port" && break; sleep 0.1; done
PGPASSWORD=$(<"$place/example/secrets/database-password") "$binaries/createdb" -h 127.0.0.1 -p "$database_port" -U buildpass buildpass

# The server: the container's user, its own root read-only to it, one folder of its own.
install -m 0755 "$binary" "$place/buildpass"
install -d -m 0555 "$place/work"
install -d -o 10001 -g 10001 -m 0700 "$place/state"
server_env=(
    PATH=/usr/bin:/bin
    BUILDPASS_CONFIG="$place/example/buildpass.toml"
    BUILDPASS_SERVER__LISTEN="$upstream" BUILDPASS_SERVER__ADMIN_LISTEN="$admin" BUILDPASS_SERVER__STATE_DIR="$place/state"
    BUILDPASS_ISSUER__URL="https://$host:$port"
    BUILDPASS_STORE__URL="postgres://buildpass@127.0.0.1:$database_port/buildpass?sslmode=disable"
    BUILDPASS_STORE__PASSWORD_FILE=/run/secrets/database-password
)
as_container=(setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all env -i "${server_env[@]}")
(cd "$place/work" && exec "${as_container[@]}" "$place/buildpass" serve) >"$place/server.log" 2>&1 &
processes+=($!)
for _ in $(seq 300); do grep -q 'buildpass ready' "$place/server.log" && break; sleep 0.1; done
if grep -q 'buildpass ready' "$place/server.log"; then
    pass "the server starts as another user, with a read-only working directory"
else
    fail "the server starts: $(tail -n 3 "$place/server.log" | tr '\n' ' ')"
    exit 1
fi

# The proxy, which makes a certificate of its own here; the address is that of the test.
(cd "$place" && exec env -i PATH=/usr/bin:/bin HOME="$place" XDG_DATA_HOME="$place/proxy" BUILDPASS_HOST="https://$host:$port" \
    BUILDPASS_UPSTREAM="$upstream" BUILDPASS_TLS="tls internal" "$caddy" run --config "$place/example/Caddyfile" \
    --adapter caddyfile) >"$place/caddy.log" 2>&1 &
processes+=($!)
authority=$place/proxy/caddy/pki/authorities/local/root.crt
for _ in $(seq 100); do [[ -s $authority ]] && curl -sf --cacert "$authority" "https://$host:$port/health/live" >/dev/null && break; sleep 0.1; done
status() { curl -s -o /dev/null -w '%{http_code}' --cacert "$authority" "https://$host:$port$1"; }

expect "the documents are published over TLS" "$(status /.well-known/openid-configuration)" 200
expect "the key set is" "$(status /.well-known/jwks)" 200
expect "metrics are hidden" "$(status /metrics)" 404
expect "administration is hidden" "$(status /admin)" 404
expect "and what lies below it" "$(status /admin/anything)" 404
expect "metrics are there inside" "$(curl -s -o /dev/null -w '%{http_code}' "http://$admin/metrics")" 200

client=$(cd "$place/work" && "${as_container[@]}" "$place/buildpass" clients create ci --org acme --json)
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
registration='{"org":"acme","org_id":"42","repo":"app","repo_id":"1001","number":17,"event":"push","author":"octocat","ref":"refs/heads/main","sha":"0123456789abcdef0123456789abcdef01234567"}'
build=$(curl -s --cacert "$authority" --user "$(field client_id <<<"$client"):$(field client_secret <<<"$client")" \
    -H 'Content-Type: application/json' -d "$registration" "https://$host:$port/api/v1/builds")
token=$(curl -s --cacert "$authority" -H "Authorization: Bearer $(field request_token <<<"$build")" \
    "$(field request_url <<<"$build")&audience=sts.amazonaws.com" | field value)
if verified=$(SSL_CERT_FILE=$authority "$scratch/python/bin/python" - "https://$host:$port" "$token" <<'PY'
import json, ssl, sys, urllib.request
import jwt
issuer, token = sys.argv[1:]
discovery = json.load(urllib.request.urlopen(issuer + "/.well-known/openid-configuration", context=ssl.create_default_context()))
key = jwt.PyJWKClient(discovery["jwks_uri"], ssl_context=ssl.create_default_context()).get_signing_key_from_jwt(token)
print(jwt.decode(token, key, algorithms=["RS256", "ES256"], audience="sts.amazonaws.com", issuer=issuer)["sub"])
PY
); then
    expect "a token verifies through the proxy" "$verified" "repo:acme@42/app@1001:ref:refs/heads/main"
else
    fail "a token verifies through the proxy"
fi
expect "nothing was written beside state_dir" "$(find "$place/work" -mindepth 1 | wc -l)" 0
if grep -qF -e "$(<"$place/example/secrets/master-key")" -e "$(<"$place/example/secrets/database-password")" "$place/server.log"; then
    fail "no secret is in the log"
else
    pass "no secret is in the log"
fi
((failed == 0))
