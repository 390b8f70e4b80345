#!/usr/bin/env python3
"""Looks through the machine code of libpellucid.so for instructions that stand where they would kill an older processor.

- AVX-512 may stand in functions of Highway's AVX-512 namespaces (N_AVX3...) alone: nothing else asks the processor first.
- AVX2 may stand in the kernels (their sources' functions) alone, and never in what runs when the library is loaded.

Usage: check_instructions.py build/release/libpellucid.so
"""

import re
import subprocess
import sys

HEAD = re.compile(r"^[0-9a-f]+ <(.+)>:$")
AVX512 = re.compile(r"%zmm|%k[0-7]\b|%[xy]mm(1[6-9]|2\d|3[01])\b")
AVX = re.compile(r"^\s*[0-9a-f]+:\s+v[a-z0-9]+\s")


def functions(library):
    """For each function its name and whether it has AVX and AVX-512 instructions."""
    command = ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", "--section=.text", "--section=.text.startup", library]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    found = {}
    name = None
    for line in process.stdout:
        head = HEAD.match(line)
        if head:
            name = head[1]
            found.setdefault(name, [False, False])
        elif name and AVX.match(line):
            found[name][0] = True
            if AVX512.search(line):
                found[name][1] = True
        elif name and AVX512.search(line):
            found[name][1] = True
    if process.wait() != 0:
        sys.exit("check_instructions: objdump failed")
    return found


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = functions(sys.argv[1])
    wrong = []
    for name, (avx, avx512) in sorted(found.items()):
        if avx512 and "N_AVX3" not in name:
            wrong.append(f"AVX-512 outside of N_AVX3: {name}")
        elif avx and name.startswith("_GLOBAL__sub_I"):
            wrong.append(f"AVX in code that runs when the library is loaded: {name}")
        elif avx and "pellucid::" in name and not re.search(r"kernels::|N_AVX", name):
            wrong.append(f"AVX outside of the kernels: {name}")
    for line in wrong:
        print(line)
    wide = sum(avx512 for _, avx512 in found.values())
    narrow = sum(avx for avx, _ in found.values()) - wide
    print(f"instructions: {len(found)} functions, {narrow} with AVX2, {wide} with AVX-512, {len(wrong)} of them misplaced")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
