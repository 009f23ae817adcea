#!/usr/bin/env bash
# Counts what the voice of CONTRIBUTING forbids and a machine can see, prints each place, and fails if there is any:
# questions in doc comments, docs of public items of fewer than three words, docs that are block comments or attributes,
# long subjects of commits.
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

questions, short, refused = [], [], []

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

# Comments, literals, and attributes that give a doc as a text. Macros may pass a doc on, and a chapter may be included.
lexer = re.compile(
    r"""(?P<line>//[^\n]*)|(?P<block>/\*)|(?P<raw>\b[bc]?r(?P<hashes>#*)".*?"(?P=hashes))|(?P<text>"(?:\\.|[^"\\])*")"""
    r"""|(?P<char>\x27(?:\\.[^\x27]*|[^\x27\\])\x27)|(?P<doc>[\[(,]\s*doc\s*=\s*(?=r?#*"|concat!\([^$]*?\)))""",
    re.DOTALL,
)

def hidden(source):
    """Docs that are written as a block comment or as an attribute, which the counts below would not see."""
    found, at = [], 0
    while match := lexer.search(source, at):
        at = match.end()
        is_doc = match["doc"] is not None
        if match["block"]:
            is_doc = re.match(r"/\*(\*(?![*/])|!)", source[match.start():]) is not None
            depth = 1
            while depth and (sign := re.compile(r"/\*|\*/").search(source, at)):
                depth += 1 if sign.group() == "/*" else -1
                at = sign.end()
            at = len(source) if depth else at
        if is_doc:
            number = source.count("\n", 0, match.start()) + 1
            found.append((number, source.split("\n")[number - 1].strip()))
    return found

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
    refused.extend(f"{path}:{number}: {line}" for number, line in hidden(open(path, encoding="utf-8").read()))
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

counted = (
    ("doc comments with a question", questions),
    ("docs of fewer than three words", short),
    ("docs that are not written as /// or //!", refused),
)
for title, found in counted:
    print(f"{title}: {len(found)}")
    for place in found:
        print(f"  {place}")
sys.exit(1 if any(found for _, found in counted) else 0)
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
