#!/usr/bin/env python3
"""Has clang++-19 read every file of a build without making code of it, with warnings as errors. Prints what it says.

Usage: check_clang.py build/release [jobs]
"""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CLANG = "clang++-19"
# libstdc++ 12's own stable_sort calls what it marks as deprecated; g++ warns of the rest.
ADDED = ["-fsyntax-only", "-Werror", "-Wno-deprecated-declarations"]
# Options that clang lacks: how many values follow each.
DROPPED = {"-o": 1, "-c": 0, "-fno-semantic-interposition": 0, "-fschedule-insns": 0, "-fsched-pressure": 0}


def command(entry):
    """The build's command for one file as one for clang that only checks."""
    words = shlex.split(entry["command"])
    while not words[0].endswith(("++", "cc", "g++-12")) or "ccache" in words[0]:
        words.pop(0)
    kept = []
    skip = 0
    for word in words[1:]:
        if skip:
            skip -= 1
        elif word in DROPPED:
            skip = DROPPED[word]
        else:
            kept.append(word)
    return [CLANG, *kept, *ADDED]


def check(entry):
    run = subprocess.run(command(entry), cwd=entry["directory"], capture_output=True, text=True)
    if run.returncode != 0:
        print(run.stdout + run.stderr, end="", flush=True)
    return run.returncode == 0


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    entries = json.loads((Path(sys.argv[1]) / "compile_commands.json").read_text())
    jobs = int(sys.argv[2]) if len(sys.argv) == 3 else os.cpu_count()
    with ThreadPoolExecutor(jobs) as pool:
        passed = sum(pool.map(check, entries))
    print(f"clang: {passed} of {len(entries)} files without warnings")
    return 0 if passed == len(entries) else 1


if __name__ == "__main__":
    sys.exit(main())
