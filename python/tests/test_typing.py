"""Type checkers see the package as it is: a program passes mypy --strict, and its errors are found."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("typed_program.py")
WRONG = [
    ("pl.nn.Conv2d(3, 8, (3, 3), p", "pl.nn.Conv2d(3, 8, (3, 'three'), p", "[arg-type]"),
    ("count: int = net.parameter_count()", "count: str = net.parameter_count()", "[assignment]"),
    ("pl.nn.Linear(16, 1)", "pl.nn.Linear(16, outputs='one')", "[arg-type]"),
    ("max_epochs=5, on_epoch", "epochs=5, on_epoch", "[call-arg]"),
    ("reason: str = result.reason", "reason: str = result.raeson", "[attr-defined]"),
    ("pl.zeros(1)", "pl.zeroes(1)", "[attr-defined]"),
]


def mypy(path, cache):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", cache, path]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=path.parent).stdout


def test_a_program_passes_and_each_error_in_it_is_found(tmp_path):
    good = tmp_path / "good.py"
    good.write_text(PROGRAM.read_text())
    assert mypy(good, tmp_path / "cache") == ""
    bad = tmp_path / "bad.py"
    text = PROGRAM.read_text()
    for right, wrong, _ in WRONG:
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    bad.write_text(text)
    said = mypy(bad, tmp_path / "cache").splitlines()
    lines = text.splitlines()
    for _, wrong, kind in WRONG:
        line = next(i for i, t in enumerate(lines, 1) if wrong in t)
        assert any(s.startswith(f"bad.py:{line}: ") and kind in s for s in said), (wrong, said)
