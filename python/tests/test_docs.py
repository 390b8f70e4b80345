"""The examples of the documents run as printed; every public name says what it is; numbers the documents give hold."""

import contextlib
import inspect
import io
import pathlib
import re
import subprocess
import sys

import pytest

import pellucid as pl
import pellucid.compat.tensorflow as tf
import pellucid.typing

ROOT = pathlib.Path(__file__).parents[2]


def blocks(path, begin, end):
    text = (ROOT / path).read_text()
    text = text[text.index(begin) : text.index(end, text.index(begin) + 1)]
    return re.findall(r"```python\n(.*?)```", text, re.S)


def test_the_readmes_first_example_runs_as_printed(tmp_path):
    text = (ROOT / "README.md").read_text()
    first = re.search(r"```python\n(.*?)```\n\n    (.*?)\n", text, re.S)
    program = tmp_path / "first.py"
    program.write_text(first.group(1))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == ""
    said = done.stdout.splitlines()[0]
    without_time = lambda line: re.sub(r" in [\d.]+ \w+$", "", line)  # noqa: E731
    assert without_time(said) == without_time(first.group(2))


def test_the_guides_examples_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, names = blocks("docs/python.md", "## How it is used", "## Design"), {}
    assert len(found) >= 7
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for block in found:
            exec(compile(block, "docs/python.md", "exec"), names)
    assert names["value"].item() < 0.3 and "hidden" in out.getvalue()


MODULES = [pl, pl.nn, pl.optim, pl.loss, pl.schedule, pl.metrics, pl.init, pl.data, pl.io, pl.random, pl.augment,
           pl.estimators, pellucid.typing, tf, tf.nn, tf.math, tf.random, tf.optimizers, tf.keras]


def public(module):
    names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
    return [(n, getattr(module, n)) for n in names if not inspect.ismodule(getattr(module, n))]


def words(value):
    """The docstring without the signatures that nanobind puts before it."""
    lines = (inspect.getdoc(value) or "").splitlines()
    return " ".join(line for line in lines if not re.match(r"^(\d+\. )?``?\w+\(|^\w+\(.*\) -> |^Overloaded function", line))


CONSTANTS = (float, int, str, type(None), type(pl.float32))


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_help_says_something_on_every_public_name(module):
    silent = []
    assert len(words(module)) > 40
    for name, value in public(module):
        if isinstance(value, CONSTANTS) or name == "Any":
            continue
        if len(words(value)) < 8:
            silent.append(name)
        if not inspect.isclass(value) or issubclass(value, BaseException):
            continue
        for member in dir(value):
            attribute = inspect.getattr_static(value, member)
            if member.startswith("_"):
                continue
            said = words(attribute if isinstance(attribute, property) else getattr(value, member))
            if len(said) < 8 and (callable(attribute) or inspect.ismethoddescriptor(attribute) or not said):
                silent.append(f"{name}.{member}")
    assert not silent, f"{len(silent)} names without help: {', '.join(silent)}"


def test_every_layer_of_the_engine_has_a_class():
    assert not set(pl.nn.layer_types()) - set(pl.nn.__all__)


def test_nothing_but_what_belongs_there_is_public():
    strangers = {n for n, v in public(pl) if inspect.isfunction(v) and not v.__module__.startswith("pellucid")}
    assert not strangers
    assert not {n for n in dir(pl) if not n.startswith("_") and n in ("functools", "json", "os", "sys")}


def test_the_import_brings_numpy_alone():
    program = ("import sys, numpy; before = set(sys.modules); import pellucid; "
               "print({m.split('.')[0] for m in set(sys.modules) - before})")
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert eval(out) <= {"pellucid", "numpy", "__future__", "json", "_json", "atexit", "typing", "collections", "importlib", "functools",
                         "nanobind", "decimal", "numbers", "_decimal", "dataclasses", "copy", "inspect", "dis", "opcode",
                         "_opcode", "ast", "_ast", "linecache", "tokenize", "token"}, out


def test_files_that_the_documents_name_are_there():
    here = {path.name for folder in ("tests", "python", "scripts", "src", "bench", "examples") for path in (ROOT / folder).rglob("*.*")}
    missing = []
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "python" / "tests" / "oracles").glob("*.py")]:
        named = re.findall(r"\b(\w+_test\.cpp|test_\w+\.py)\b|(?<!build/release/)\btests/(\w+_test)\b(?!\.)", path.read_text())
        missing += [f"{path.name}: {a or b + '.cpp'}" for a, b in named if (a or b + ".cpp") not in here]
    assert [m for m in missing if not re.search(": [xy]_test", m)] == []  # x_test.cpp stands for any
