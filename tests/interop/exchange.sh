#!/usr/bin/env bash
# The whole road with clients that we did not write: a build's token, a key for it, a package pushed with the key, and
# where it came from. `gem push` and a NuGet push; forward_auth.sh has the clients of a store behind a proxy.
#
# Usage: tests/interop/exchange.sh
#   BUILDPASS=PATH   the binary to test
#   EXAMPLES=FOLDER  where gem_server and nuget_feed are; default: examples beside the binary
#
# Needs Debian's ruby, and python3 and curl. Prints one line a case and closes with `N passed, N failed`; it skips
# nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
passed=0
failed=0
server=
# shellcheck source=tests/interop/server.sh
. "$here/server.sh"

for tool in curl gem python3; do
    command -v "$tool" >/dev/null || { fail "runtime: $tool is missing"; exit 1; }
done
binary=$(realpath "$binary")
examples=${EXAMPLES:-$(dirname "$binary")/examples}

umask 077
state=$(mktemp -d)
mkdir "$state/server" "$state/job" "$state/gems" "$state/feed" "$state/packages"
trap close EXIT
trap 'exit 1' INT TERM

printf '# server\n'
cat >"$state/server/buildpass.toml" <<TOML
[exchange]
rubygems_host = "gems.example.com"
nuget_audience = "https://nuget.example.com"
TOML
serve "$state/server.log"
check 'exchange apply: applies the rules file' buildpass exchange apply "$here/exchange.rules.toml"
buildpass exchange apply "$here/exchange.rules.toml" --json >"$state/applied.json"
if grep -qE '"change": ?"(created|updated|deleted)"' "$state/applied.json"; then
    fail 'exchange apply: a second time changes something'
else
    pass 'exchange apply: a second time changes nothing'
fi
role=$(tell roles 0 token <"$state/applied.json")

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

register_build

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

printf '\n# the end\n'
finish_build
refuses 'finish: the key is revoked at the gem server' 'opens nothing|Access Denied' push acme-other
end_others
stop 'server: it stops at SIGTERM'
no_secret_logged logs

((failed == 0))
