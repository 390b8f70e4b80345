#!/usr/bin/env python3
"""Writes the bindings of the operations from the page of operations, which is made of the records and public headers.

    generate.py docs/operations.md include/pellucid OUT_DIR

Writes operations_0.cpp ... and operations.cpp, which has the docstrings too: those of layers, losses, rules and metrics
are the comments of the public headers. A function whose signature has a type that is not known here stops the build
unless it stands in BY_HAND: then it is bound by hand (src/array_api.cpp, creation.cpp, pictures.cpp) or named otherwise.
"""
import pathlib
import re
import sys

PARTS = 4

# Bound by hand under the array API standard's signatures, or not a function in Python.
BY_HAND = set("""zeros ones full zeros_like ones_like full_like arange linspace eye meshgrid astype
sum prod concat split unstack reshape moveaxis broadcast_arrays pad roll repeat index slice tensordot einsum take
take_along_axis sort argsort searchsorted nonzero clip topk custom scan expand_dims squeeze var std argmax argmin
convolve convolve_transpose pad_spatial max_pool average_pool scaled_dot_product_attention tile""".split())

# C++ parameter type -> (type in the binding, default spelled in C++ -> in Python's binding)
TYPES = {
    "const Array&": "const Operand&",
    "const Key&": "const Operand&",
    "const Arrays&": "const Operands&",
    "const Axes&": "const AxesArg&",
    "const Shape&": "const ShapeArg&",
    "const std::vector<int>&": "const IntsArg&",
    "int": "int",
    "std::int64_t": "std::int64_t",
    "std::uint64_t": "std::uint64_t",
    "double": "double",
    "bool": "bool",
    "DType": "DType",
}
RESULTS = {"Array": "{}", "Key": "{}", "Arrays": "array_tuple({})", "std::vector<Key>": "array_tuple({})"}
RENAMED = {"axes": "axis", "from": "source", "to": "destination"}
# The standard makes everything after the arrays keyword-only; where a second position is natural, both work.
KEYWORD_ONLY = {"keepdims", "correction", "dtype", "descending", "k"}


def split_parameters(text):
    parts, depth, current = [], 0, ""
    for c in text:
        depth += c in "<({"
        depth -= c in ">)}"
        if c == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    if current.strip():
        parts.append(current.strip())
    return parts


def read(page):
    """(namespace, result, name, [(type, name, default)], [doc cells]) of each row."""
    namespace = ""
    for line in page.read_text().splitlines():
        if line.startswith("## "):
            namespace = "random" if "random.h" in line else "" if "Functions" in line else None
        match = re.match(r"\| `([\w:<>() &]+?) (\w+)\((.*?)\)` \| (.*) \|$", line)
        if match is None or namespace is None:
            continue
        result, name, parameters, cells = match.groups()
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\) \| ", cells)]
        parsed = []
        for parameter in split_parameters(parameters):
            head, _, default = parameter.partition(" = ")
            kind, _, variable = head.rpartition(" ")
            parsed.append((kind, variable, default or None))
        yield namespace, result, name, parsed, cells


HEADERS = {"nn": "nn*.h networks.h network_*.h augment.h module.h", "loss": "loss*.h", "optim": "optim.h minimize.h",
           "schedule": "schedule.h", "metrics": "metrics.h", "init": "init.h", "data": "data.h", "io": "io.h",
           "train": "train.h", "augment": "augment.h"}
# Templates by the number of axes, and how each is called.
FAMILIES = {"Conv": "Conv{}d", "ConvTranspose": "ConvTranspose{}d", "BatchNorm": "BatchNorm{}d", "Pad": "Pad{}d",
            "DropoutChannels": "Dropout{}d"}


def read_headers(include):
    """("nn.Linear", text) for each class, struct and function with a comment of its own."""
    for room, patterns in HEADERS.items():
        for pattern in patterns.split():
            for path in sorted(include.glob(pattern)):
                comment = []
                for line in path.read_text().splitlines():
                    if line.startswith("///"):
                        comment.append(line[3:].strip())
                        continue
                    if line.startswith("template"):
                        continue
                    match = re.match(r"(?:class|struct) (\w+)\b", line) or re.match(r"[\w:<>, ]+ (\w+)\(", line)
                    if match and comment:
                        name = match.group(1)
                        if name in FAMILIES:
                            for axes in "123":
                                yield f"{room}.{FAMILIES[name].format(axes)}", " ".join(comment)
                        else:
                            yield f"{room}.{name}", " ".join(comment)
                    comment = []


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def docstring(cells):
    text = cells[0]
    if re.match(r"[a-z]{2,} ", text):
        text = text[0].upper() + text[1:]
    if text and text[-1] not in ".:":
        text += "."
    if len(cells) >= 4:
        lines = [f"shapes: {cells[1]}" if cells[1] else "", f"types: {cells[2]}" if cells[2] else "",
                 f"derivative: {cells[3]}" if cells[3] else ""]
        rest = "\n".join(x for x in lines if x)
        if rest:
            text += "\n\n" + rest
    return text


def binding(namespace, result, name, parameters, cells):
    arguments, passed, named = [], [], []
    keyword = False
    for kind, variable, default in parameters:
        arguments.append(f"{TYPES[kind]} {variable}")
        passed.append(variable)
        python_name = RENAMED.get(variable, variable)
        if not keyword and (python_name in KEYWORD_ONLY):
            named.append("nb::kw_only()")
            keyword = True
        spelled = f'nb::arg("{python_name}")'
        if default is not None:
            if TYPES[kind] == "const AxesArg&" or (TYPES[kind] == "const Operand&" and default == "{}"):
                spelled += " = nb::none()"
                if TYPES[kind] == "const Operand&":
                    arguments[-1] = f"const MaybeOperand& {variable}"
            else:
                spelled += f" = {default}"
        named.append(spelled)
    call = f"{'random::' if namespace else ''}{name}({', '.join(passed)})"
    body = RESULTS[result].format(f"pellucid::{call}")
    extra = "".join(", " + n for n in named)
    target = "random" if namespace else "m"
    return (f'  {target}.def("{name}", []({", ".join(arguments)}) {{ return {body}; }}{extra}, '
            f"{c_string(docstring(cells))});\n")


def main():
    page, include, out = (pathlib.Path(a) for a in sys.argv[1:4])
    out.mkdir(parents=True, exist_ok=True)
    bindings, docs, seen = [], {}, set()
    for namespace, result, name, parameters, cells in read(page):
        key = f"{namespace}.{name}" if namespace else name
        docs.setdefault(key, docstring(cells))
        if (not namespace and name in BY_HAND) or key in seen:
            continue
        unknown = [kind for kind, _, _ in parameters if kind not in TYPES]
        if unknown or result not in RESULTS:
            sys.exit(f"generate.py: {name}: no rule for {unknown or result}; add one, or bind it by hand")
        seen.add(key)
        bindings.append(binding(namespace, result, name, parameters, cells))
    for key, text in read_headers(include):
        docs.setdefault(key, text)
    if len(bindings) < 100:
        sys.exit(f"generate.py: only {len(bindings)} operations found in {page}; its form has changed")
    head = ("// Made by generate.py from docs/operations.md; not to be edited.\n"
            '#include "core.h"\n#include "pellucid/ops_attention.h"\n#include "pellucid/ops_pool.h"\n'
            '#include "pellucid/ops_window.h"\n#include "pellucid/random.h"\n\nnamespace pellucid::python {\n\n')
    for part in range(PARTS):
        text = head + f"void bind_operations_{part}(nb::module_& m, nb::module_& random) {{\n"
        text += "".join(bindings[part::PARTS])
        text += "  static_cast<void>(m);\n  static_cast<void>(random);\n}\n\n}  // namespace pellucid::python\n"
        write(out / f"operations_{part}.cpp", text)
    text = head + "".join(f"void bind_operations_{p}(nb::module_& m, nb::module_& random);\n" for p in range(PARTS))
    text += "\nvoid bind_operations(nb::module_& m) {\n"
    text += '  nb::module_ random = m.def_submodule("random", "Random arrays: a key and a shape determine every element.");\n'
    text += "".join(f"  bind_operations_{p}(m, random);\n" for p in range(PARTS)) + "}\n\n"
    text += "namespace {\nstruct Doc {\n  const char* name;\n  const char* text;\n};\nconstexpr Doc kDocs[] = {\n"
    text += "".join(f"    {{{c_string(k)}, {c_string(v)}}},\n" for k, v in docs.items()) + "};\n}  // namespace\n\n"
    text += ("const char* doc_of(const char* name) {\n  for (const Doc& doc : kDocs) {\n"
             "    if (std::string_view(doc.name) == name) return doc.text;\n  }\n  return \"\";\n}\n\n")
    text += "}  // namespace pellucid::python\n"
    write(out / "operations.cpp", text)


def write(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


main()
