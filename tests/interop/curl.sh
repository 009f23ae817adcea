#!/usr/bin/env bash
# Jobs that have curl and nothing else. Prints one line a case, `ok NAME` or `not ok NAME: why`, never a token.
#
# Usage: curl.sh AUDIENCES_FILE, with BUILDPASS_… and VELA_ID_TOKEN_REQUEST_{URL,TOKEN} in the environment, and TELL
# set to the path of tell.mjs.
set -euo pipefail

audiences=$1
answer=$(mktemp)
head=$(mktemp)
trap 'rm -f "$answer" "$head"' EXIT

# ask SCHEME_AND_TOKEN CURL_ARGUMENTS…: fills $answer and $head, prints the status. The token reaches no command line.
ask() {
    local authorization=$1
    shift
    curl --silent --show-error --max-time 30 --output "$answer" --dump-header "$head" --write-out '%{http_code}' \
        --config <(printf 'header = "Authorization: %s"\n' "$authorization") "$@"
}

# expect NAME WHAT ACTUAL EXPECTED
expect() {
    if [[ $3 == "$4" ]]; then printf 'ok %s\n' "$1"; else printf 'not ok %s: %s is %s, not %s\n' "$1" "$2" "$3" "$4"; fi
}

# granted NAME STATUS HOW AUDIENCE_AS_JSON: the answer holds a token for exactly this audience.
# HOW: `raw`, or the member of the JSON answer that holds the token.
granted() {
    local name=$1 status=$2 how=$3 audience=$4 token
    if [[ $status != 200 ]]; then
        printf 'not ok %s: status %s: %s\n' "$name" "$status" "$(tr -s '[:space:]' ' ' <"$answer")"
        return
    fi
    if [[ $how == raw ]]; then token=$(<"$answer"); else token=$(node "$TELL" "$how" <"$answer"); fi
    expect "$name" aud "$(node "$TELL" --audience <<<"$token")" "$audience"
}

bearer="Bearer $BUILDPASS_ID_TOKEN_REQUEST_TOKEN"
url=$BUILDPASS_ID_TOKEN_REQUEST_URL
vela_bearer="Bearer $VELA_ID_TOKEN_REQUEST_TOKEN"

# Every audience in three ways: encoded by curl; raw in the answer; and in Vela's form, whose clients append a query.
count=$(node "$TELL" --count <"$audiences")
for ((i = 0; i < count; i++)); do
    name=$(node "$TELL" "$i" name <"$audiences")
    audience=$(node "$TELL" "$i" audience <"$audiences")
    expected=$(node -p 'JSON.stringify(process.argv[1])' -- "$audience")
    status=$(ask "$bearer" --get --data-urlencode "audience=$audience" "$url")
    granted "audience: $name" "$status" value "$expected"
    status=$(ask "$bearer" --get --data-urlencode "audience=$audience" "$url&format=raw")
    granted "format=raw: $name" "$status" raw "$expected"
    status=$(ask "$vela_bearer" --get --data-urlencode "audience=$audience" "$VELA_ID_TOKEN_REQUEST_URL")
    granted "Vela's URL: $name" "$status" token "$expected"
done

status=$(ask "$bearer" "$url&audience=https://example.com:8443/a/b?c")
granted 'an audience that nobody encoded' "$status" value '"https://example.com:8443/a/b?c"'
status=$(ask "$bearer" "$url&audience=a+b")
granted 'a plus in the query is a space' "$status" value '"a b"'
status=$(ask "$bearer" "$url&audience=a%20b")
granted '%20 in the query is a space' "$status" value '"a b"'
status=$(ask "$bearer" "$url&audience=a&audience=b&audience=a")
granted 'several audiences, each once' "$status" value '["a","b"]'
status=$(ask "bearer $BUILDPASS_ID_TOKEN_REQUEST_TOKEN" "$url&audience=a")
granted 'the scheme in lower case' "$status" value '"a"'
status=$(ask "$bearer" --request POST --data '' "$url&audience=a")
granted 'POST' "$status" value '"a"'
status=$(ask "$bearer" --header 'Accept: text/html' --header 'Content-Type: application/xml' "$url&audience=a&x=y")
granted 'odd headers and unknown query keys' "$status" value '"a"'
status=$(ask "$vela_bearer" "$VELA_ID_TOKEN_REQUEST_URL?audience=a")
expect "Vela's answer: token and value are the same" value "$(node "$TELL" value <"$answer")" "$(node "$TELL" token <"$answer")" |
    sed 's/eyJ[A-Za-z0-9_.-]*/[token]/g'

ask "$bearer" "$url&audience=a&format=raw" >/dev/null
expect 'format=raw: text/plain' type "$(sed -nE 's/^content-type: *([^;]*[^;[:space:]]).*$/\1/Ip' "$head")" text/plain
expect 'format=raw: no line end' 'the number of line ends' "$(wc -l <"$answer")" 0
expect 'a token is not to be stored' Cache-Control "$(sed -nE 's/^cache-control: *([^[:space:]]*).*$/\1/Ip' "$head")" no-store

expect 'no audience' status "$(ask "$bearer" "$url")" 400
expect 'no audience: the code' code "$(node "$TELL" code <"$answer")" audience_required
expect 'HEAD mints nothing' status "$(ask "$bearer" --head "$url&audience=a")" 405
expect 'a wrong token' status "$(ask "Bearer bpr_$(printf 'A%.0s' {1..43})" "$url&audience=a")" 401
expect "Vela's refusal has a string for its client" type \
    "$(ask 'Bearer wrong' "$VELA_ID_TOKEN_REQUEST_URL?audience=a" >/dev/null; node -p 'typeof JSON.parse(require("fs").readFileSync(0)).error' <"$answer")" string
