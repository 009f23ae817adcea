"""Brings the verdicts on every token of the suite together: ours, npm jose's and joserfc's, in one table.

Usage: python verdicts.py VERDICTS_FILE JOSE_FILE JOSERFC_FILE TABLE DIFFERENCES

Prints one line a case, as run.sh counts them. Where one takes what another refuses, DIFFERENCES must say why; the whole
table must be the one that stands in TABLE (with UPDATE=1 it is written there).
"""

import json
import os
import sys

ours_file, jose_file, joserfc_file, table_file, differences_file = sys.argv[1:]


def lines(file):
    with open(file, encoding="utf-8") as text:
        return [json.loads(line) for line in text]


ours = lines(ours_file)[1:]
jose, joserfc = ({row["name"]: row["verdict"] for row in lines(file)} for file in (jose_file, joserfc_file))
with open(differences_file, encoding="utf-8") as text:
    differences = dict(line.rstrip("\n").split(" => ", 1) for line in text if " => " in line)

table, unexplained, laxer = ["token | buildpass | jose | joserfc | why they differ\n"], [], []
for case in ours:
    name = case["name"].replace("\n", "\\n").replace("\0", "\\0")
    verdicts = [case["buildpass"], jose[case["name"]], joserfc[case["name"]]]
    differ = len({verdict == "taken" for verdict in verdicts}) > 1
    why = differences.pop(name, None) if differ else ""
    if why is None:
        unexplained.append(name)
    if verdicts[0] == "taken" and differ:
        laxer.append(name)
    table.append(" | ".join([name, *verdicts, why or ""]).rstrip(" |") + "\n")

if os.environ.get("UPDATE"):
    with open(table_file, "w", encoding="utf-8") as out:
        out.writelines(table)
with open(table_file, encoding="utf-8") as text:
    kept = text.readlines()


def case(name, wrong):
    print(f"not ok {name}: {wrong}" if wrong else f"ok {name}")


case("no token that we take is refused by another", ", ".join(laxer))
case("each token that one takes and another refuses is explained", ", ".join(unexplained))
case("each explanation is of a token with different verdicts", ", ".join(differences))
changed = [new for new, old in zip(table, kept) if new != old]
case("the table is the one that is kept", "".join(changed[:3]) if changed or len(table) != len(kept) else "")
