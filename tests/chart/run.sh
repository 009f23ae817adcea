#!/usr/bin/env bash
# Checks the chart: it lints, renders the same bytes twice and as its snapshots say, every manifest fits Kubernetes'
# schemas, and values that cannot work are refused by name.
#
# Usage: tests/chart/run.sh           compares with tests/chart/snapshots
#        UPDATE=1 tests/chart/run.sh  writes them anew
#
# Installs helm (from its Go module) and kubernetes-validate (from PyPI) at pinned versions into cargo's target folder.
# Prints one line a case and closes with `N passed, N failed`; it skips nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
chart=$root/charts/buildpass
scratch=${CARGO_TARGET_DIR:-$root/target}/chart
helm_version=v4.3.1
helm=$scratch/helm-$helm_version/helm
passed=0
failed=0

pass() { printf 'ok %s\n' "$1"; passed=$((passed + 1)); }
fail() { printf 'not ok %s\n' "$1"; failed=$((failed + 1)); }
check() { if "${@:2}" >"$scratch/out" 2>&1; then pass "$1"; else fail "$1: $(tail -n 5 "$scratch/out" | tr '\n' ' ')"; fi; }

mkdir -p "$scratch"
if [[ ! -x $helm ]]; then
    GOBIN=$(dirname "$helm") go install "helm.sh/helm/v4/cmd/helm@$helm_version"
fi
requirements=$here/python/requirements.txt
if ! cmp -s "$requirements" "$scratch/python/installed.txt"; then
    rm -rf "$scratch/python"
    python3 -m venv "$scratch/python"
    "$scratch/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$requirements"
    cp "$requirements" "$scratch/python/installed.txt"
fi

render() { "$helm" template buildpass "$chart" --namespace ci --values "$chart/ci/$1-values.yaml"; }

for values in minimal full sqlite; do
    check "$values values lint" "$helm" lint --strict "$chart" --values "$chart/ci/$values-values.yaml"
    render "$values" >"$scratch/$values.yaml"
    render "$values" >"$scratch/$values.again.yaml"
    check "$values values render twice the same" cmp "$scratch/$values.yaml" "$scratch/$values.again.yaml"
    snapshot=$here/snapshots/$values.yaml
    if [[ ${UPDATE:-} == 1 ]]; then cp "$scratch/$values.yaml" "$snapshot"; fi
    check "$values values render as their snapshot says" diff -u "$snapshot" "$scratch/$values.yaml"
    check "$values manifests fit Kubernetes' schemas" "$scratch/python/bin/kubernetes-validate" --strict "$scratch/$values.yaml"
done

# refused WHAT EXPECTED FLAGS…: rendering fails, and says why.
refused() {
    local what=$1 expected=$2
    shift 2
    if "$helm" template buildpass "$chart" "$@" >"$scratch/out" 2>&1; then
        fail "$what is refused: it was rendered"
    elif grep -qF -- "$expected" "$scratch/out"; then
        pass "$what is refused"
    else
        fail "$what is refused for its reason: $(tail -n 4 "$scratch/out" | tr '\n' ' ')"
    fi
}

minimal=(--values "$chart/ci/minimal-values.yaml")
refused "the default, which names no issuer," "at '/issuer'"
refused "an issuer over plain HTTP" "at '/issuer'" "${minimal[@]}" --set issuer=http://ci.example.com
refused "an issuer with a slash at its end" "at '/issuer'" "${minimal[@]}" --set issuer=https://ci.example.com/
refused "an installation without a key-encryption key's secret" "at '/keys/secret'" "${minimal[@]}" --set keys.secret=
refused "an installation without a key-encryption key" "at '/keys/names'" "${minimal[@]}" --set-json 'keys.names=[]'
refused "PostgreSQL without a URL's secret" "at '/store/urlSecret'" "${minimal[@]}" --set store.urlSecret=
refused "two replicas on SQLite" "at '/replicas'" --values "$chart/ci/sqlite-values.yaml" --set replicas=2
refused "no replica at all" "at '/replicas'" "${minimal[@]}" --set replicas=0
refused "an unknown kind of store" "at '/store/kind'" "${minimal[@]}" --set store.kind=mysql
refused "an API ingress without a host" "at '/api/host'" "${minimal[@]}" --set api.enabled=true
refused "a value that there is not" "additional properties" "${minimal[@]}" --set replica=3

refused "an admin listener that is turned off" "server.admin_listen: the chart sets it" "${minimal[@]}" --set server.admin_listen=
refused "a second [server]" "config: the chart writes [server] itself" "${minimal[@]}" --set-literal $'config=[server]\nadmin_listen = ""'
refused "a duration without a unit" "at '/server/drain_delay'" "${minimal[@]}" --set server.drain_delay=10

# leaves GRACE FLAGS…: a pod that gets the signal to end has so many seconds, which is what its server needs.
leaves() {
    local grace=$1
    shift
    "$helm" template buildpass "$chart" "${minimal[@]}" "$@" >"$scratch/leaving.yaml"
    check "a pod has $grace s to end${*:+ with ${*//--set /}}" \
        "$scratch/python/bin/python3" "$here/python/leaving.py" "$scratch/leaving.yaml" "$grace"
}
leaves 45
leaves 150 --set server.drain_delay=25s --set server.request_timeout=2m
leaves 75 --set server.drain_timeout=1m
leaves 35 --set server.drain_delay=null --set server.request_timeout=null
for values in full sqlite; do
    check "$values values leave a pod the time to end" \
        "$scratch/python/bin/python3" "$here/python/leaving.py" "$scratch/$values.yaml"
done

ingresses=$(sed -n '/^kind: Ingress$/,/^---$/p' "$scratch/full.yaml")
if [[ $ingresses == *buildpass-documents* && $ingresses != *-admin* ]]; then
    pass "no ingress names the admin service"
else
    fail "no ingress names the admin service"
fi
image=$(sed -n 's/^ *image: //p' "$scratch/minimal.yaml" | sort -u)
if [[ $(wc -l <<<"$image") == 1 ]] && grep -qF "$image" "$root/Containerfile" && grep -qF "image: $image" "$root/examples/compose/compose.yaml"; then
    pass "the image is the one that the Containerfile builds and the compose example runs"
else
    fail "the image is the one that the Containerfile builds and the compose example runs: $image"
fi

printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
