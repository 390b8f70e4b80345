#!/usr/bin/env python3
"""What a run of ctest tried and what it left out: the laws' numbers of cases, and each test that was skipped, with its
reason. Fails where no law told its number.

Usage: tried.py BUILD
"""

import re
import sys
from pathlib import Path

# "threads 1, 2, 3, 7: 30860 cases", "instruction set avx2: digest of 8858 cases with avx2: 7482d3d96549241c"
LAW = re.compile(r"[a-z][^:]*: (?:digest of )?(\d+)(?: cases| combinations| programs|,)")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    log = (Path(sys.argv[1]) / "Testing" / "Temporary" / "LastTest.log").read_text(errors="replace")
    laws, cases, skipped, name = 0, 0, [], ""
    lines = log.splitlines()
    for line, after in zip(lines, lines[1:] + [""]):
        if started := re.match(r"\d+/\d+ Testing: (\S+)", line):
            name = started[1]
        elif skip := re.match(r"\S*?([^/\s]+\.cpp:\d+): Skipped", line):
            skipped.append(f"{skip[1]}: {after}")
        elif name.startswith("laws_") and (law := LAW.match(line)):
            laws, cases = laws + 1, cases + int(law[1])
            print(line)
        elif name.startswith("laws_") and line.startswith("  left out: "):
            print(line)
    print(f"{laws} laws, {cases} cases")
    print("\n".join([f"{len(skipped)} tests skipped"] + [f"  {skip}" for skip in skipped]))
    return 0 if laws else 1


if __name__ == "__main__":
    sys.exit(main())
