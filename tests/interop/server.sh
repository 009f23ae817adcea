# What the scripts beside it have in common: a report, a started server, its API as the CI server calls it, a build and
# its job. Sourced; whoever sources it has set $here, $passed, $failed and $server, and makes $state before it serves.

# All that is started beside the server, and ends with the script.
pids=()

# What a person set for their own server must not reach ours, and no proxy may stand between two loopback ends.
binary=${BUILDPASS:-}
for name in $(compgen -e); do
    case $name in BUILDPASS*) unset "$name" ;; esac
done
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost

pass() {
    printf 'ok %s\n' "$1"
    passed=$((passed + 1))
}

fail() {
    printf 'not ok %s\n' "$1"
    failed=$((failed + 1))
}

# Whatever a client prints when it falls over may hold what it was given.
without_secrets() { sed -E 's/bp[a-z]_[A-Za-z0-9_-]+/[secret]/g; s/eyJ[A-Za-z0-9_.-]+/[token]/g'; }

# check NAME COMMAND…: it must end well.
check() {
    local name=$1
    shift
    if "$@" >"$state/out" 2>"$state/err"; then
        pass "$name"
    else
        fail "$name: $(tail -n 3 "$state/out" "$state/err" | tr '\n' ' ' | without_secrets)"
    fi
}

# refuses NAME PATTERN COMMAND…: it must end badly, and say so.
refuses() {
    local name=$1 pattern=$2
    shift 2
    if "$@" >"$state/out" 2>&1; then
        fail "$name: it was taken"
    elif grep -qE "$pattern" "$state/out"; then
        pass "$name"
    else
        fail "$name: $(tail -n 3 "$state/out" | tr '\n' ' ' | without_secrets)"
    fi
}

# until_ready FILE PATTERN
until_ready() {
    local waited=0
    until grep -qE "$2" "$1" 2>/dev/null; do
        ((++waited <= 300)) || give_up "$1: not ready"
        sleep 0.1
    done
}

# end_others: whatever of $pids still runs.
end_others() {
    ((${#pids[@]})) || return 0
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
    pids=()
}

close() {
    end_others
    if [[ -n $server ]]; then kill -TERM "$server" 2>/dev/null || true; fi
    rm -rf "$state"
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
}

give_up() {
    fail "$1"
    tail -n 20 "$state"/server*.log 2>/dev/null | without_secrets >&2 || true
    exit 1
}

# serve LOG: starts the server with its defaults on free ports, logging to a new file, and sets $server and $issuer once it is ready.
serve() {
    local log=$1 waited=0
    : >"$log"
    (cd "$state/server" && BUILDPASS_SERVER__LISTEN=127.0.0.1:0 BUILDPASS_SERVER__ADMIN_LISTEN=127.0.0.1:0 \
        exec "$binary" serve </dev/null >"$log" 2>&1) &
    server=$!
    until grep -q '^buildpass ready: ' "$log"; do
        kill -0 "$server" 2>/dev/null || give_up 'server: it ended before it was ready'
        ((++waited <= 600)) || give_up 'server: not ready after a minute'
        sleep 0.1
    done
    issuer=$(sed -nE 's/^buildpass ready: .*issuer=([^ ]+).*$/\1/p' "$log")
}

# stop NAME: what an orchestrator does; anything but a clean end in time is a failure.
stop() {
    local code=0 waited=0
    kill -TERM "$server" || true
    while kill -0 "$server" 2>/dev/null && ((++waited <= 300)); do sleep 0.1; done
    if ((waited > 300)); then kill -KILL "$server" || true; fi
    wait "$server" || code=$?
    server=
    if ((code == 0)); then pass "$1"; else fail "$1: ended with $code"; fi
}

# api METHOD PATH [CURL_ARGUMENTS…]: as the CI server; the secret reaches no command line. Fills $state/answer, and
# prints the status.
api() {
    local method=$1 path=$2
    shift 2
    curl --silent --show-error --max-time 30 --request "$method" --output "$state/answer" --write-out '%{http_code}' \
        --config <(printf 'user = "%s:%s"\n' "$client_id" "$client_secret") "$@" "$issuer$path"
}

# tell NAME…: a member of the JSON document on standard input, deeper with each NAME; text bare, else as JSON.
tell() { python3 -c 'import json,sys
value = json.load(sys.stdin)
for name in sys.argv[1:]: value = value[int(name) if name.isdigit() else name]
print(value if isinstance(value, str) else json.dumps(value))' "$@"; }

buildpass() { (cd "$state/server" && "$binary" "$@"); }

# register_build: as a client that may; sets $build to its id and $job to the environment of its job.
register_build() {
    local status
    buildpass clients create ci --json >"$state/ci.json"
    client_id=$(tell client_id <"$state/ci.json")
    client_secret=$(tell client_secret <"$state/ci.json")
    status=$(api POST /api/v1/builds --header 'Content-Type: application/json' --data '{"org":"acme","org_id":"42",
        "repo":"app","repo_id":"1001","number":1,"event":"push","author":"octocat","ref":"refs/heads/main",
        "sha":"0123456789abcdef0123456789abcdef01234567"}')
    [[ $status == 201 ]] || give_up "server: a build was not registered: $status"
    build=$(tell id <"$state/answer")
    mapfile -t job < <(python3 -c 'import json,sys
for name, value in json.load(sys.stdin)["env"].items(): print(f"{name}={value}")' <"$state/answer")
}
as_job() { env -i PATH="$PATH" HOME="$state/job" LANG=C.UTF-8 "${job[@]}" "$@"; }
token() { as_job "$binary" token request --audience "$1" --format raw 2>/dev/null; }

finish_build() {
    local status
    status=$(api POST "/api/v1/builds/$build/finish" --header 'Content-Type: application/json' \
        --data '{"status":"success"}')
    [[ $status == 204 ]] || fail "finish: $status"
}

# no_secret_logged NAME: in any log of $state.
no_secret_logged() {
    if grep -hqE 'bp[a-z]_[A-Za-z0-9_-]{20}|eyJ[A-Za-z0-9_-]{20}' "$state"/*.log; then
        fail "$1: a token or a secret"
    else
        pass "$1: no token and no secret"
    fi
}
