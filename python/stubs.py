#!/usr/bin/env python3
"""Writes the package's stubs: what the extension holds (_core/*.pyi), and the layers, which are made at import (nn.pyi).

    stubs.py PACKAGE EXTENSION LIBRARY OUT_DIR

The package is put together in OUT_DIR/package by links, imported there, and read by nanobind's stubgen.
"""
import ast
import os
import pathlib
import re
import subprocess
import sys


def link(place, target):
    if place.is_symlink() or place.exists():
        place.unlink()
    place.symlink_to(target.resolve())


def settled(text, extension):
    """What nanobind cannot know: results of any type are Any, and `bool` is Python's, not the engine's type."""
    text = text.replace("def numpy(self) -> object:", "def numpy(self) -> numpy.typing.NDArray[typing.Any]:")
    lines = [re.sub(r"-> object:", "-> typing.Any:", line) for line in text.split("\n")]
    lines = [re.sub(r"(?<![\w.])bool\b", "builtins.bool", line) if " def " in line else line for line in lines]
    text = "\n".join(lines)
    if extension:  # the package has modules of its own by these names: `import *` must not bring the extension's
        text = re.sub(r"from pellucid\._core import \([^)]*\)", lambda m: re.sub(r" as \w+", "", m[0]), text)
    wanted = [f"import {m}" for m in ("builtins", "numpy.typing", "typing") if f"{m}." in text]
    # Annotations that were texts keep the names that the module has for these, without their imports.
    private = {"_Any": "typing", "_Sequence": "collections.abc"}
    wanted += [f"from {m} import {n[1:]} as {n}" for n, m in private.items() if re.search(rf"\b{n}\b", text)]
    end = text.index('"""', text.index('"""') + 3) + 3 if text.startswith('"""') else 0
    return text[:end] + "".join(f"\n{line}" for line in wanted) + "\n" + text[end:]


def main():
    package, extension, library, out = (pathlib.Path(a) for a in sys.argv[1:5])
    at = out / "package" / "pellucid"
    at.mkdir(parents=True, exist_ok=True)
    for old in at.iterdir():
        old.unlink()
    for path in package.iterdir():
        if path.name != "__pycache__":
            link(at / path.name, path)
    link(at / extension.name, extension)
    link(at / "libpellucid.so.0", library)
    environment = {**os.environ, "PYTHONPATH": str(at.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-P"]
    subprocess.run([*command, "-m", "pellucid._core", "-r", "-O", str(out)], check=True, env=environment)
    subprocess.run([*command, "-m", "pellucid.nn", "-o", str(out / "nn.pyi")], check=True, env=environment)
    for path in [*out.glob("_core/*.pyi"), out / "nn.pyi"]:
        text = settled(path.read_text(), path.parent.name == "_core")
        ast.parse(text, str(path))
        path.write_text(text)


main()
