#!/usr/bin/env python3
"""Writes attention.json: attention, its layers and a small GPT by PyTorch in float64.

Each case: settings, inputs (named arrays), those that are differentiated, the outputs, and of f = sum(output * cotangent)
over all outputs: the gradients, and the Hessian times a direction.
Run with a Python that has torch: make_attention.py > attention.json
"""

import json

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240611)
cases = []


def pack(x):
    kind = "float64" if x.is_floating_point() else "int64"
    data = [float(f"{v:.17g}") if kind == "float64" else int(v) for v in x.detach().flatten().tolist()]
    return {"shape": list(x.shape), "dtype": kind, "data": data}


def case(kind, options, inputs, f):
    """inputs: name -> tensor; f(inputs) -> name -> tensor. Floating inputs are differentiated."""
    wrt = [name for name, x in inputs.items() if x.is_floating_point()]
    leaves = {name: x.clone().requires_grad_(name in wrt) for name, x in inputs.items()}
    with sdpa_kernel([SDPBackend.MATH]):
        outputs = f(leaves)
    cotangents = {name: torch.randn(y.shape) for name, y in outputs.items()}
    directions = {name: torch.randn(inputs[name].shape) for name in wrt}
    total = sum((outputs[name] * cotangents[name]).sum() for name in outputs)
    gradients = torch.autograd.grad(total, [leaves[n] for n in wrt], create_graph=True)
    along = sum((g * directions[n]).sum() for n, g in zip(wrt, gradients))
    products = [None] * len(wrt)  # where the outputs are linear
    if along.requires_grad:
        products = torch.autograd.grad(along, [leaves[n] for n in wrt], allow_unused=True)
    products = {n: pack(torch.zeros_like(inputs[n]) if p is None else p) for n, p in zip(wrt, products)}
    cases.append(
        {
            "kind": kind,
            "options": options,
            "inputs": {n: pack(x) for n, x in inputs.items()},
            "wrt": wrt,
            "outputs": {n: pack(y) for n, y in outputs.items()},
            "cotangents": {n: pack(y) for n, y in cotangents.items()},
            "directions": {n: pack(y) for n, y in directions.items()},
            "gradients": {n: pack(g) for n, g in zip(wrt, gradients)},
            "products": products,
        }
    )


def attention(q, k, v, causal=False, mask=None, scale=None):
    """(..., T, H, D): heads inside positions; the last query sees the last key."""
    q, k, v = (x.transpose(-2, -3) for x in (q, k, v))
    repeat = q.shape[-3] // k.shape[-3]
    k, v = (x.repeat_interleave(repeat, -3) for x in (k, v))
    if causal:
        t, s = q.shape[-2], k.shape[-2]
        mask = torch.ones(t, s, dtype=torch.bool).tril(s - t)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale).transpose(-2, -3)


def attention_case(b, t, s, h, g, d, e, causal=False, scale=None, mask=None, hidden=None):
    inputs = {"q": torch.randn(b, t, h, d), "k": torch.randn(b, s, g, d), "v": torch.randn(b, s, g, e)}
    if mask is not None:
        inputs["mask"] = torch.randn(mask)
    if hidden is not None:
        inputs["seen"] = torch.rand(hidden) < 0.7
        inputs["seen"][..., 0] = True
        inputs["seen"] = inputs["seen"].to(torch.int64)
    options = {"causal": causal}
    if scale is not None:
        options["scale"] = scale

    def f(x):
        m = x["mask"] if "mask" in x else x["seen"].bool() if "seen" in x else None
        return {"y": attention(x["q"], x["k"], x["v"], causal, m, scale)}

    case("attention", options, inputs, f)


attention_case(2, 5, 5, 2, 2, 3, 3)
attention_case(2, 5, 5, 2, 2, 3, 3, causal=True)
attention_case(2, 3, 6, 2, 2, 3, 4, scale=0.3)
attention_case(1, 4, 6, 4, 2, 5, 3, causal=True)
attention_case(2, 3, 4, 2, 1, 3, 3, mask=(2, 2, 3, 4))
attention_case(2, 3, 4, 2, 2, 3, 3, mask=(2, 1, 4))
attention_case(2, 3, 4, 2, 2, 3, 3, hidden=(2, 1, 1, 4))
attention_case(2, 3, 4, 1, 1, 3, 3, hidden=(3, 4))
attention_case(1, 70, 135, 1, 1, 2, 2, causal=True)


# ---- Layers --------------------------------------------------------------------------------------------------------


def weights(inputs, name, *shape):
    inputs[name] = torch.randn(*shape) * 0.5


def linear(inputs, name, c_in, c_out):
    weights(inputs, name + ".weight", c_in, c_out)
    weights(inputs, name + ".bias", c_out)


def norm(inputs, name, c):
    inputs[name + ".weight"] = 1 + 0.2 * torch.randn(c)
    inputs[name + ".bias"] = 0.2 * torch.randn(c)


def projections(inputs, prefix, c):
    for part in ("query", "key", "value", "output"):
        linear(inputs, prefix + part, c, c)


def torch_attention(x, prefix, target=""):
    """Our names of one attention layer -> PyTorch's."""
    joined = {
        "in_proj_weight": torch.cat([x[f"{prefix}{p}.weight"].T for p in ("query", "key", "value")]),
        "in_proj_bias": torch.cat([x[f"{prefix}{p}.bias"] for p in ("query", "key", "value")]),
        "out_proj.weight": x[prefix + "output.weight"].T,
        "out_proj.bias": x[prefix + "output.bias"],
    }
    return {target + name: value for name, value in joined.items()}


C, H, N, T, S = 4, 2, 2, 3, 5


def multi_head_case(cross, causal, lengths):
    inputs = {"x": torch.randn(N, T, C)}
    if cross:
        inputs["memory"] = torch.randn(N, S, C)
    if lengths:
        inputs["lengths"] = torch.tensor(lengths)
    projections(inputs, "", C)
    module = torch.nn.MultiheadAttention(C, H, batch_first=True)

    def f(x):
        memory = x["memory"] if cross else x["x"]
        padding = None
        if lengths:
            padding = torch.arange(memory.shape[1])[None] >= x["lengths"][:, None]
        mask = torch.ones(T, T, dtype=torch.bool).triu(1) if causal else None
        arguments = (x["x"], memory, memory)
        settings = dict(need_weights=False, key_padding_mask=padding, attn_mask=mask)
        y, _ = torch.func.functional_call(module, torch_attention(x, ""), arguments, settings)
        return {"y": y}

    case("multi_head", {"causal": causal, "cross": cross}, inputs, f)


multi_head_case(False, False, None)
multi_head_case(False, True, None)
multi_head_case(True, False, [5, 2])


def feed_forward(inputs, c, hidden):
    linear(inputs, "expand", c, hidden)
    linear(inputs, "contract", hidden, c)


def torch_feed_forward(x):
    return {
        "linear1.weight": x["expand.weight"].T,
        "linear1.bias": x["expand.bias"],
        "linear2.weight": x["contract.weight"].T,
        "linear2.bias": x["contract.bias"],
    }


def encoder_case(norm_first, activation):
    inputs = {"x": torch.randn(N, T, C)}
    projections(inputs, "attention.", C)
    norm(inputs, "norm1", C)
    norm(inputs, "norm2", C)
    feed_forward(inputs, C, 6)
    module = torch.nn.TransformerEncoderLayer(
        C, H, 6, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_first
    )

    def f(x):
        named = torch_attention(x, "attention.", "self_attn.") | torch_feed_forward(x)
        named |= {n: x[n] for n in x if n.startswith("norm")}
        return {"y": torch.func.functional_call(module, named, (x["x"],))}

    case("encoder", {"norm_first": norm_first, "activation": activation}, inputs, f)


encoder_case(True, "gelu")
encoder_case(False, "gelu")


def decoder_case(norm_first):
    inputs = {"x": torch.randn(N, T, C), "memory": torch.randn(N, S, C)}
    projections(inputs, "attention.", C)
    projections(inputs, "cross.", C)
    for i in (1, 2, 3):
        norm(inputs, f"norm{i}", C)
    feed_forward(inputs, C, 6)
    module = torch.nn.TransformerDecoderLayer(
        C, H, 6, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first
    )
    causal = torch.ones(T, T, dtype=torch.bool).triu(1)

    def f(x):
        named = torch_attention(x, "attention.", "self_attn.") | torch_attention(x, "cross.", "multihead_attn.")
        named |= torch_feed_forward(x) | {n: x[n] for n in x if n.startswith("norm")}
        return {"y": torch.func.functional_call(module, named, (x["x"], x["memory"]), {"tgt_mask": causal})}

    case("decoder", {"norm_first": norm_first}, inputs, f)


decoder_case(True)
decoder_case(False)


# ---- Positions -----------------------------------------------------------------------------------------------------


def rotary(x, base):
    """Su et al. 2021, features i and i + D / 2 as a pair."""
    t, d = x.shape[-3], x.shape[-1]
    angle = torch.arange(t)[:, None] / base ** (torch.arange(0, d, 2) / d)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    a, b = x[..., : d // 2], x[..., d // 2 :]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


case("rotary", {"base": 100.0}, {"x": torch.randn(2, 3, 2, 4)}, lambda x: {"y": rotary(x["x"], 100.0)})


def sinusoids(t, c):
    angle = torch.arange(t)[:, None] / 10000 ** (torch.arange(0, c, 2) / c)
    return torch.stack([angle.sin(), angle.cos()], -1).reshape(t, -1)[:, :c]


case("sinusoidal", {}, {"x": torch.randn(2, 3, 6)}, lambda x: {"y": x["x"] + sinusoids(3, 6)})


# ---- GPT, as ../shared/peers has it ---------------------------------------------------------------------------------


def gpt(vocabulary, length, width, heads, blocks):
    inputs = {"tokens": torch.randint(0, vocabulary, (2, length)), "targets": torch.randint(0, vocabulary, (2, length))}
    weights(inputs, "embedding.weight", vocabulary, width)
    weights(inputs, "positions.weight", length, width)
    for i in range(blocks):
        p = f"blocks.{i}."
        projections(inputs, p + "attention.", width)
        norm(inputs, p + "norm1", width)
        norm(inputs, p + "norm2", width)
        linear(inputs, p + "expand", width, 4 * width)
        linear(inputs, p + "contract", 4 * width, width)
    norm(inputs, "norm", width)
    weights(inputs, "head.weight", width, vocabulary)

    def f(x):
        def dense(h, name):
            return h @ x[name + ".weight"] + x[name + ".bias"]

        def normal(h, name):
            return F.layer_norm(h, (width,), x[name + ".weight"], x[name + ".bias"])

        h = x["embedding.weight"][x["tokens"]] + x["positions.weight"]
        for i in range(blocks):
            p = f"blocks.{i}."
            n = normal(h, p + "norm1")
            parts = [dense(n, p + "attention." + q).reshape(2, length, heads, -1) for q in ("query", "key", "value")]
            h = h + dense(attention(*parts, causal=True).reshape(2, length, width), p + "attention.output")
            n = normal(h, p + "norm2")
            h = h + dense(F.gelu(dense(n, p + "expand"), approximate="tanh"), p + "contract")
        logits = normal(h, "norm") @ x["head.weight"]
        return {"logits": logits, "loss": F.cross_entropy(logits.reshape(-1, vocabulary), x["targets"].reshape(-1))}

    options = {"vocabulary": vocabulary, "length": length, "features": width, "heads": heads, "blocks": blocks}
    case("gpt", options, inputs, f)


gpt(5, 4, 4, 2, 2)

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
