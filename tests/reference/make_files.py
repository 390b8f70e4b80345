"""Files as NumPy, gzip and zipfile write them, with what they hold: writes files.json, bytes in hexadecimal.

Run with any Python that has numpy: python tests/reference/make_files.py
"""

import gzip
import io
import json
import pathlib
import struct
import zipfile

import numpy as np

rng = np.random.default_rng(3)
files = []


def values(array):
    """Numbers that JSON holds; infinities and NaN as text."""
    return [v if np.isfinite(v) else str(v) for v in np.asarray(array).astype(object).ravel().tolist()]


def add(kind, name, data, arrays):
    files.append({"kind": kind, "name": name, "bytes": data.hex(),
                  "arrays": {key: {"dtype": dtype, "shape": list(np.shape(a)), "values": values(a)}
                             for key, (dtype, a) in arrays.items()}})


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


IN_MEMORY = {"b1": "bool", "i1": "int32", "u1": "uint8", "i2": "int32", "u2": "int32", "i4": "int32", "u4": "int64",
             "i8": "int64", "u8": "int64", "f2": "float32", "f4": "float32", "f8": "float64"}


def sample(code):
    kind = np.dtype(code)
    if kind.kind == "b":
        return np.array([[True, False, True], [False, False, True]])
    if kind.kind in "iu":
        info = np.iinfo(kind)
        return np.array([[info.min, min(info.max, 2**63 - 1), 0], [1, 2, 77]], dtype=kind)
    info = np.finfo(kind)
    return np.array([[info.max, info.tiny, -info.smallest_subnormal], [np.inf, -0.5, np.nan]], dtype=kind)


for code, dtype in IN_MEMORY.items():
    for order in "<>":
        array = sample(code).astype(order + code)
        add("npy", order + code, npy(array), {"": (dtype, array)})
    add("npy", f"Fortran order {code}", npy(np.asfortranarray(sample(code))), {"": (dtype, sample(code))})
cube = np.arange(24, dtype="<f4").reshape(2, 3, 4)
add("npy", "three axes in Fortran order", npy(np.asfortranarray(cube)), {"": ("float32", cube)})
add("npy", "a scalar", npy(np.array(2.5, "<f8")), {"": ("float64", np.array(2.5))})
add("npy", "one axis", npy(np.arange(3, dtype="<i4")), {"": ("int32", np.arange(3))})
add("npy", "no elements", npy(np.zeros((3, 0, 2), "<f4")), {"": ("float32", np.zeros((3, 0, 2)))})
for version in ((1, 0), (2, 0), (3, 0)):
    add("npy", f"version {version[0]}", npy(cube, version), {"": ("float32", cube)})

members = {"x": ("float32", cube), "y_train": ("int64", np.arange(5)), "empty": ("float64", np.zeros((0, 2)))}
for save, name in ((np.savez, "stored"), (np.savez_compressed, "deflated")):
    out = io.BytesIO()
    save(out, **{key: array for key, (_, array) in members.items()})
    add("npz", name, out.getvalue(), members)
out = io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.comment = b"a comment"
    with archive.open("big.npy", "w", force_zip64=True) as member:
        member.write(npy(cube))
add("npz", "zip64 sizes, a comment", out.getvalue(), {"big": ("float32", cube)})

IDX = {0x08: ("u1", "uint8"), 0x09: ("i1", "int32"), 0x0B: ("i2", "int32"), 0x0C: ("i4", "int32"),
       0x0D: ("f4", "float32"), 0x0E: ("f8", "float64")}
for code, (kind, dtype) in IDX.items():
    array = sample(kind)
    data = bytes([0, 0, code, 2]) + struct.pack(">II", *array.shape) + array.astype(">" + kind).tobytes()
    add("idx", kind, data, {"": (dtype, array)})
    add("idx", f"{kind} compressed", gzip.compress(data, mtime=0), {"": (dtype, array)})
add("idx", "two members, zeros behind", gzip.compress(data[:9], mtime=0) + gzip.compress(data[9:], mtime=0) + bytes(7),
    {"": (dtype, array)})

SAFETENSORS = {"BOOL": "b1", "U8": "u1", "I8": "i1", "I16": "i2", "U16": "u2", "I32": "i4", "U32": "u4", "I64": "i8",
               "U64": "u8", "F16": "f2", "F32": "f4", "F64": "f8"}
header, data, arrays = {"__metadata__": {"made by": "Python"}}, b"", {}
for name, code in SAFETENSORS.items():
    array = sample(code)
    header[name] = {"dtype": name, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
    data += array.astype("<" + code).tobytes()
    arrays[name] = (IN_MEMORY[code], array)
bits = np.array([0x3F80, 0xC049, 0x7F80, 0x0001], "<u2")
header["BF16"] = {"dtype": "BF16", "shape": [4], "data_offsets": [len(data), len(data) + 8]}
data += bits.tobytes()
arrays["BF16"] = ("bfloat16", (bits.astype("<u4") << 16).view("<f4"))
text = json.dumps(header).encode()
add("safetensors", "every type", struct.pack("<Q", len(text)) + text + data, arrays)

target = pathlib.Path(__file__).with_name("files.json")
target.write_text("[" + ",\n".join(json.dumps(f, separators=(",", ":")) for f in files) + "]\n")
