#!/usr/bin/env python3
"""Holds the house in order: includes point downwards only. Prints each that does not, and fails.

A room is a folder of src/ (apps/ is the topmost). Public headers belong to a room too. Files of more than 500 lines are
named, without failing: they ask to be two.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# From the ground up. Rooms on one line do not know each other, but for those in BESIDE.
LEVELS = [
    ["base"],
    ["array"],
    ["kernels"],
    ["ops"],
    ["graph"],
    ["transform"],
    ["nn", "optim"],
    ["io", "data"],
    ["train"],
    ["tables"],
    ["apps"],
]
BESIDE = {("optim", "nn"), ("data", "io")}
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
ONLY_ON = {"io": {"base", "array"}}

# The room of each public header; its declarations are what that room defines.
PUBLIC = {
    "error.h": "base",
    "threads.h": "base",
    "version.h": "base",
    "dtype.h": "base",
    "array.h": "array",
    "ops.h": "ops",
    "ops_attention.h": "ops",
    "ops_pool.h": "ops",
    "ops_window.h": "ops",
    "ops_pool.h": "ops",
    "precision.h": "ops",
    "random.h": "ops",
    "transform.h": "transform",
    "module.h": "nn",
    "module_inl.h": "nn",
    "reflect.h": "nn",
    "nn.h": "nn",
    "nn_attention.h": "nn",
    "nn_convolution.h": "nn",
    "nn_normalization.h": "nn",
    "nn_picture.h": "nn",
    "augment.h": "nn",
    "nn_picture.h": "nn",
    "nn_sequence.h": "nn",
    "nn_table.h": "nn",
    "network_gpt.h": "nn",
    "network_tagger.h": "nn",
    "networks.h": "nn",
    "init.h": "nn",
    "loss.h": "nn",
    "loss_picture.h": "nn",
    "loss_sequence.h": "nn",
    "optim.h": "optim",
    "schedule.h": "optim",
    "minimize.h": "optim",
    "augment.h": "nn",
    "data.h": "data",
    "schema.h": "data",
    "checks.h": "data",
    "io.h": "io",
    "numbers.h": "io",
    "assessment.h": "train",
    "metrics.h": "train",
    "train.h": "train",
    "tabular.h": "tables",
    "pellucid.h": "apps",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)
LONG = 500


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [Path(name) for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def room_of(path):
    """The room a file of the project stands in; None where anything may be included (tests, benchmarks)."""
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "pellucid"):
        return PUBLIC.get("/".join(parts[2:]), "unknown")
    return {"apps": "apps"}.get(parts[0])


def target_of(include):
    """The room that an include reaches, or None where it is not of the project."""
    if include.startswith("pellucid/"):
        name = include.removeprefix("pellucid/")
        return PUBLIC.get(name, "unknown") if (ROOT / "include" / include).exists() else None
    first = include.split("/")[0]
    return first if first in LEVEL and "/" in include else None


def complaint(path, include):
    """What is wrong with this include, or None."""
    room, target = room_of(path), target_of(include)
    if path.parts[0] == "examples" and target and not include.startswith("pellucid/"):
        return "an example includes public headers only"
    if path.parts[0] == "include" and target and not include.startswith("pellucid/"):
        return "a public header includes public headers only"
    if room is None or target is None or target == room or "unknown" in (room, target):
        return None
    if room in ONLY_ON and target not in ONLY_ON[room]:
        return f"{room} may include {' and '.join(sorted(ONLY_ON[room]))} only"
    if LEVEL[target] > LEVEL[room]:
        return f"{room} lies below {target}"
    if LEVEL[target] == LEVEL[room] and (room, target) not in BESIDE:
        return f"{room} and {target} stand beside each other"
    return None


def main():
    wrong = []
    long = []
    for path in tracked():
        if path.suffix not in {".h", ".cpp", ".inl"}:
            continue
        text = (ROOT / path).read_text()
        lines = text.count("\n")
        if lines > LONG:
            long.append(f"{path}: {lines} lines")
        if path.parts[0] == "src" and len(path.parts) > 2 and path.parts[1] not in LEVEL:
            wrong.append(f"{path}: src/{path.parts[1]} is not a room: name it in LEVELS of scripts/check_layers.py")
            continue
        if room_of(path) == "unknown":
            wrong.append(f"{path}: this public header has no room: name it in PUBLIC of scripts/check_layers.py")
        for match in INCLUDE.finditer(text):
            reason = complaint(path, match[1])
            if reason:
                line = text.count("\n", 0, match.start()) + 1
                wrong.append(f'{path}:{line}: #include "{match[1]}": {reason}')
    for note in long:
        print(f"long: {note}")
    for error in wrong:
        print(error)
    print(f"layers: {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
