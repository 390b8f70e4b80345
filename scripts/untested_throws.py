#!/usr/bin/env python3
"""Which errors are thrown by no test: runs the tests of a build and compares what they threw with what the sources can.

Usage: untested_throws.py BUILD [test-name-regex]

A small library, loaded into every test and every program that a test starts, writes down the text of each exception. A
place in the sources counts as tested where a text fits its format string. Places whose text is put together from parts
alone cannot be told apart and are left out.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDER = r"""
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cstdlib>
#include <cxxabi.h>
#include <cstring>
#include <exception>
#include <string>
#include <typeinfo>
extern "C" void __cxa_throw(void* object, std::type_info* type, void (*destroy)(void*)) {
  static const auto next = reinterpret_cast<void (*)(void*, std::type_info*, void (*)(void*))>(dlsym(RTLD_NEXT, "__cxa_throw"));
  const char* folder = std::getenv("PELLUCID_THROWS");
  if (folder != nullptr && std::strstr(type->name(), "pellucid") != nullptr) {
    const std::string path = std::string(folder) + "/" + std::to_string(getpid());
    std::string text = static_cast<std::exception*>(object)->what();
    text += '\0';
    rlimit limit{};  // a test may have set it, in place of a full disk
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit none{limit.rlim_max, limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (file >= 0 && write(file, text.data(), text.size()) < 0) std::abort();
    close(file);
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  next(object, type, destroy);
  std::abort();
}
"""
# What no test can bring about on a machine that runs the tests.
EXCUSED = {
    "pellucid needs a processor with": "the processor would have to lack AVX2",
    "read_pictures: cannot list the folder": "root may list every folder",
    "{}: '{}': not enough memory to read gzip": "zlib's first allocation would have to fail",
    "read_image: '{}': there is not enough memory": "libpng's first allocation would have to fail",
    "{}: no kernel for {}": "a record promises its kernels; the laws run each of them",
    "'{}' holds no pictures; give at least one": "the readers of pictures refuse empty ones before",
    "cannot write the log '{}': {}; choose another place": "the place was looked at before training",
    "cannot lock '{}': {}: choose a folder on a local disk": "the kernel would have to run out of locks",
    "read_csv: '{}': a row is longer than 2 GiB": "two gigabytes would have to be unpacked",
    "{}: '{}': not enough memory to read zstd": "zstd's first allocation would have to fail",
    "a picture for the report could not be compressed": "zlib's allocation would have to fail",
}
# What only Parquet and Arrow files bring about: counted where the build reads them (make build ARROW=1).
ARROW_FILE = "src/io/arrow.cpp"
ARROW_TEXTS = ("read_table: '{}', row {}: '{}' in column '{}' is not a number",
               "read_table: '{}': what reads Parquet and Arrow files cannot be loaded")
CALL = re.compile(r"\b(?:fail|fail_at|fail_in_layer|usage|throw Error|throw UsageError|Error)\s*\(")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def arguments(text, start):
    """The text between the parenthesis that opens before `start` and its partner."""
    depth, at, quoted = 1, start, False
    while depth and at < len(text):
        c = text[at]
        if quoted:
            if c == "\\":
                at += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c == "'" and text[at + 1] == "\\":
            at += 3
        elif c == "'" and text[at + 2] == "'":
            at += 2
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        at += 1
    return text[start:at - 1]


def places():
    """(file, line, format) of each error with a text of its own."""
    for folder in ("src", "include", "apps"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            text = re.sub(r"//[^\n]*", lambda m: " " * len(m[0]), path.read_text())
            for call in CALL.finditer(text):
                inside = arguments(text, call.end())
                run = re.match(r'(?:[^",]*,)?\s*(?:fmt::format\(|base::format\()?((?:\s*"(?:[^"\\]|\\.)*")+)', inside)
                if not run:
                    continue
                named = re.match(r'\s*"([\w:]+)"\s*,((?:\s*"(?:[^"\\]|\\.)*")+)', inside)  # fail("matmul", "{} x {}: ...")
                text_of = lambda part: "".join(LITERAL.findall(part)).encode().decode("unicode_escape")  # noqa: E731
                form = f"{named[1]}: {text_of(named[2])}" if named else text_of(run[1])
                if re.sub(r"\{[^}]*\}|\W", "", form):
                    yield path.relative_to(ROOT), text.count("\n", 0, call.start()) + 1, form


def fits(form, text):
    """Whether the literal parts of the format stand in the text, one after the other."""
    at = 0
    for part in re.split(r"(?<!\{)\{[^{}]*\}", form):
        at = text.find(part.replace("{{", "{").replace("}}", "}"), at)
        if at < 0:
            return False
        at += 1
    return True


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        source, library, logs = Path(folder) / "recorder.cpp", Path(folder) / "recorder.so", Path(folder) / "logs"
        source.write_text(RECORDER)
        logs.mkdir()
        subprocess.run(["g++", "-O1", "-w", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        environment = dict(os.environ, LD_PRELOAD=str(library), PELLUCID_THROWS=str(logs))
        for test in sorted((build / "tests").glob("*_test")):
            if len(sys.argv) < 3 or re.search(sys.argv[2], test.name):
                run = subprocess.run([test, "--gtest_brief=1"], cwd=build, env=environment, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
                if run.returncode != 0:
                    print(f"note: {test.name} failed", file=sys.stderr)
        thrown = set()
        for log in logs.iterdir():
            thrown.update(log.read_bytes().decode(errors="replace").split("\0"))
    found = list(places())
    if "PELLUCID_ARROW:BOOL=ON" not in (build / "CMakeCache.txt").read_text():
        without = [place for place in found if str(place[0]) == ARROW_FILE or place[2].startswith(ARROW_TEXTS)]
        print(f"{len(without)} places left out, which need a build with ARROW=1")
        found = [place for place in found if place not in without]
    missing = [(path, line, form) for path, line, form in found if not any(fits(form, t) for t in thrown)]
    missing = [place for place in missing if not any(place[2].startswith(excused) for excused in EXCUSED)]
    for path, line, form in missing:
        print(f"{path}:{line}: {form}")
    print(f"{len(thrown)} texts thrown; {len(missing)} of {len(found)} places tested by none, {len(EXCUSED)} excused")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
