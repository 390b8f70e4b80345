#!/usr/bin/env python3
"""Writes the package's stubs: what the extension holds (_core/*.pyi), and the layers, which are made at import (nn.pyi).

    stubs.py PACKAGE EXTENSION LIBRARY OUT_DIR

The package is put together in OUT_DIR/package by links, imported there, and read by nanobind's stubgen.
"""
import ast
import os
import pathlib
import subprocess
import sys


def link(place, target):
    if place.is_symlink() or place.exists():
        place.unlink()
    place.symlink_to(target.resolve())


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
        ast.parse(path.read_text(), str(path))


main()
