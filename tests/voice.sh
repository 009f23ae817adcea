#!/usr/bin/env bash
# Counts what the voice of CONTRIBUTING forbids and a machine can see, prints each place, and fails if there is any:
# questions in doc comments, docs of public items of fewer than three words, long subjects of commits.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Subjects are checked from the commit after this one; of a clone that lacks it, the commits that are there.
since=f463c6b738e2077ef42f7224ca787426b3129a09
longest=72

range=$since..HEAD
if ! git merge-base --is-ancestor "$since" HEAD 2>/dev/null; then
    echo "this clone lacks commit $since: only the subjects of its last 20 commits are checked"
    range="--max-count=20 HEAD"
fi

docs() {
    git ls-files '*.rs' | python3 -c '
import re, sys

questions, short = [], []

def prose(lines):
    """The text of a doc comment without fenced code, code spans and addresses, line by line."""
    kept, fenced = [], False
    for number, text in lines:
        if text.lstrip().startswith("```"):
            fenced = not fenced
            text = ""
        kept.append((number, "" if fenced else text))
    whole = "\n".join(text for _, text in kept)
    blank = lambda match: re.sub(r"[^\n]", "x", match.group())
    whole = re.sub(r"(`+)[^`]*\1", blank, whole)
    whole = re.sub(r"https?://\S+", blank, whole)
    return [(number, text) for (number, _), text in zip(kept, whole.split("\n"))]

# Items that are private: their docs may be short. Variants, fields of variants and arguments of commands are not.
private = re.compile(r"\s*(pub\(|(async |const |unsafe )*fn |(struct|enum|union|trait|type|const|static|mod|macro_rules!|impl) ?)")

def close(path, block, outer, item):
    if not block:
        return
    text = prose(block)
    questions.extend(
        f"{path}:{number}: {original.strip()}" for (number, line), (_, original) in zip(text, block) if "?" in line
    )
    summary = []
    for (_, line), (_, original) in zip(text, block):
        if not line.strip() and summary:
            break
        summary += [word for word in original.split() if any(letter.isalnum() for letter in word)]
    if outer and not private.match(item) and len(summary) < 3:
        short.append(f"{path}:{block[0][0]}: {block[0][1].strip()}")

for path in sys.stdin.read().split():
    block, outer, after = [], False, False
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        found = re.match(r"\s*//([/!])(?!/)(.*)", line)
        if found:
            is_outer = found.group(1) == "/"
            if block and (is_outer != outer or after):
                close(path, block, outer, "")
                block = []
            block.append((number, found.group(2)))
            outer, after = is_outer, False
        elif block and re.match(r"\s*(#\[|[)\]]+,?$)", line):
            after = True
        else:
            close(path, block, outer, line)
            block, after = [], False
    close(path, block, outer, "")

for title, found in (("doc comments with a question", questions), ("docs of fewer than three words", short)):
    print(f"{title}: {len(found)}")
    for place in found:
        print(f"  {place}")
sys.exit(1 if questions or short else 0)
'
}

subjects() {
    local long
    # shellcheck disable=SC2086
    long=$(git log --no-merges --format='%h %s' $range | awk -v longest="$longest" \
        '{hash = $1; sub(/^[^ ]+ /, "")} length($0) > longest {print "  " hash " " $0}')
    printf 'commit subjects over %s characters: %s\n' "$longest" "$(grep -c . <<<"$long" || true)"
    [[ -z $long ]] || { printf '%s\n' "$long"; return 1; }
}

code=0
docs || code=1
subjects || code=1
exit "$code"
