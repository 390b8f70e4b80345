#!/usr/bin/env python3
"""Writes losses.json: values, gradients and Hessian products of losses by PyTorch in float64.

A case: the loss and its settings, inputs, the inputs that are differentiated, their directions v, and of
f = sum(value * cotangent): the gradient, and the Hessian times v.
Run with a Python that has torch: make_losses.py > losses.json
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240607)
cases = []


def pack(x):
    kind = "float64" if x.is_floating_point() else "int64"
    return {"shape": list(x.shape), "dtype": kind, "data": x.detach().flatten().tolist()}


def combine(losses, reduction, weights, own):
    if weights is not None:
        w = weights.reshape(list(weights.shape) + [1] * (losses.dim() - weights.dim())).expand(losses.shape)
    else:
        w = torch.ones_like(losses)
    if reduction == "none":
        return losses * w
    if reduction == "sum":
        return (losses * w).sum()
    return (losses * w).sum() / (w if own is None else w * own).sum()


def case(loss, f, inputs, wrt=(0,), options=None, own=None, weights=None, official=None):
    """f(*inputs) gives one number for each sample. `official` is PyTorch's own call, against which f is held for the mean."""
    for reduction in ("mean", "sum", "none"):
        choices = {"mean": (None, weights), "sum": (None,), "none": (weights,)}[reduction]
        for w in choices if weights is not None else (None,):
            leaves = [x.clone().requires_grad_(i in wrt) for i, x in enumerate(inputs)]
            value = combine(f(*leaves), reduction, w, own)
            if official is not None and w is None and reduction == "mean":
                reference = official(*leaves)
                assert torch.allclose(reference, value, rtol=1e-11, atol=0), (loss, options, reference, value)
                value = reference
            cotangent = torch.randn(value.shape) if reduction == "none" else torch.ones(())
            directions = [torch.randn(leaves[i].shape) for i in wrt]
            total = (value * cotangent).sum()
            gradients = torch.autograd.grad(total, [leaves[i] for i in wrt], create_graph=True)
            along = sum((g * v).sum() for g, v in zip(gradients, directions))
            linear = not along.requires_grad or loss == "mean_absolute_error"
            products = [None] * len(wrt) if linear else torch.autograd.grad(along, [leaves[i] for i in wrt], allow_unused=True)
            products = [pack(torch.zeros_like(v) if p is None else p) for p, v in zip(products, directions)]
            cases.append(
                {
                    "loss": loss,
                    "options": options or {},
                    "reduction": reduction,
                    "inputs": [pack(x) for x in inputs],
                    "weights": None if w is None else pack(w),
                    "wrt": list(wrt),
                    "cotangent": pack(cotangent),
                    "directions": [pack(v) for v in directions],
                    "value": pack(value),
                    "gradients": [pack(g) for g in gradients],
                    "products": products,
                }
            )


N, C = 4, 3
x = torch.randn(N, C) * 2
y = torch.randn(N, C) * 2
w = torch.rand(N) + 0.1
logits = torch.randn(N, C) * 3
labels = torch.tensor([0, 2, 1, 2])
some = torch.tensor([0, -1, 1, 2])
class_weights = torch.tensor([0.5, 2.0, 1.25])
soft = torch.softmax(torch.randn(N, C), -1)
bits = (torch.rand(N, C) < 0.5).double()
chances = torch.rand(N, C) * 0.9 + 0.05
signs = bits * 2 - 1

case("mean_squared_error", lambda p, t: (p - t) ** 2, [x, y], (0, 1), weights=w, official=F.mse_loss)
case("mean_absolute_error", lambda p, t: (p - t).abs(), [x, y], (0, 1), weights=w, official=F.l1_loss)
for delta in (1.0, 0.3, 2.5):
    case(
        "huber",
        lambda p, t: F.huber_loss(p, t, reduction="none", delta=delta),
        [x, y],
        (0, 1),
        {"delta": delta},
        weights=w,
        official=lambda p, t: F.huber_loss(p, t, delta=delta),
    )


def log_cosh(p, t):
    d = p - t
    return d + F.softplus(-2 * d, threshold=700) - math.log(2)


case("log_cosh", log_cosh, [x, y], (0, 1), weights=w)
for q in (0.5, 0.1, 0.8):
    case("quantile", lambda p, t: torch.maximum(q * (t - p), (q - 1) * (t - p)), [x, y], (0, 1), {"quantile": q}, weights=w)
counts = torch.randint(0, 9, (N, C)).double()
for full in (False, True):
    case(
        "poisson_negative_log_likelihood",
        lambda p, t: F.poisson_nll_loss(p, t, full=full, reduction="none"),
        [x, counts],
        (0,),
        {"full": full},
        weights=w,
        official=lambda p, t: F.poisson_nll_loss(p, t, full=full),
    )
    case(
        "gaussian_of",
        lambda m, v, t: F.gaussian_nll_loss(m, t, v, full=full, reduction="none"),
        [x, chances, y],
        (0, 1, 2),
        {"full": full},
        weights=w,
        official=lambda m, v, t: F.gaussian_nll_loss(m, t, v, full=full),
    )
    case(
        "gaussian_negative_log_likelihood",
        lambda p, t: F.gaussian_nll_loss(p[:, :2], t, p[:, 2:].exp(), full=full, reduction="none"),
        [torch.randn(N, 4), y[:, :2].contiguous()],
        (0, 1),
        {"full": full},
        weights=w,
    )


def entropy_options(weighted, smoothing, ignored):
    options = {"label_smoothing": smoothing}
    if weighted:
        options["class_weights"] = class_weights.tolist()
    if ignored:
        options["ignored_index"] = -1
    return options


for weighted in (False, True):
    cw = class_weights if weighted else None
    for smoothing in (0.0, 0.2):
        for ignored in (False, True):
            target = some if ignored else labels
            own = (class_weights[target.clamp(min=0)] if weighted else torch.ones(N)) * (target >= 0)
            settings = {"weight": cw, "label_smoothing": smoothing, "ignore_index": -1}
            case(
                "cross_entropy",
                lambda p, t: F.cross_entropy(p, t, reduction="none", **settings),
                [logits, target],
                (0,),
                entropy_options(weighted, smoothing, ignored),
                own=own,
                weights=w,
                official=lambda p, t: F.cross_entropy(p, t, **settings),
            )
        case(
            "cross_entropy",
            lambda p, t: F.cross_entropy(p, t, weight=cw, label_smoothing=smoothing, reduction="none"),
            [logits, soft],
            (0, 1),
            entropy_options(weighted, smoothing, False),
            weights=w,
            official=lambda p, t: F.cross_entropy(p, t, weight=cw, label_smoothing=smoothing),
        )
    for ignored in (False, True):
        target = some if ignored else labels
        own = (class_weights[target.clamp(min=0)] if weighted else torch.ones(N)) * (target >= 0)
        options = entropy_options(weighted, 0.0, ignored)
        del options["label_smoothing"]
        case(
            "negative_log_likelihood",
            lambda p, t: F.nll_loss(p, t, weight=cw, ignore_index=-1, reduction="none"),
            [torch.log_softmax(logits, -1), target],
            (0,),
            options,
            own=own,
            weights=w,
            official=lambda p, t: F.nll_loss(p, t, weight=cw, ignore_index=-1),
        )
# Large logits, and a batch of sequences: (2, 2, classes) with labels (2, 2).
case("cross_entropy", lambda p, t: F.cross_entropy(p, t, reduction="none"), [logits * 200 + 5000, labels], (0,))
case(
    "cross_entropy",
    lambda p, t: F.cross_entropy(p.flatten(0, 1), t.flatten(), reduction="none").reshape(2, 2),
    [logits.reshape(2, 2, C), labels.reshape(2, 2)],
    (0,),
    weights=w.reshape(2, 2),
)
case(
    "binary_cross_entropy",
    lambda p, t: F.binary_cross_entropy(p, t, reduction="none"),
    [chances, bits],
    (0,),
    weights=w,
    official=F.binary_cross_entropy,
)
positive_weight = torch.tensor([0.5, 2.0, 1.5])
for pw in (None, positive_weight):
    for target in (bits, chances):
        case(
            "binary_cross_entropy_with_logits",
            lambda p, t: F.binary_cross_entropy_with_logits(p, t, pos_weight=pw, reduction="none"),
            [logits, target],
            (0,),
            {} if pw is None else {"positive_weight": pw.tolist()},
            weights=w,
            official=lambda p, t: F.binary_cross_entropy_with_logits(p, t, pos_weight=pw),
        )
sparse = torch.where(soft > 0.15, soft, 0.0)
sparse = sparse / sparse.sum(-1, keepdim=True)
for target, wrt in ((soft, (0, 1)), (sparse, (0,))):
    case(
        "kl_divergence",
        lambda p, t: F.kl_div(p, t, reduction="none").sum(-1),
        [torch.log_softmax(logits, -1), target],
        wrt,
        {"from_logits": False},
        weights=w,
        official=lambda p, t: F.kl_div(p, t, reduction="batchmean"),
    )
    case(
        "kl_divergence",
        lambda p, t: F.kl_div(torch.log_softmax(p, -1), t, reduction="none").sum(-1),
        [logits, target],
        wrt,
        {"from_logits": True},
        weights=w,
    )
for margin in (1.0, 0.5):
    case("hinge", lambda p, t: F.relu(margin - t * p), [x, signs], (0,), {"margin": margin}, weights=w)
    case("squared_hinge", lambda p, t: F.relu(margin - t * p) ** 2, [x, signs], (0,), {"margin": margin}, weights=w)


def focal(p, t, gamma, alpha):
    """Of torchvision.ops.sigmoid_focal_loss."""
    probability = torch.sigmoid(p)
    entropy = F.binary_cross_entropy_with_logits(p, t, reduction="none")
    given = probability * t + (1 - probability) * (1 - t)
    loss = entropy * ((1 - given) ** gamma)
    return loss if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * loss


def focal_classes(p, t, gamma):
    entropy = F.cross_entropy(p, t, reduction="none")
    return (1 - torch.exp(-entropy)) ** gamma * entropy


for gamma in (2.0, 0.0, 1.5):
    for alpha in (None, 0.25):
        options = {"gamma": gamma} if alpha is None else {"gamma": gamma, "alpha": alpha}
        case("focal", lambda p, t: focal(p, t, gamma, alpha), [logits, bits], (0,), options, weights=w)
    case("focal", lambda p, t: focal_classes(p, t, gamma), [logits, labels], (0,), {"gamma": gamma}, weights=w)
case("cosine", lambda p, t: 1 - F.cosine_similarity(p, t, -1), [x, y], (0, 1), weights=w)
same = torch.tensor([1, -1, -1, 1])
for margin in (0.0, 0.3, -0.5):
    case(
        "cosine_embedding",
        lambda a, b, s: torch.where(s > 0, 1 - F.cosine_similarity(a, b, -1), F.relu(F.cosine_similarity(a, b, -1) - margin)),
        [x, y, same],
        (0, 1),
        {"margin": margin},
        weights=w,
        official=lambda a, b, s: F.cosine_embedding_loss(a, b, s, margin=margin),
    )
z = torch.randn(N, C)
for margin in (1.0, 0.2):
    case(
        "triplet",
        lambda a, p, n: F.relu((a - p).norm(dim=-1) - (a - n).norm(dim=-1) + margin),
        [x, y, z],
        (0, 1, 2),
        {"margin": margin},
        weights=w,
        official=lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=margin, eps=0.0),
    )

print("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]")
