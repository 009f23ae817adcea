#!/usr/bin/env bash
# Pastes every `sh` block of a page of the manual into one shell, in an empty folder, as its reader would. A command
# after which the page notes a status (`# 403`) must print just that.
#
# Usage: tests/live/manual.sh src/manual/verifier.md
#   BUILDPASS=PATH  the binary; examples/ beside it holds the examples
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
page=$root/${1:?a page}
binary=$(realpath "${BUILDPASS:-$root/target/debug/buildpass}")
folder=$(mktemp -d)
for name in $(compgen -e); do case $name in BUILDPASS*) unset "$name" ;; esac; done
export NO_PROXY='*' no_proxy='*' PATH="$(dirname "$binary"):$(dirname "$binary")/examples:$PATH"
end() {
    local code=$?
    rm -rf "$folder"
    if ((code == 0)); then printf '\n1 passed, 0 failed\n'; else printf '\n0 passed, 1 failed\n'; fi
    exit "$code"
}
awk '/^```sh$/ {on = 1; next} /^```$/ {on = 0} on' "$page" >"$folder/pasted"
[[ -s $folder/pasted ]] || { echo "$page has no sh block"; exit 1; }
# A noted status becomes a check.
echo "trap 'kill \$(jobs -p) 2>/dev/null || true' EXIT" >"$folder/checked"
sed -E 's/^(status .*[^ ]) +# ([0-9]{3})$/[[ $(\1) == \2 ]] || { echo "not \2: \1"; exit 1; }/' "$folder/pasted" >>"$folder/checked"
grep -q '== 4' "$folder/checked" || { echo 'no status is checked'; exit 1; }
cd "$folder"
trap end EXIT
bash -euo pipefail -m checked
