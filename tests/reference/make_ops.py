"""Reference values for composed operations, from NumPy, mpmath and a Philox of its own: writes ops.json.

Run with any Python that has numpy and mpmath: python tests/reference/make_ops.py
"""

import json
import pathlib

import mpmath
import numpy as np

rng = np.random.default_rng(7)
cases = []


def grid(*shape):
    """Values with few digits, so that the file is small and every type holds them."""
    return np.round(rng.uniform(-3, 3, shape) * 8) / 8


def case(name, inputs, result, **options):
    def pack(a):
        a = np.asarray(a, dtype=np.float64)
        return {"shape": list(a.shape), "values": a.ravel().tolist()}

    cases.append({"name": name, "inputs": [pack(i) for i in inputs], "options": options, "result": pack(result)})


def elementwise(name, f, x, **options):
    case(name, [x], np.array([float(f(mpmath.mpf(float(v)))) for v in x.ravel()]).reshape(x.shape), **options)


mpmath.mp.dps = 30
x = np.concatenate([np.linspace(-9, 9, 73), [1e-3, -1e-3, 1e-20, -1e-20, 40, -40]])
elementwise("relu6", lambda v: min(max(v, 0), 6), x)
elementwise("leaky_relu", lambda v: v if v > 0 else v / 4, x, slope=0.25)
elementwise("hardsigmoid", lambda v: min(max(v + 3, 0), 6) / 6, x)
elementwise("hardswish", lambda v: v * min(max(v + 3, 0), 6) / 6, x)
elementwise("softsign", lambda v: v / (1 + abs(v)), x)
elementwise("elu", lambda v: v if v > 0 else mpmath.expm1(v), x, alpha=1.0)
elementwise("elu", lambda v: v if v > 0 else 1.5 * mpmath.expm1(v), x, alpha=1.5)
elementwise("celu", lambda v: v if v > 0 else 2 * mpmath.expm1(v / 2), x, alpha=2.0)
scale, alpha = mpmath.mpf("1.0507009873554804934193349852946"), mpmath.mpf("1.6732632423543772848170429916717")
elementwise("selu", lambda v: scale * v if v > 0 else scale * alpha * mpmath.expm1(v), x)


def softmax(a, axis):
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


a = grid(3, 4, 5)
for axis in (-1, 0, 1):
    case("softmax", [a * 9], softmax(a * 9, axis), axis=axis)
    case("log_softmax", [a * 9], np.log(softmax(a * 9, axis)), axis=axis)
for axes in ([0], [1], [2], [0, 2], [1, 2], [0, 1, 2]):
    t = tuple(axes)
    case("logsumexp", [a * 9], np.log(np.exp(a * 9).sum(axis=t)), axes=axes)
    case("mean", [a], a.mean(axis=t), axes=axes)
    case("var", [a], a.var(axis=t, ddof=1), axes=axes, correction=1)
    case("std", [a], a.std(axis=t), axes=axes, correction=0)
    case("any", [a > 2.5], (a > 2.5).any(axis=t), axes=axes)
    case("all", [a > -2.5], (a > -2.5).all(axis=t), axes=axes)
    case("norm", [a], np.sqrt((a * a).sum(axis=t)), axes=axes, p=2)
    case("norm", [a], np.abs(a).sum(axis=t), axes=axes, p=1)
    case("norm", [a], (np.abs(a) ** 3).sum(axis=t) ** (1 / 3), axes=axes, p=3)
    case("norm", [a], (np.abs(a) ** 0.5).sum(axis=t) ** 2, axes=axes, p=0.5)
    case("norm", [a], np.abs(a).max(axis=t), axes=axes, p=-1)  # -1 stands for infinity
case("linspace", [], np.linspace(-1.3, 2.7, 11), start=-1.3, stop=2.7, count=11)
case("tril", [a], np.tril(a, 1), k=1)
case("triu", [a], np.triu(a, -1), k=-1)
m = grid(4, 6)
case("diag", [m], np.diag(m))
case("pad", [m], np.pad(m, ((1, 2), (0, 3)), constant_values=1.5), value=1.5)
case("pad", [m], np.pad(m, ((1, 2), (0, 3))), value=0)
case("roll", [m], np.roll(m, -8, 1), shift=-8, axis=1)
case("tile", [m], np.tile(m, (2, 1, 3)), repeats=[2, 1, 3])
case("repeat", [m], np.repeat(m, 3, 1), repeats=3, axis=1)
case("flip", [a], np.flip(a, (0, 2)), axes=[0, 2])
case("stack", [m, m + 1], np.stack([m, m + 1], -1), axis=-1)
case("sort", [m], np.sort(m, 0), axis=0)
for equation, shapes in {
    "ij,jk->ik": [(3, 4), (4, 5)],
    "ij,jk->ki": [(3, 4), (4, 5)],
    "ij,kj": [(3, 4), (5, 4)],
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
    "bij,bkj->kbi": [(2, 3, 4), (2, 5, 4)],
    "ii->i": [(4, 4)],
    "ii": [(4, 4)],
    "iji->j": [(4, 3, 4)],
    "ij->ji": [(3, 4)],
    "ij->": [(3, 4)],
    "i,j->ij": [(3,), (4,)],
    "i,i": [(5,), (5,)],
    "bi,bi->b": [(2, 5), (2, 5)],
    "...ij,...jk->...ik": [(2, 1, 3, 4), (3, 4, 5)],
    "...i,...i": [(2, 3), (1, 3)],
    "abcd,cdef->abef": [(2, 3, 2, 3), (2, 3, 4, 2)],
    "abcd,dcef->efab": [(2, 3, 2, 3), (3, 2, 4, 2)],
    "ij,jk,kl->il": [(2, 3), (3, 4), (4, 5)],
    "ij,ij,ij->i": [(2, 3), (2, 3), (2, 3)],
    "bhqd,bhkd->bhqk": [(2, 2, 3, 4), (2, 2, 5, 4)],
    "bhqk,bhkd->bqhd": [(2, 2, 3, 5), (2, 2, 5, 4)],
    "ijk,jil->kl": [(2, 3, 4), (3, 2, 5)],
    "ab,cd->dbca": [(2, 3), (4, 5)],
    "ik,jk->ij": [(3, 0), (4, 0)],
}.items():
    operands = [grid(*s) for s in shapes]
    case("einsum", operands, np.einsum(equation, *operands), equation=equation)
case("tensordot", [grid(2, 3, 4), grid(3, 4, 5)], np.zeros((2, 5)), axes=2)
cases[-1]["result"]["values"] = np.tensordot(
    np.reshape(cases[-1]["inputs"][0]["values"], (2, 3, 4)), np.reshape(cases[-1]["inputs"][1]["values"], (3, 4, 5)), 2
).ravel().tolist()


def philox(seed, stream, index):
    """Philox4x32-10, written from the paper."""
    mask = 0xFFFFFFFF
    c = [index & mask, index >> 32, stream & mask, stream >> 32]
    k = [seed & mask, seed >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & mask, (p0 >> 32) ^ c[3] ^ k[1], p0 & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def signed(word):
    return word - (1 << 32) if word >> 31 else word


seed = 0x123456789ABCDEF
words = [w for i in range(4) for w in philox(seed, 0, i)]
folded = philox(seed ^ 0x5851F42D4C957F2D, 0, 5)
stream = folded[0] | folded[1] << 32
known = {
    "seed": seed,
    "bits": [signed(w) for w in words[:11]],
    "fold_5_stream": stream - (1 << 64) if stream >> 63 else stream,
    "uniform": [(w >> 8) * 2.0**-24 for w in words[:8]],
    "uniform64": [((words[i] << 21) | (words[i + 4] >> 11)) * 2.0**-53 for i in range(4)],
    "normal64": [
        float(mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf((signed(words[i]) << 22 | words[i + 4] >> 10) | 1) / 2**53))
        for i in range(4)
    ],
    "integers_10": [((words[i] << 32 | words[i + 4]) * 10) >> 64 for i in range(4)],
}

cases = [c for c in cases if c]
path = pathlib.Path(__file__).with_name("ops.json")
path.write_text(json.dumps({"cases": cases, "random": known}, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
