"""What there is to compare: operations by section of the page of operations, with the accuracy that it promises."""

import importlib.util
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[3]
PAGE = ROOT / "docs" / "operations.md"


def _generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "python" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def operations():
    """{name: (section, [parameter types], "yes" where it has a derivative)}; random numbers as "random.name"."""
    found, room, section = {}, "", ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            room = "random." if "random.h" in line else "" if "Functions" in line else None
            section = line[3:]
        elif line.startswith("### "):
            section = line[4:]
        match = re.match(r"\| `[^`]*?(\w+)\(", re.sub(r"<[^<>]*>", "", line))
        if room is None or match is None:
            continue
        name = room + match.group(1)
        cells = [c.strip() for c in re.split(r"(?<!\\) \| ", line.strip("| "))]
        kinds = re.findall(r"const Array& \w+(?=[,)])", cells[0])
        derivative = cells[4].strip(" |") if len(cells) > 4 else ""
        found.setdefault(name, (section, len(kinds), derivative == "yes"))
    return found


def ulps():
    """{name: the most error of a float32 result in units in the last place} of primitives; 0 where exact."""
    found, inside = {}, False
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            inside = line == "## Primitives"
        match = re.match(r"\| `(\w+)` .*\| ([\w.]+) \|$", line)
        if inside and match:
            value = match.group(2)
            if value == "exact":
                found[match.group(1)] = 0.0
            elif value[0].isdigit():
                found[match.group(1)] = float(value)
    return found
