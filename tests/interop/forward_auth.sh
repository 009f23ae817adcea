#!/usr/bin/env bash
# A store that believes the headers about who sent a request, behind each proxy that examples/forward_auth/ has a
# sample for: curl, npm and twine through the sample, in which only addresses, the host and GRANT are replaced.
#
# Usage: tests/interop/forward_auth.sh PROXY…       of nginx, caddy, envoy and traefik
#   BUILDPASS=PATH            the binary to test
#   ENVOY=PATH, TRAEFIK=PATH  where these are; default: in PATH
#
# Needs Debian's nginx, caddy and twine, and npm, python3 and curl; Traefik is tried by hand, since it has to be built.
# Prints one line a case and closes with `N passed, N failed`; it skips nothing: a proxy that is missing is a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
passed=0
failed=0
server=
# shellcheck source=tests/interop/server.sh
. "$here/server.sh"

for tool in curl npm python3 twine; do
    command -v "$tool" >/dev/null || { fail "runtime: $tool is missing"; exit 1; }
done
binary=$(realpath "$binary")

umask 077
state=$(mktemp -d)
trap close EXIT
trap 'exit 1' INT TERM

free_port() { python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'; }

# sample FILE HOST: the sample as a user would fill it in.
sample() {
    sed -e "s|\b8094\b|$port|; s|\b8095\b|$(<"$state/store.port")|; s|\b8080\b|${issuer##*:}|; s|GRANT|store|" \
        -e "s|store\.example\.com|$2|" "$root/examples/forward_auth/$1"
}

# begin: starts $program with the sample of $proxy, listening on $port and writing below $state alone.
begin() {
    local kind
    case $proxy in
        nginx)
            {
                # Its workers write below $state too.
                printf 'user %s %s;\ndaemon off;\npid %s/nginx.pid;\n' "$(id -un)" "$(id -gn)" "$state"
                printf 'error_log %s/proxy.log;\nevents {}\nhttp {\naccess_log off;\n' "$state"
                for kind in client_body proxy fastcgi uwsgi scgi; do
                    printf '%s_temp_path %s/nginx.%s;\n' "$kind" "$state" "$kind"
                done
                sample nginx.conf 127.0.0.1
                printf '}\n'
            } >"$state/nginx.conf"
            "$program" -c "$state/nginx.conf" -e "$state/proxy.log" 2>/dev/null &
            ;;
        caddy)
            # With a name it would get certificates for it.
            {
                printf '{\nadmin off\ndefault_bind 127.0.0.1\n}\n'
                sample Caddyfile "http://127.0.0.1:$port"
            } >"$state/Caddyfile"
            export XDG_DATA_HOME=$state/proxy XDG_CONFIG_HOME=$state/proxy
            "$program" run --adapter caddyfile --config "$state/Caddyfile" >"$state/proxy.log" 2>&1 &
            ;;
        envoy)
            sample envoy.yaml 127.0.0.1 >"$state/envoy.yaml"
            "$program" --config-path "$state/envoy.yaml" --disable-hot-restart --concurrency 1 --log-level warning \
                >"$state/proxy.log" 2>&1 &
            ;;
        traefik)
            sample traefik.yml 127.0.0.1 >"$state/traefik.yml"
            "$program" --entryPoints.store.address="127.0.0.1:$port" --providers.file.filename="$state/traefik.yml" \
                --global.checkNewVersion=false --global.sendAnonymousUsage=false >"$state/proxy.log" 2>&1 &
            ;;
    esac
    pids+=($!)
}

# send CREDENTIAL CURL_ARGUMENTS…: prints the status; the credential reaches no command line.
send() {
    local credential=$1
    shift
    curl --silent --max-time 30 --output "$state/out" --dump-header "$state/head" --write-out '%{http_code}' --config \
        <(if [[ -n $credential ]]; then printf 'header = "Authorization: Bearer %s"\n' "$credential"; fi) "$@" || true
}

# through STATUS NAME CREDENTIAL CURL_ARGUMENTS…: what is refused does not reach the store, and all else does.
through() {
    local expected=$1 name=$2 status before due=1
    shift 2
    if [[ $expected == 40[13] ]]; then due=0; fi
    before=$(requests)
    status=$(send "$@")
    if [[ $status != "$expected" ]]; then
        fail "$proxy: $name: $status, not $expected"
    elif (($(requests) != before + due)); then
        fail "$proxy: $name: $status, and $(($(requests) - before)) requests at the store"
    else
        pass "$proxy: $name"
    fi
}
requests() { wc -l <"$state/store/requests"; }
last() { tail -n 1 "$state/store/requests" | tell "$@"; }

# is NAME EXPECTED VALUE
is() { if [[ $3 == "$2" ]]; then pass "$proxy: $1"; else fail "$proxy: $1: $3, not $2"; fi; }

# odd PATH: nothing is stored elsewhere than below /acme, however a server reads the path. It is refused with 403 where
# $answers says nothing else; versions of Traefik differ in what they make of a path before they ask.
declare -A answers=(
    ['caddy /acme/x#y']=201
    ['envoy /acme/x#y']=400
    ['envoy /acme/#/../../other/x']=400
)
odd() {
    local expected=${answers["$proxy $1"]:-403} before status lands=
    before=$(requests)
    status=$(send "$build_token" "${upload[@]}" --request-target "$1" "$store")
    (($(requests) == before)) || lands=$(last lands)
    if [[ -n $lands && $lands != /acme/* ]]; then
        fail "$proxy: $1 lands at $lands"
    elif [[ $proxy == traefik && (-n $lands || $status == 4??) || $status == "$expected" ]]; then
        pass "$proxy: $1 $([[ -n $lands ]] && echo stays below /acme || echo is refused)"
    else
        fail "$proxy: $1: $status, not $expected"
    fi
}

# knows NAME CREDENTIAL: the store received of its last request what buildpass itself says, and nothing else.
knows() {
    curl --silent --fail --output /dev/null --dump-header "$state/identity" --request PUT \
        --header 'X-Original-Method: PUT' --header 'X-Original-URI: /acme/app.tgz' --header 'X-Original-Host: a' \
        --header 'X-Forwarded-Method: PUT' --header 'X-Forwarded-Uri: /acme/app.tgz' --header 'X-Forwarded-Host: a' \
        --config <(printf 'header = "Authorization: Bearer %s"\n' "$2") "$issuer/authz/store/acme/app.tgz" ||
        fail "$proxy: $1: buildpass says nothing"
    check "$proxy: $1" python3 -c 'import json,sys
sent = {}
for line in open(sys.argv[1]):
    name, _, value = line.partition(":")
    sent[name.lower()] = [value.strip()]
received = json.loads(open(sys.argv[2]).readlines()[-1])["headers"]
sent, received = ({name: values for name, values in headers.items() if name.startswith("x-buildpass-") and values != [""]}
    for headers in (sent, received))
if sent != received or len(sent) < 6: sys.exit(f"sent {sent}, received {received}")' "$state/identity" "$state/store/requests"
}

npm_publish() { (cd "$state/job/npm" && env -i PATH="$PATH" HOME="$state/job" npm publish --loglevel=error); }
twine_upload() {
    env -i PATH="$PATH" HOME="$state/job" TWINE_USERNAME=__token__ TWINE_PASSWORD="$1" twine upload \
        --non-interactive --disable-progress-bar --repository-url "$store/legacy/" "$state"/packages/*.whl
}

# spoofed JOINT JOINT: the identity headers as a client makes them up.
spoofed() {
    local name
    headers=()
    for name in User Subject Provider Scopes Grant Key Build; do headers+=(--header "X$1Buildpass$2$name: root"); done
}

try() {
    local headers others path waited=0
    mkdir "$state/server" "$state/job" "$state/job/npm" "$state/store" "$state/packages"
    : >"$state/store/requests"
    printf '[forward_auth]\nproxy = "%s"\n' "$proxy" >"$state/server/buildpass.toml"
    serve "$state/server.log"
    buildpass exchange apply "$here/forward_auth.rules.toml" >/dev/null || give_up "$proxy: no grant"
    register_build
    python3 -B "$here/python/store.py" "$state/store" "$state/store.port" &
    pids+=($!)
    until_ready "$state/store.port" '^[0-9]+$'
    port=$(free_port)
    store=http://127.0.0.1:$port
    begin
    until [[ $(send '' "$store/") == 401 ]]; do
        ((++waited <= 100)) || give_up "$proxy: not ready: $(tail -n 2 "$state/proxy.log" | without_secrets)"
        sleep 0.1
    done

    build_token=$(token https://store.example.com)
    printf 'a package\n' >"$state/packages/app.tgz"
    upload=(--upload-file "$state/packages/app.tgz")
    through 201 'curl uploads with the token itself' "$build_token" "${upload[@]}" "$store/acme/app.tgz"
    knows 'the store hears who it is' "$build_token"
    spoofed - -
    through 201 'curl uploads, and makes an identity up' "$build_token" "${upload[@]}" "${headers[@]}" \
        "$store/acme/app.tgz"
    knows 'the store does not hear it' "$build_token"
    for path in '_ _' '- _' '_ -'; do
        # shellcheck disable=SC2086
        spoofed $path
        through 201 "curl uploads, and writes it X${path/ /Buildpass}User" "$build_token" "${upload[@]}" \
            "${headers[@]}" "$store/acme/app.tgz"
        knows 'the store does not hear it' "$build_token"
    done
    through 201 'curl uploads, and would have the identity dropped' "$build_token" "${upload[@]}" \
        --header 'Connection: close, X-Buildpass-User, X-Buildpass-Grant, X-Forwarded-Uri' "$store/acme/app.tgz"
    knows 'the store hears who it is all the same' "$build_token"
    through 201 'curl uploads with the token as X-NuGet-ApiKey' '' "${upload[@]}" "$store/acme/app.tgz" \
        --config <(printf 'header = "X-NuGet-ApiKey: %s"\n' "$build_token")
    if grep -qiE '"(authorization|x-nuget-apikey)"|eyJ' "$state/store/requests"; then
        fail "$proxy: the store saw a credential"
    else
        pass "$proxy: the store sees no credential"
    fi
    head -c 8000000 /dev/zero >"$state/packages/large"
    through 201 'curl uploads much' "$build_token" --upload-file "$state/packages/large" "$store/acme/large"
    is 'the store has all of it' 8000000 "$(last bytes)"
    through 401 'nothing without a credential' '' "${upload[@]}" "$store/acme/app.tgz"
    is 'the client hears what to send' 1 "$(grep -ciE '^www-authenticate: Basic realm="buildpass"' "$state/head")"
    through 403 'nothing outside what the condition allows' "$build_token" "${upload[@]}" "$store/other/app.tgz"
    through 404 'a GET gets through' "$build_token" "$store/"
    is 'the store got it' 'GET /' "$(last method) $(last target)"
    for path in '/acme/../other/x' '/acme/%2e%2e/other/x' '/acme/.%2e/other' '/acme//x' '/acme/./x' '/acme%2fx' \
        '/acme%2Fx' '/acme/%5c..%5cother' '/acme/x%0a' '/acme/%c0%ae' '/acme/..' '//acme/x' '/acme/..;/other/x' \
        '/acme;v=1/x' '/acme/x#y' '/acme/#/../../other/x'; do
        odd "$path"
    done
    others=()
    for _ in 1 2; do
        others+=(--header 'X-Forwarded-Uri: /acme/x' --header 'X-Original-URI: /acme/x')
        others+=(--header 'X-Original-Method: GET' --header 'X-Forwarded-Method: GET')
    done
    through 403 "other proxies' headers open nothing" "$build_token" "${upload[@]}" "${others[@]}" "$store/other/x"
    through 201 "other proxies' headers close nothing" "$build_token" "${upload[@]}" "${others[@]//acme/other}" \
        "$store/acme/x"

    curl --silent --fail --output "$state/key.json" --config <(printf 'data = "subject_token=%s"\n' "$build_token") \
        --data 'grant_type=urn:ietf:params:oauth:grant-type:token-exchange' \
        --data 'subject_token_type=urn:ietf:params:oauth:token-type:id_token' "$issuer/oauth/token" ||
        give_up "$proxy: no key"
    key=$(tell access_token <"$state/key.json")
    through 401 'the token was redeemed for a key' "$build_token" "${upload[@]}" "$store/acme/app.tgz"
    through 201 'curl uploads with the key' "$key" "${upload[@]}" "$store/acme/app.tgz"
    knows 'the store hears which key it is' "$key"

    printf '{"name":"acme-app","version":"1.0.0"}\n' >"$state/job/npm/package.json"
    printf 'registry=%s/\n//127.0.0.1:%s/:_authToken=%s\nupdate-notifier=false\n' "$store" "$port" "$key" \
        >"$state/job/npm/.npmrc"
    check "$proxy: npm publish, its token as Bearer" npm_publish
    is 'the store has what npm publishes' 'PUT /acme-app' "$(last method) $(last target)"
    printf '{"name":"@acme/app","version":"1.0.0"}\n' >"$state/job/npm/package.json"
    check "$proxy: npm publish within a scope" npm_publish
    is 'the store has it' 'PUT /@acme%2fapp' "$(last method) $(last target)"
    printf '{"name":"@other/app","version":"1.0.0"}\n' >"$state/job/npm/package.json"
    refuses "$proxy: npm publishes nothing within another scope" '403' npm_publish
    python3 -B "$here/python/packages.py" "$state/packages"
    check "$proxy: twine upload, its token as the password of Basic" twine_upload "$key"
    is 'the store has what twine uploads' 'POST /legacy/' "$(last method) $(last target)"
    refuses "$proxy: twine uploads nothing with a key of nobody" '401' twine_upload bpk_nothing

    # Each proxy has its own word for an error.
    is 'has nothing against the sample' '' "$(grep -iE 'deprecated|level"?[=:]"?error|\[(emerg|alert|crit|critical|error)\]|\bERR\b' \
        "$state/proxy.log" || true)"
    finish_build
    through 401 'the key is revoked when the build is finished' "$key" "${upload[@]}" "$store/acme/app.tgz"
    end_others
    stop "$proxy: the server stops at SIGTERM"
    no_secret_logged "$proxy: logs"
    rm -rf "${state:?}"/*
}

(($#)) || fail 'no proxy is named'
for proxy; do
    printf '\n# %s\n' "$proxy"
    case $proxy in
        nginx | caddy) program=$proxy ;;
        envoy) program=${ENVOY:-envoy} ;;
        traefik) program=${TRAEFIK:-traefik} ;;
        *) fail "$proxy: there is no such sample"; continue ;;
    esac
    if command -v "$program" >/dev/null; then try; else fail "runtime: $proxy is missing"; fi
done

((failed == 0))
