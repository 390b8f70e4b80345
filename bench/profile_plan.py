#!/usr/bin/env python3
"""Sums the time of a plan's steps by kind, from what bench/steps prints of a plan.

Usage: PELLUCID_PROFILE=1 PELLUCID_EXPLAIN=1 build/release/bench/steps gpt_b4 2>&1 | python3 bench/profile_plan.py
"""

import re
import sys
from collections import defaultdict

STEP = re.compile(r"^\s*\d+\s+\d+ B\s+(\d+) op\s+([\d.]+) us\s+(.*)$")
KINDS = ("contract", "convolve_input", "convolve_weight", "convolve", "scan", "attention_gradient", "attention",
         "window", "take", "scatter_add", "concat", "split", "copy", "reshape")


def kind_of(text):
    name = text.split()[0].rstrip(",")
    for kind in KINDS:
        if name.startswith(kind):
            return "copy" if kind in ("reshape", "concat", "split") else kind
    return "update" if " groups: fma" in text else "elementwise and reductions"


def main():
    times, operations, counts = defaultdict(float), defaultdict(int), defaultdict(int)
    for line in sys.stdin:
        found = STEP.match(line)
        if not found:
            if line.startswith("{"):
                print(line.rstrip())
            continue
        kind = kind_of(found[3])
        times[kind] += float(found[2])
        operations[kind] += int(found[1])
        counts[kind] += 1
    whole = sum(times.values())
    if whole == 0:
        sys.exit("profile_plan: no step with a time; set PELLUCID_PROFILE=1 and PELLUCID_EXPLAIN=1")
    for kind, us in sorted(times.items(), key=lambda pair: -pair[1]):
        rate = f"{operations[kind] / us / 1000:7.1f} GFLOP/s" if kind == "contract" else ""
        print(f"{kind:28} {counts[kind]:4} steps {us:12.0f} us {100 * us / whole:5.1f} %  {rate}")
    print(f"{'together':28} {sum(counts.values()):4} steps {whole:12.0f} us")


if __name__ == "__main__":
    main()
