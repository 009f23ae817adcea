#!/usr/bin/env bash
# The whole road with clients that we did not write: a build's token, a key for it, a package pushed with the key, and
# where it came from. `gem push`, a NuGet push, and curl, npm and twine through nginx.
#
# Usage: tests/interop/exchange.sh
#   BUILDPASS=PATH   the binary to test
#   EXAMPLES=FOLDER  where gem_server and nuget_feed are; default: examples beside the binary
#
# Needs Debian's ruby, nginx and twine, and npm, python3 and curl. Prints one line a case and closes with `N passed, N
# failed`; it skips nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
passed=0
failed=0
server=
pids=()
# shellcheck source=tests/interop/server.sh
. "$here/server.sh"
tell() { python3 -c 'import json,sys
value = json.load(sys.stdin)
for name in sys.argv[1:]: value = value[int(name) if name.isdigit() else name]
print(value if isinstance(value, str) else json.dumps(value))' "$@"; }

for tool in curl gem nginx npm python3 twine; do
    command -v "$tool" >/dev/null || { fail "runtime: $tool is missing"; exit 1; }
done
binary=$(realpath "$binary")
examples=${EXAMPLES:-$(dirname "$binary")/examples}

umask 077
state=$(mktemp -d)
mkdir "$state/server" "$state/job" "$state/gems" "$state/feed" "$state/store" "$state/packages"
trap 'if ((${#pids[@]})); then kill "${pids[@]}" 2>/dev/null || true; fi; close' EXIT
trap 'exit 1' INT TERM

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

printf '# server\n'
cat >"$state/server/buildpass.toml" <<TOML
[exchange]
rubygems_host = "gems.example.com"
nuget_audience = "https://nuget.example.com"
[forward_auth]
proxy = "nginx"
TOML
serve "$state/server.log"
buildpass() { (cd "$state/server" && "$binary" "$@"); }
check 'roles apply: brings the file in' buildpass roles apply "$here/exchange.rules.toml"
buildpass roles apply "$here/exchange.rules.toml" --json >"$state/applied.json"
if grep -qE '"change": ?"(created|updated|deleted)"' "$state/applied.json"; then
    fail 'roles apply: a second time changes something'
else
    pass 'roles apply: a second time changes nothing'
fi
role=$(tell roles 0 token <"$state/applied.json")
buildpass clients create ci --json >"$state/ci.json"
client_id=$(tell client_id <"$state/ci.json")
client_secret=$(tell client_secret <"$state/ci.json")

# downstream NAME AUDIENCE EXAMPLE FOLDER: a package server that asks buildpass about keys; sets $place.
downstream() {
    buildpass clients create "$1" --scope tokens:introspect,publications:write --audience "$2" --json >"$state/$1.json"
    BUILDPASS_URL=$issuer BUILDPASS_CLIENT_ID=$(tell client_id <"$state/$1.json") \
        BUILDPASS_CLIENT_SECRET=$(tell client_secret <"$state/$1.json") \
        "$examples/$3" "$4" 127.0.0.1:0 >"$state/$1.log" 2>&1 &
    pids+=($!)
    until_ready "$state/$1.log" 'ready: '
    place=$(sed -nE 's/^.* ready: (.*)$/\1/p' "$state/$1.log")
}
downstream gems gems.example.com gem_server "$state/gems"
gem_host=$place
downstream feed https://nuget.example.com nuget_feed "$state/feed"
feed=$place

status=$(api POST /api/v1/builds --header 'Content-Type: application/json' --data '{"org":"acme","org_id":"42",
    "repo":"app","repo_id":"1001","number":1,"event":"push","author":"octocat","ref":"refs/heads/main",
    "sha":"0123456789abcdef0123456789abcdef01234567"}')
[[ $status == 201 ]] || give_up "server: a build was not registered: $status"
cp "$state/answer" "$state/build.json"
build=$(tell id <"$state/build.json")
mapfile -t job < <(python3 -c 'import json,sys
for name, value in json.load(sys.stdin)["env"].items(): print(f"{name}={value}")' <"$state/build.json")
as_job() { env -i PATH="$PATH" HOME="$state/job" LANG=C.UTF-8 "${job[@]}" "$@"; }
token() { as_job "$binary" token request --audience "$1" --format raw 2>/dev/null; }

printf '\n# RubyGems\n'
for name in acme-app acme-extra acme-role acme-other; do
    cat >"$state/packages/$name.gemspec" <<SPEC
Gem::Specification.new do |s|
  s.name = "$name"
  s.version = "1.0.0"
  s.summary = "x"
  s.authors = ["acme"]
  s.files = []
end
SPEC
    (cd "$state/packages" && gem build --silent "$name.gemspec" 2>/dev/null)
done
configure() { as_job python3 -B "$here/python/configure_rubygems.py" "$issuer" "$gem_host" gems.example.com "$@"; }
push() { (cd "$state/packages" && as_job gem push --host "$gem_host" "$1-1.0.0.gem"); }
check 'configure-rubygems-credentials: a trusted publisher' configure
check 'gem push: one gem with the key of one token' push acme-app
check 'gem push: another gem with the same key' push acme-extra
refuses 'gem push: a version that is there' 'Repushing|not allowed|409' push acme-app
refuses 'gem push: a gem that is not the publisher'"'"'s' "doesn't have access" push acme-other
check 'configure-rubygems-credentials: a role' configure "$role"
check 'gem push: with the key of a role' push acme-role
check 'provenance: from the gem back to the build' buildpass provenance acme-app 1.0.0
grep -q '"repo": "acme/app"' "$state/out" && pass 'provenance: the claims name the repository' ||
    fail 'provenance: no repository in the claims'

printf '\n# NuGet\n'
python3 -B "$here/python/packages.py" "$state/packages"
resource() { curl --silent --fail "$1" | python3 -c 'import json,sys
print(next(one["@id"] for one in json.load(sys.stdin)["resources"] if one["@type"].startswith(sys.argv[1])))' "$2"; }
token_service=$(resource "$feed/v3/index.json" TokenService)
publish=$(resource "$feed/v3/index.json" PackagePublish)
[[ $token_service == "$issuer/api/v2/token" ]] && pass 'index: names the token service' || fail "index: $token_service"
curl --silent --fail --user-agent interop --header 'Content-Type: application/json' --output "$state/nuget.json" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$(token https://nuget.example.com)") \
    --data '{"username":"octo","tokenType":"ApiKey"}' "$token_service" || fail 'token service: no key'
nuget_push() {
    curl --silent --show-error --fail --request PUT --form "package=@$state/packages/Acme.Core.1.0.0.nupkg" \
        --config <(printf 'header = "X-NuGet-ApiKey: %s"\n' "$1") "$publish"
}
check 'nuget push: a package with the key of a token' nuget_push "$(tell apiKey <"$state/nuget.json")"
refuses 'nuget push: with a key of nobody' '401' nuget_push bpk_nothing
check 'provenance: of a NuGet package' buildpass provenance acme.core 1.0.0 --ecosystem nuget

printf '\n# forward auth through nginx\n'
python3 -B "$here/python/store.py" "$state/store" "$state/store.port" &
pids+=($!)
until_ready "$state/store.port" '^[0-9]+$'
port=$(python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')
{
    printf 'daemon off;\npid %s/nginx.pid;\nerror_log %s/nginx.log;\nevents {}\nhttp {\naccess_log off;\n' "$state" "$state"
    for kind in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path %s/nginx.%s;\n' "$kind" "$state" "$kind"; done
    sed -e "s|127.0.0.1:8094|127.0.0.1:$port|; s|http://127.0.0.1:8080|$issuer|; s|GRANT|store|" \
        -e "s|127.0.0.1:8095|127.0.0.1:$(<"$state/store.port")|" "$root/examples/forward_auth/nginx.conf"
    printf '}\n'
} >"$state/nginx.conf"
nginx -c "$state/nginx.conf" -e "$state/nginx.log" 2>/dev/null &
pids+=($!)
store=http://127.0.0.1:$port
waited=0
until curl --silent --output /dev/null "$store/"; do
    ((++waited <= 100)) || give_up "nginx: not ready: $(tail -n 2 "$state/nginx.log")"
    sleep 0.1
done

# through STATUS NAME TOKEN CURL_ARGUMENTS…
through() {
    local expected=$1 name=$2 credential=$3 status
    shift 3
    status=$(curl --silent --output "$state/out" --write-out '%{http_code}' --path-as-is \
        --config <(if [[ -n $credential ]]; then printf 'header = "Authorization: Bearer %s"\n' "$credential"; fi) "$@")
    if [[ $status == "$expected" ]]; then pass "$name"; else fail "$name: $status, not $expected"; fi
}
last() { tail -n 1 "$state/store/requests" | tell "$@"; }
build_token=$(token https://store.example.com)
printf 'a package\n' >"$state/packages/app.tgz"
upload=(--upload-file "$state/packages/app.tgz")
through 201 'curl: uploads with the token itself' "$build_token" "${upload[@]}" --header 'X-Buildpass-User: root' \
    "$store/acme/app.tgz"
[[ $(last headers x-buildpass-user) == ci-acme/app ]] && pass 'nginx: tells the store who it is, whatever the client says' ||
    fail "nginx: the store heard $(last headers x-buildpass-user)"
last headers | grep -qi authorization && fail 'nginx: the store saw the credential' || pass 'nginx: the store sees no credential'
through 401 'curl: nothing without a credential' '' "${upload[@]}" "$store/acme/app.tgz"
through 403 'curl: nothing outside what the condition allows' "$build_token" "${upload[@]}" "$store/other/app.tgz"
for path in '/acme/../other/x' '/acme/%2e%2e/other/x' '/acme/.%2e/other' '/acme//x' '/acme/./x' '/acme%2fx' \
    '/acme%2Fx' '/acme/%5c..%5cother' '/acme/x%0a' '/acme/%c0%ae' '/acme/..' '//acme/x'; do
    through 403 "nginx: $path is refused" "$build_token" "${upload[@]}" "$store$path"
done
through 403 'nginx: other proxies'"'"' headers change nothing' "$build_token" "${upload[@]}" \
    --header 'X-Forwarded-Uri: /acme/x' --header 'X-Original-URI: /acme/x' --header 'X-Original-Method: GET' "$store/other/x"

curl --silent --fail --output "$state/key.json" --config <(printf 'data = "subject_token=%s"\n' "$build_token") \
    --data 'grant_type=urn:ietf:params:oauth:grant-type:token-exchange' \
    --data 'subject_token_type=urn:ietf:params:oauth:token-type:id_token' "$issuer/oauth/token" || fail 'token endpoint: no key'
key=$(tell access_token <"$state/key.json")
through 401 'curl: the token was spent for a key' "$build_token" "${upload[@]}" "$store/acme/app.tgz"
through 201 'curl: uploads with the key' "$key" "${upload[@]}" "$store/acme/app.tgz"

mkdir "$state/job/npm"
printf '{"name":"acme-app","version":"1.0.0"}\n' >"$state/job/npm/package.json"
printf 'registry=%s/\n//127.0.0.1:%s/:_authToken=%s\n' "$store" "$port" "$key" >"$state/job/npm/.npmrc"
npm_publish() { (cd "$state/job/npm" && env -i PATH="$PATH" HOME="$state/job" npm publish --loglevel=error); }
check 'npm publish: its token as Bearer' npm_publish
[[ $(last method) == PUT && $(last path) == /acme-app ]] && pass 'npm publish: the store has the package' ||
    fail "npm publish: the store has $(last method) $(last path)"
twine_upload() {
    env -i PATH="$PATH" HOME="$state/job" TWINE_USERNAME=__token__ TWINE_PASSWORD="$1" twine upload \
        --non-interactive --disable-progress-bar --repository-url "$store/legacy/" "$state"/packages/*.whl
}
check 'twine upload: its token as the password of Basic' twine_upload "$key"
[[ $(last method) == POST && $(last path) == /legacy/ ]] && pass 'twine upload: the store has the package' ||
    fail "twine upload: the store has $(last method) $(last path)"
refuses 'twine upload: nothing with a key of nobody' '401' twine_upload bpk_nothing

printf '\n# the end\n'
[[ $(api POST "/api/v1/builds/$build/finish" --header 'Content-Type: application/json' \
    --data '{"status":"success"}') == 204 ]] || fail 'finish'
through 401 'finish: the key is dead at the proxy' "$key" "${upload[@]}" "$store/acme/app.tgz"
refuses 'finish: the key is dead at the gem server' 'opens nothing|Access Denied' push acme-other
kill "${pids[@]}" 2>/dev/null || true
pids=()
stop 'server: it stops when it is told to'
if grep -hqE 'bp[a-z]_[A-Za-z0-9_-]{20}|eyJ[A-Za-z0-9_-]{20}' "$state"/*.log; then
    fail 'logs: a token or a secret'
else
    pass 'logs: no token and no secret'
fi

((failed == 0))
