"""PyTorch in float64: loaded when it is first asked for."""

import importlib

import numpy as np


class _Lazy:
    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        return getattr(importlib.import_module(self._name), attribute)


torch, F, tnn = _Lazy("torch"), _Lazy("torch.nn.functional"), _Lazy("torch.nn")


def to_oracle(x):
    if not isinstance(x, (np.ndarray, np.generic)):
        return x
    return torch.from_numpy(np.array(x.astype(np.float64) if x.dtype.kind == "f" else x))


def vjp(case, exact, cotangents):
    """The cotangents of the differentiable inputs."""
    full = [x.clone().requires_grad_(i in case.differentiable) if hasattr(x, "clone") else x for i, x in enumerate(exact)]
    result = case.oracle(*full)
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    asked = [full[i] for i in case.differentiable]
    found = torch.autograd.grad(results, asked, [torch.as_tensor(c) for c in cotangents], allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, asked)]
