#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, a folder for each: small valid files, from the tests' reference files and made
here.

    scripts/fuzz_seeds.py FOLDER
"""

import gzip
import json
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "tests" / "reference"

CSV = [
    "a,b,y\n1,x,p\n2,y,q\n-3.5e2,,p\n",
    'a;b\r\n"1,5";"two\r\nlines"\r\n"a ""word""";NA\r\n',
    "\ufeffa\tb\n2024-01-31\t12:30:01\n01.02.2023\ttrue\n",
    "a|b\n\n inf | nan \n?|.5\n",
    "only\n1\n\n2\n",
]
TOML = [
    'hidden = [128, 128]\nlearning_rate = 0.001\ntarget = "income"\nquiet = true\n',
    "# a comment\n'learning-rate' = 1e-3\nhidden = []\n[table]\na = {b = 1979-05-27T07:32:00Z}\n",
    'target = """several\nlines"""\nhidden = [0x10, 0o7, 0b1, 1_000]\n',
]
SCHEMAS = [
    "# of people.csv\n\n[[column]]\nname = \"age\"\ntype = \"whole number\"\nrole = \"input\"\nrange = [1, 99.5]\nmissing = 0.25\n"
    "on_missing = \"refuse\"\nout_of_range = \"clip\"\n\n[[column]]\nname = \"kind\"\ntype = \"category\"\nrole = \"target\"\n"
    "categories = [\"a\", \"b\"]\n",
    '{"column": [{"name": "x", "type": "number", "role": "weight"}]}',
]
PICTURES = [
    {"classes": ["a", "b"], "mean": 1.5, "scale": 2.0, "shape": [28, 28], "source": "pictures"},
]
NETWORKS = [
    {"type": "Sequential",
     "layers": [
         {"name": "0", "type": "Linear", "inputs": 3, "outputs": 4, "bias": True},
         {"name": "1", "type": "Conv2d", "kernel": [3, 3], "padding": "same"},
         {"name": "2", "type": "Dropout", "probability": 0.5},
         {"name": "3", "type": "Residual", "layers": [{"name": "inner", "type": "ReLU"}]},
     ]},
    {"type": "ReLU"},
]


def safetensors(tensors, data, metadata=None):
    header = dict(tensors)
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def main():
    folder = Path(sys.argv[1])
    seeds = {name: [] for name in ("csv", "unpack", "npy", "npz", "idx", "image", "safetensors", "toml", "network",
                                   "preprocessing", "schema")}
    for file in json.loads((REFERENCE / "files.json").read_text()):
        seeds[file["kind"]].append(bytes.fromhex(file["bytes"]))
    for image in json.loads((REFERENCE / "images.json").read_text())["images"]:
        seeds["image"].append(bytes.fromhex(image["bytes"]))
    for text in CSV:
        seeds["csv"] += [bytes([choice]) + text.encode() for choice in (0, 1, 6, 8)]
        seeds["unpack"].append(gzip.compress(text.encode(), mtime=0))
    # zstd: a frame with one raw block of three bytes (RFC 8878).
    seeds["unpack"].append(bytes.fromhex("28b52ffd2003190000") + b"a,b")
    seeds["toml"] = [text.encode() for text in TOML]
    seeds["schema"] = [text.encode() for text in SCHEMAS]
    seeds["safetensors"] += [
        safetensors({}, b""),
        safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                     "b": {"dtype": "U8", "shape": [3], "data_offsets": [8, 11]}}, bytes(11), {"k": "v"}),
    ]
    seeds["network"] = [json.dumps(network).encode() for network in NETWORKS]
    # Of tables the target itself writes one, from a table that it fits.
    seeds["preprocessing"] = [b"\1" + json.dumps(pictures).encode() for pictures in PICTURES]
    for name, contents in seeds.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for i, content in enumerate(contents):
            (place / f"seed-{i}").write_bytes(content)


if __name__ == "__main__":
    main()
