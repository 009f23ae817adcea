# What the scripts beside it have in common: a report, a started server, its API as the CI server calls it. Sourced;
# whoever sources it has set $here, $passed, $failed and $server, and makes $state before it serves.

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

close() {
    if [[ -n $server ]]; then kill -TERM "$server" 2>/dev/null || true; fi
    rm -rf "$state"
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
}

give_up() {
    fail "$1"
    tail -n 20 "$state"/server.*.log 2>/dev/null | without_secrets >&2 || true
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
