"""The array API standard 2024.12: every function is there, and takes what the standard says by its names."""

import ast
import inspect

import pytest

import pellucid as pl

# From the standard. Parameters before "/" are positional only: their names are free.
STANDARD = """
arange(start, /, stop=None, step=1, *, dtype=None, device=None)
asarray(obj, /, *, dtype=None, device=None, copy=None)
empty(shape, *, dtype=None, device=None)
empty_like(x, /, *, dtype=None, device=None)
eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)
from_dlpack(x, /, *, device=None, copy=None)
full(shape, fill_value, *, dtype=None, device=None)
full_like(x, /, fill_value, *, dtype=None, device=None)
linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)
meshgrid(*arrays, indexing="xy")
ones(shape, *, dtype=None, device=None)
ones_like(x, /, *, dtype=None, device=None)
tril(x, /, *, k=0)
triu(x, /, *, k=0)
zeros(shape, *, dtype=None, device=None)
zeros_like(x, /, *, dtype=None, device=None)
astype(x, dtype, /, *, copy=True, device=None)
can_cast(from_, to, /)
finfo(type, /)
iinfo(type, /)
isdtype(dtype, kind)
result_type(*arrays_and_dtypes)
broadcast_arrays(*arrays)
broadcast_to(x, /, shape)
abs(x, /)
acos(x, /)
acosh(x, /)
add(x1, x2, /)
asin(x, /)
asinh(x, /)
atan(x, /)
atan2(x1, x2, /)
atanh(x, /)
bitwise_and(x1, x2, /)
bitwise_left_shift(x1, x2, /)
bitwise_invert(x, /)
bitwise_or(x1, x2, /)
bitwise_right_shift(x1, x2, /)
bitwise_xor(x1, x2, /)
ceil(x, /)
clip(x, /, min=None, max=None)
conj(x, /)
copysign(x1, x2, /)
cos(x, /)
cosh(x, /)
divide(x1, x2, /)
equal(x1, x2, /)
exp(x, /)
expm1(x, /)
floor(x, /)
floor_divide(x1, x2, /)
greater(x1, x2, /)
greater_equal(x1, x2, /)
hypot(x1, x2, /)
imag(x, /)
isfinite(x, /)
isinf(x, /)
isnan(x, /)
less(x1, x2, /)
less_equal(x1, x2, /)
log(x, /)
log1p(x, /)
log2(x, /)
log10(x, /)
logaddexp(x1, x2, /)
logical_and(x1, x2, /)
logical_not(x, /)
logical_or(x1, x2, /)
logical_xor(x1, x2, /)
maximum(x1, x2, /)
minimum(x1, x2, /)
multiply(x1, x2, /)
negative(x, /)
nextafter(x1, x2, /)
not_equal(x1, x2, /)
positive(x, /)
pow(x1, x2, /)
real(x, /)
reciprocal(x, /)
remainder(x1, x2, /)
round(x, /)
sign(x, /)
signbit(x, /)
sin(x, /)
sinh(x, /)
square(x, /)
sqrt(x, /)
subtract(x1, x2, /)
tan(x, /)
tanh(x, /)
trunc(x, /)
take(x, indices, /, *, axis=None)
take_along_axis(x, indices, /, *, axis=-1)
matmul(x1, x2, /)
matrix_transpose(x, /)
tensordot(x1, x2, /, *, axes=2)
vecdot(x1, x2, /, *, axis=-1)
concat(arrays, /, *, axis=0)
expand_dims(x, /, *, axis=0)
flip(x, /, *, axis=None)
moveaxis(x, source, destination, /)
permute_dims(x, /, axes)
repeat(x, repeats, /, *, axis=None)
reshape(x, /, shape, *, copy=None)
roll(x, /, shift, *, axis=None)
squeeze(x, /, axis)
stack(arrays, /, *, axis=0)
tile(x, repetitions, /)
unstack(x, /, *, axis=0)
argmax(x, /, *, axis=None, keepdims=False)
argmin(x, /, *, axis=None, keepdims=False)
count_nonzero(x, /, *, axis=None, keepdims=False)
nonzero(x, /)
searchsorted(x1, x2, /, *, side="left", sorter=None)
where(condition, x1, x2, /)
unique_all(x, /)
unique_counts(x, /)
unique_inverse(x, /)
unique_values(x, /)
argsort(x, /, *, axis=-1, descending=False, stable=True)
sort(x, /, *, axis=-1, descending=False, stable=True)
cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)
cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)
max(x, /, *, axis=None, keepdims=False)
mean(x, /, *, axis=None, keepdims=False)
min(x, /, *, axis=None, keepdims=False)
prod(x, /, *, axis=None, dtype=None, keepdims=False)
std(x, /, *, axis=None, correction=0.0, keepdims=False)
sum(x, /, *, axis=None, dtype=None, keepdims=False)
var(x, /, *, axis=None, correction=0.0, keepdims=False)
all(x, /, *, axis=None, keepdims=False)
any(x, /, *, axis=None, keepdims=False)
diff(x, /, *, axis=-1, n=1, prepend=None, append=None)
__array_namespace_info__()
"""
ABSENT = {"imag"}  # docs/python.md says why
LINES = [line for line in STANDARD.split("\n") if line]


def parameters(signature):
    """(names in order with kind, defaults by name) of "def f(...)" as ast sees it."""
    a = ast.parse(f"def {signature}: pass").body[0].args
    positional = [p.arg for p in a.posonlyargs]
    either = [p.arg for p in a.args]
    keyword = [p.arg for p in a.kwonlyargs]
    defaults = dict(zip(keyword, (None if d is None else ast.unparse(d) for d in a.kw_defaults)))
    both = positional + either
    defaults.update(zip(both[len(both) - len(a.defaults):], (ast.unparse(d) for d in a.defaults)))
    return positional, either, keyword, defaults, a.vararg is not None


def ours(name):
    function = getattr(pl, name)
    if not hasattr(function, "__nb_signature__"):
        signature = inspect.signature(function)
        return parameters(f"{name}{signature}"), {k: repr(p.default) for k, p in signature.parameters.items()}
    text, _, values = function.__nb_signature__[0]
    text = text.removeprefix("def ").split(" ->")[0]
    found = parameters(text.replace("\\", "_"))
    given = {k: repr(values[int(v[1:])]) for k, v in found[3].items() if v is not None and v.startswith("_")}
    return found, given


@pytest.mark.parametrize("line", LINES, ids=[line.split("(")[0] for line in LINES])
def test_signature(line):
    name = line.split("(")[0]
    if name in ABSENT:
        assert not hasattr(pl, name)
        return
    positional, either, keyword, defaults, many = parameters(line)
    (p2, e2, k2, _, many2), given = ours(name)
    assert many == many2
    order = p2 + e2
    assert len(order) >= len(positional) + len(either)
    assert order[len(positional):len(positional) + len(either)] == either
    for parameter in either + keyword:
        assert parameter in e2 + k2, f"{parameter} must be known by its name"
    for parameter, default in defaults.items():
        if parameter in given and default is not None:
            assert ast.literal_eval(given[parameter]) == ast.literal_eval(default), parameter


def test_constants_and_the_arrays_attributes():
    assert pl.__array_api_version__ == "2024.12" and pl.newaxis is None
    assert abs(pl.e - 2.718281828459045) == 0 and abs(pl.pi - 3.141592653589793) == 0 and pl.inf > 1e308 and pl.nan != pl.nan
    x = pl.asarray([[1.0, 2.0, 3.0]])
    assert (x.ndim, x.size, x.shape, x.dtype, x.device) == (2, 3, (1, 3), pl.float32, "cpu")
    assert x.T.shape == x.mT.shape == (3, 1) and x.to_device("cpu").shape == x.shape
    names = """abs add and array_namespace bool dlpack dlpack_device eq float floordiv ge getitem gt index int invert le
        lshift lt matmul mod mul ne neg or pos pow rshift sub truediv xor radd rand rfloordiv rlshift rmatmul rmod rmul ror
        rpow rrshift rsub rtruediv rxor""".split()
    assert [n for n in names if not hasattr(x, f"__{n}__")] == []
    info = pl.__array_namespace_info__()
    assert info.default_device() == "cpu" and info.devices() == ["cpu"]
    assert set(info.dtypes()) == {"bool", "uint8", "int32", "int64", "bfloat16", "float32", "float64"}
    assert set(info.dtypes(kind="integral")) == {"uint8", "int32", "int64"} and info.dtypes(kind="complex floating") == {}
    assert info.default_dtypes()["real floating"] == pl.float32 and info.default_dtypes()["integral"] == pl.int64
    assert set(info.capabilities()) == {"boolean indexing", "data-dependent shapes", "max dimensions"}
    with pytest.raises(ValueError, match="dtypes: 'whole' is no kind"):
        info.dtypes(kind="whole")
    with pytest.raises(ValueError, match="isdtype: 'whole' is no kind"):
        pl.isdtype(pl.int32, "whole")
    with pytest.raises(TypeError, match="finfo: int32 is not a floating type"):
        pl.finfo(pl.int32)
    with pytest.raises(TypeError, match="iinfo: float32 is not an integer type"):
        pl.iinfo(pl.float32)
