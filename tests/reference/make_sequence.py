#!/usr/bin/env python3
"""Writes sequence.json: recurrent layers, EmbeddingBag and CTC by PyTorch in float64.

Each case: settings, inputs (named arrays), those that are differentiated, the outputs, and of f = sum(output * cotangent)
over all outputs: the gradients, and the Hessian times a direction.
Run with a Python that has torch: make_sequence.py > sequence.json
"""

import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240608)
cases = []


def pack(x):
    kind = "float64" if x.is_floating_point() else "int64"
    data = [float(f"{v:.17g}") if kind == "float64" else v for v in x.detach().flatten().tolist()]
    return {"shape": list(x.shape), "dtype": kind, "data": data}


def case(kind, options, inputs, f):
    """inputs: name -> tensor; f(inputs) -> name -> tensor. Floating inputs are differentiated."""
    wrt = [name for name, x in inputs.items() if x.is_floating_point()]
    leaves = {name: x.clone().requires_grad_(name in wrt) for name, x in inputs.items()}
    outputs = f(leaves)
    cotangents = {name: torch.randn(y.shape) for name, y in outputs.items()}
    directions = {name: torch.randn(inputs[name].shape) for name in wrt}
    total = sum((outputs[name] * cotangents[name]).sum() for name in outputs)
    gradients = torch.autograd.grad(total, [leaves[n] for n in wrt], create_graph=True, allow_unused=True)
    gradients = [torch.zeros_like(leaves[n]) if g is None else g for n, g in zip(wrt, gradients)]
    along = sum((g * directions[n]).sum() for n, g in zip(wrt, gradients))
    products = [None] * len(wrt)
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


# ---- Recurrent layers ----------------------------------------------------------------------------------------------

N, T, C, H = 3, 4, 2, 3


def recurrent(kind, layers=1, bidirectional=False, bias=True, initial=False, lengths=None):
    gates = {"LSTM": 4, "GRU": 3}.get(kind, 1)
    directions = ["forward", "backward"] if bidirectional else ["forward"]
    inputs = {"x": torch.randn(N, T, C)}
    for layer in range(layers):
        for d in directions:
            name = f"{d}.{layer}."
            width = C if layer == 0 else H * len(directions)
            inputs[name + "input_weight"] = torch.randn(width, gates * H) * 0.6
            inputs[name + "hidden_weight"] = torch.randn(H, gates * H) * 0.6
            if bias:
                inputs[name + "bias"] = torch.randn(gates * H) * 0.6
                if kind == "GRU":
                    inputs[name + "hidden_bias"] = torch.randn(H) * 0.6
    if initial:
        inputs["hidden"] = torch.randn(N, layers * len(directions), H)
        if kind == "LSTM":
            inputs["cell"] = torch.randn(N, layers * len(directions), H)
    if lengths is not None:
        inputs["lengths"] = torch.tensor(lengths)

    def f(x):
        shared = dict(num_layers=layers, bidirectional=bidirectional, bias=bias, batch_first=True)
        if kind in ("LSTM", "GRU"):
            module = getattr(torch.nn, kind)(C, H, **shared)
        else:
            module = torch.nn.RNN(C, H, nonlinearity=kind.split("_")[1], **shared)
        weights = {}
        for layer in range(layers):
            for d in directions:
                name, suffix = f"{d}.{layer}.", f"_l{layer}" + ("_reverse" if d == "backward" else "")
                weights["weight_ih" + suffix] = x[name + "input_weight"].T
                weights["weight_hh" + suffix] = x[name + "hidden_weight"].T
                if bias:
                    weights["bias_ih" + suffix] = x[name + "bias"]
                    other = torch.zeros(gates * H)
                    if kind == "GRU":
                        other = torch.cat([other[: 2 * H], x[name + "hidden_bias"]])
                    weights["bias_hh" + suffix] = other
        state = ()
        if initial:
            state = x["hidden"].transpose(0, 1).contiguous()
            if kind == "LSTM":
                state = (state, x["cell"].transpose(0, 1).contiguous())
            state = (state,)
        sequence = x["x"]
        if lengths is not None:
            sequence = torch.nn.utils.rnn.pack_padded_sequence(
                sequence, x["lengths"], batch_first=True, enforce_sorted=False
            )
        y, last = torch.func.functional_call(module, weights, (sequence, *state))
        if lengths is not None:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=T)
        hidden, cell = last if kind == "LSTM" else (last, None)
        result = {"outputs": y, "hidden": hidden.transpose(0, 1)}
        if cell is not None:
            result["cell"] = cell.transpose(0, 1)
        return result

    options = {"layers": layers, "bidirectional": bidirectional, "bias": bias}
    case(kind, options, inputs, f)


for kind in ("RNN_tanh", "RNN_relu", "LSTM", "GRU"):
    recurrent(kind)
    recurrent(kind, layers=2, bidirectional=True, initial=True, lengths=[4, 1, 3])
    recurrent(kind, bias=False, bidirectional=True)
recurrent("LSTM", layers=2, initial=True)
recurrent("LSTM", lengths=[2, 4, 1])
recurrent("GRU", layers=3, lengths=[3, 4, 2], initial=True)

# ---- EmbeddingBag ---------------------------------------------------------------------------------------------------

V = 6
for mode in ("sum", "mean", "max"):
    for padding in (None, 2):
        inputs = {"weight": torch.randn(V, C), "indices": torch.tensor([[0, 2, 2, 5], [3, 3, 1, 0], [2, 2, 2, 2]])}
        options = {"mode": mode, "padding_index": padding}
        case("EmbeddingBag", options, inputs, lambda x: {"y": F.embedding_bag(x["indices"], x["weight"], mode=mode, padding_idx=padding)})
        inputs = {
            "weight": torch.randn(V, C),
            "indices": torch.tensor([0, 2, 2, 5, 3, 1, 1, 4, 2]),
            "offsets": torch.tensor([0, 0, 3, 4, 9, 9]),
        }
        case(
            "EmbeddingBag",
            options,
            inputs,
            lambda x: {"y": F.embedding_bag(x["indices"], x["weight"], x["offsets"], mode=mode, padding_idx=padding)},
        )
inputs = {
    "weight": torch.randn(V, C),
    "indices": torch.tensor([0, 2, 2, 5, 3]),
    "offsets": torch.tensor([0, 3]),
    "weights": torch.randn(5),
}


def weighted_bags(x):
    """PyTorch's own has no second derivative."""
    rows = x["weight"][x["indices"]] * x["weights"][:, None]
    y = torch.stack([rows[:3].sum(0), rows[3:].sum(0)])
    official = F.embedding_bag(
        x["indices"], x["weight"], x["offsets"], mode="sum", per_sample_weights=x["weights"]
    )
    assert torch.allclose(y, official, rtol=1e-14)
    return {"y": y}


case("EmbeddingBag", {"mode": "sum", "padding_index": None}, inputs, weighted_bags)

# ---- CTC ------------------------------------------------------------------------------------------------------------


def alpha(log_probabilities, target, blank):
    """-log of the probability of one target (Graves et al. 2006), as a sum over the states' paths."""
    states = [blank]
    for label in target:
        states += [label, blank]
    current = {0: log_probabilities[0, blank]}
    if target:
        current[1] = log_probabilities[0, states[1]]
    for row in log_probabilities[1:]:
        following = {}
        for s, label in enumerate(states):
            from_states = [s, s - 1]
            if label != blank and s >= 2 and states[s - 2] != label:
                from_states.append(s - 2)
            terms = [current[q] for q in from_states if q in current]
            if terms:
                following[s] = torch.logsumexp(torch.stack(terms), 0) + row[label]
        current = following
    terms = [current[s] for s in (len(states) - 1, len(states) - 2) if s in current]
    return -torch.logsumexp(torch.stack(terms), 0) if terms else None


def ctc(steps, classes, blank, target, target_lengths, input_lengths, zero_infinity=False, reduction="none"):
    batch = len(target_lengths)
    inputs = {
        "logits": torch.randn(batch, steps, classes) * 2,
        "targets": torch.tensor(target),
        "input_lengths": torch.tensor(input_lengths),
        "target_lengths": torch.tensor(target_lengths),
    }

    def f(x):
        """PyTorch's own has no second derivative."""
        log_probabilities = torch.log_softmax(x["logits"], -1)
        each = []
        for n in range(batch):
            loss = alpha(log_probabilities[n, : input_lengths[n]], target[n][: target_lengths[n]], blank)
            each.append(loss if loss is not None else torch.tensor(0.0 if zero_infinity else float("inf")))
        y = torch.stack(each)
        if reduction == "mean":
            y = (y / torch.tensor(target_lengths).clamp(min=1)).mean()
        if reduction == "sum":
            y = y.sum()
        official = F.ctc_loss(
            log_probabilities.transpose(0, 1),
            x["targets"],
            x["input_lengths"],
            x["target_lengths"],
            blank=blank,
            zero_infinity=zero_infinity,
            reduction=reduction,
        )
        assert torch.allclose(y, official, rtol=1e-12), (y, official)
        return {"y": y}

    case("CTC", {"blank": blank, "zero_infinity": zero_infinity, "reduction": reduction}, inputs, f)


ctc(6, 4, 0, [[1, 2, 3], [2, 2, 1], [3, 1, 1]], [3, 3, 1], [6, 5, 4])
ctc(5, 3, 2, [[0, 0], [1, 0], [1, 1]], [2, 2, 0], [5, 3, 2])
ctc(7, 5, 0, [[1, 1, 1], [4, 2, 4]], [3, 3], [7, 6], reduction="mean")
ctc(7, 5, 0, [[1, 1, 1], [4, 2, 4]], [3, 2], [5, 6], reduction="sum")
ctc(4, 4, 0, [[1, 1, 1], [1, 2, 3]], [3, 3], [4, 4], zero_infinity=True)

print("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]")
