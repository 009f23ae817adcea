#!/usr/bin/env bash
# Runs clients that we did not write, unmodified and at pinned versions, against a started `buildpass serve` with its
# defaults. They learn nothing but the issuer's URL and the environment of a job.
#
# Usage: tests/interop/run.sh
#   BUILDPASS=PATH          the binary to test; without it `cargo build` makes one
#   INTEROP_SCRATCH=FOLDER  where packages are installed and kept; default: interop in cargo's target folder
#
# Prints one line a case and closes with `N passed, N failed`; the exit code is 1 if any failed. It skips nothing: a
# runtime that is missing is a failure. It must never write into the source tree, and never print a token or secret.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
scratch=${INTEROP_SCRATCH:-$target/interop}
passed=0
failed=0
server=
# shellcheck source=tests/interop/server.sh
. "$here/server.sh"

# run SUITE CASES COMMAND…: one script. It has to run to its end and to print exactly as many cases as are expected.
run() {
    local suite=$1 expected=$2 code=0 seen=0 line
    shift 2
    printf '\n# %s\n' "$suite"
    "$@" >"$state/out" 2>"$state/err" || code=$?
    while IFS= read -r line; do
        case $line in
            'ok '*) pass "$suite: ${line#ok }" ;;
            'not ok '*) fail "$suite: ${line#not ok }" ;;
            *) continue ;;
        esac
        seen=$((seen + 1))
    done < <(without_secrets <"$state/out")
    if ((code != 0)); then
        fail "$suite: ended with $code: $(tail -n 5 "$state/err" | tr '\n' ' ' | without_secrets)"
    elif ((seen != expected)); then
        fail "$suite: $seen cases ran, not $expected"
    fi
}

# installed NAME FILES…: does a folder of packages stand that was made from exactly these files?
digest() { cat "$@" | sha256sum | cut -d' ' -f1; }
installed() { [[ -f $scratch/$1/.installed && $(<"$scratch/$1/.installed") == "$(digest "${@:2}")" ]]; }
mark_installed() { digest "${@:2}" >"$scratch/$1/.installed"; }

install_node() {
    mkdir -p "$scratch/node"
    # Modules are looked for beside the script that imports them, so the scripts move to the packages.
    cp "$here"/node/* "$scratch/node/"
    installed node "$here/node/package-lock.json" && return
    (cd "$scratch/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || return
    mark_installed node "$here/node/package-lock.json"
}

install_python() {
    installed python "$here/python/requirements.txt" && return
    rm -rf "$scratch/python"
    python3 -m venv "$scratch/python" || return
    "$scratch/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement "$here/python/requirements.txt" || return
    mark_installed python "$here/python/requirements.txt"
}

install_go() { (cd "$here/go" && GOFLAGS=-mod=readonly go build -o "$scratch/go-oidc" .); }

tell() { node "$scratch/node/tell.mjs" "$@"; }

umask 077
state=$(mktemp -d)
mkdir "$state/server"
trap close EXIT
trap 'exit 1' INT TERM

printf '# install\n'
for tool in curl node npm python3 go; do
    command -v "$tool" >/dev/null || fail "runtime: $tool is missing"
done
((failed == 0)) || exit 1
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
for part in node python go; do
    "install_$part" || give_up "install: the $part packages"
done
if [[ -z $binary ]]; then
    (cd "$root" && cargo build --locked) || give_up 'install: cargo build'
    binary=$target/debug/buildpass
fi
binary=$(realpath "$binary")
[[ -x $binary ]] || give_up "install: no binary at $binary"

# A build under one URL: its token is the one that the same keys signed for another issuer.
printf '\n# server\n'
serve "$state/server.1.log"
former=$issuer
(cd "$state/server" && "$binary" clients create interop --json) >"$state/client.json" || give_up 'server: clients create'
client_id=$(tell client_id <"$state/client.json")
client_secret=$(tell client_secret <"$state/client.json")
build='{"org":"acme","org_id":"42","repo":"app","repo_id":"1001","number":%d,"event":"push","author":"octocat",
        "ref":"refs/heads/main","sha":"0123456789abcdef0123456789abcdef01234567","visibility":"private"}'
# shellcheck disable=SC2059
register() { api POST /api/v1/builds --header 'Content-Type: application/json' --data "$(printf "$build" "$1")"; }

[[ $(register 1) == 201 ]] || give_up "server: a build was not registered: $(without_secrets <"$state/answer")"
id=$(tell id <"$state/answer")
[[ $(api POST "/api/v1/builds/$id/id_tokens" --header 'Content-Type: application/json' \
    --data '{"audience":"https://interop.example.com"}') == 201 ]] ||
    give_up "server: no token by the direct way: $(without_secrets <"$state/answer")"
tell value <"$state/answer" >"$state/elsewhere"
kids() { curl --silent --fail "$issuer/.well-known/jwks" | node -p 'JSON.parse(require("fs").readFileSync(0)).keys.map((key) => key.kid).sort().join()'; }
kids_before=$(kids)
stop 'server: it stops at SIGTERM'

# The same folder under another URL, to the end.
serve "$state/server.2.log"
[[ $issuer != "$former" ]] || give_up 'server: the second start got the port of the first'
if [[ $(kids) == "$kids_before" ]]; then pass 'server: under another URL the same keys'; else fail 'server: under another URL other keys'; fi
[[ $(register 2) == 201 ]] || give_up "server: a build was not registered: $(without_secrets <"$state/answer")"
cp "$state/answer" "$state/registration.json"
id=$(tell id <"$state/registration.json")
mapfile -t job < <(tell --environment <"$state/registration.json")
as_job() { env -i PATH="$PATH" HOME="$state" LANG=C.UTF-8 "${job[@]}" "$@"; }

audiences=$here/audiences.json
count=$(tell --count <"$audiences")
run '@actions/core' $((count + 4)) as_job GITHUB_ACTIONS=true node "$scratch/node/fetch_actions_core.mjs" "$audiences"
run 'id' $((count + 1)) as_job GITHUB_ACTIONS=true "$scratch/python/bin/python" -B "$here/python/fetch_id.py" "$audiences"
run 'curl' $((3 * count + 16)) as_job TELL="$scratch/node/tell.mjs" "$here/curl.sh" "$audiences"

printf '\n# buildpass token request\n'
if [[ $(as_job "$binary" token request --audience 'a b' --format raw 2>/dev/null | tell --audience) == '"a b"' ]]; then
    pass "buildpass token request: by the job's environment alone"
else
    fail "buildpass token request: by the job's environment alone"
fi

cases=$state/cases.json
node "$scratch/node/forge.mjs" "$state/registration.json" "$state/elsewhere" "$cases" || give_up 'forge: the cases were not made'
count=$(tell --count <"$cases")
run 'jose' "$count" node "$scratch/node/verify_jose.mjs" "$cases"
run 'openid-client' "$count" node "$scratch/node/verify_openid_client.mjs" "$cases"
run 'PyJWT' "$count" "$scratch/python/bin/python" -B "$here/python/verify_pyjwt.py" "$cases"
run 'joserfc' "$count" "$scratch/python/bin/python" -B "$here/python/verify_joserfc.py" "$cases"
run 'go-oidc' "$count" "$scratch/go-oidc" "$cases"

# What the suite's own tokens are worth to others: `cargo test` wrote them down with our verdicts.
verdicts=$target/tmp/verdicts.jsonl
[[ -f $verdicts ]] || give_up "verdicts: no $verdicts; run cargo test first"
verdicts_of() {
    node "$scratch/node/verdicts.mjs" "$verdicts" >"$state/jose" &&
        "$scratch/python/bin/python" -B "$here/python/verdicts.py" "$verdicts" >"$state/joserfc" &&
        python3 "$here/verdicts.py" "$verdicts" "$state/jose" "$state/joserfc" "$here/verdicts.txt" "$here/differences.txt"
}
run 'verdicts' 4 verdicts_of

# An issuer that others wrote, found by its URL alone: `verify` takes its tokens, and refuses them for another audience.
mock_issuer() {
    local name token answers
    mkfifo "$state/hold"
    node "$scratch/node/mock_issuer.mjs" interop <"$state/hold" >"$state/mock" 2>"$state/mock.err" &
    exec 9>"$state/hold"
    answers=0
    until (($(wc -l <"$state/mock") == 6)); do
        ((++answers <= 300)) || return 1
        sleep 0.1
    done
    printf '[oidc.mock]\nprovider = "generic"\nissuer = "%s"\nallow_private = ["127.0.0.1"]\n' \
        "$(head -n 1 "$state/mock")" >"$state/mock.toml"
    verify() { "$binary" verify --config "$state/mock.toml" --provider mock --audience "$1" - >/dev/null 2>"$state/verify.err"; }
    while read -r name token; do
        if verify interop <<<"$token"; then echo "ok $name"; else echo "not ok $name: $(tail -n 1 "$state/verify.err")"; fi
        if verify other <<<"$token"; then echo "not ok $name: taken for another audience"; else echo "ok $name, for another audience"; fi
    done < <(tail -n +2 "$state/mock")
    if "$binary" providers check --config "$state/mock.toml" mock >"$state/survey"; then
        echo 'ok providers check'
    else
        echo "not ok providers check: $(tail -n 1 "$state/survey")"
    fi
    exec 9>&-
}
run 'oauth2-mock-server' 11 mock_issuer

printf '\n# the end\n'
if [[ $(api POST "/api/v1/builds/$id/finish" --header 'Content-Type: application/json' --data '{"status":"success"}') == 204 ]]; then
    pass 'finish: the build is finished'
else
    fail "finish: $(without_secrets <"$state/answer")"
fi
status=$(curl --silent --output /dev/null --write-out '%{http_code}' \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$(tell request_token <"$state/registration.json")") \
    "$(tell request_url <"$state/registration.json")&audience=a")
if [[ $status == 401 ]]; then pass 'finish: its request token is revoked'; else fail "finish: its request token still gets $status"; fi
stop 'server: it stops at SIGTERM, at the end'
if grep -qE 'bp[a-z]_[A-Za-z0-9_-]{20}|eyJ[A-Za-z0-9_-]{20}' "$state"/server.*.log; then
    fail 'server: its log holds a token or a secret'
else
    pass 'server: its log holds no token and no secret'
fi

((failed == 0))
