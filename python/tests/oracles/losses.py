"""Every loss against PyTorch's, or its formula in PyTorch: values and gradients by the prediction, with and without weights."""

import numpy as np

import pellucid as pl

from . import draw
from .compare import Case
from .torch_oracle import F, to_oracle, torch, vjp  # noqa: F401


def names():
    return [f"loss.{n}" for n in dir(pl.loss) if n[0].islower() and not n.startswith("_")]


WITHOUT = {"reduce": "puts numbers together for losses of one's own; python/tests/test_train.py holds it"}


def maker(name):
    name = name.removeprefix("loss.")
    return WITHOUT.get(name) or SPECS.get(name)


def reduced(each, weights, reduction):
    if weights is not None:
        each = each * (weights if weights.ndim == each.ndim else weights.reshape(-1, *[1] * (each.ndim - 1)))
    if reduction == "none":
        return each
    if reduction == "sum":
        return each.sum()
    if weights is None:
        return each.mean()
    total = weights.sum() * (each.numel() / weights.numel())
    return each.sum() / total


def loss_case(make, each, shape=(5, 3), target=None, prediction=None, differentiable=(0,)):
    """make(reduction) -> the engine's loss; each(p, t) -> one number for each element or sample, in PyTorch."""

    def case(rng):
        dtype = draw.pick(rng, ["float32", "float64"])
        p = draw.values(rng, shape, dtype, False)
        p = p if prediction is None else prediction(p).astype(dtype)
        t = draw.values(rng, shape, dtype, False) if target is None else target(rng, shape)
        t = t.astype(dtype) if t.dtype.kind == "f" else t
        reduction = draw.pick(rng, ["mean", "sum", "none"])
        loss = make(reduction)
        inputs = [p, t]
        if rng.random() < 0.5:
            inputs.append(rng.random(shape[0]).astype(dtype) + np.asarray(0.1, dtype))
        return Case(lambda p, t, *w: loss(p, t, *w), lambda p, t, *w: reduced(each(p, t), w[0] if w else None, reduction), inputs,
                    dtype, differentiable, None, None, 200.0)

    return case


def labels(classes):
    return lambda rng, shape: rng.integers(0, classes, shape[:-1])


def signs(rng, shape):
    return np.where(rng.random(shape) < 0.5, -1.0, 1.0)


def shares(rng, shape):
    x = rng.random(shape) + 0.05
    return x / x.sum(axis=-1, keepdims=True)


def bits(rng, shape):
    return (rng.random(shape) < 0.5).astype(float)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gaussian_case(rng):
    dtype = draw.pick(rng, ["float32", "float64"])
    p, t = draw.values(rng, (5, 6), dtype, False), draw.values(rng, (5, 3), dtype, False)
    loss = pl.loss.GaussianNegativeLogLikelihood(full=True)
    return Case(lambda p, t: loss(p, t),
                lambda p, t: F.gaussian_nll_loss(p[:, :3], t, torch.exp(p[:, 3:]), full=True, eps=1e-30), [p, t], dtype, (0, 1), None, None, 200.0)


def three(loss, each, third):
    def case(rng):
        dtype = draw.pick(rng, ["float32", "float64"])
        x, y = draw.values(rng, (5, 4), dtype, False), draw.values(rng, (5, 4), dtype, False)
        return Case(lambda x, y, z: loss(x, y, z), each, [x, y, third(rng, dtype)], dtype, (0, 1), None, None, 200.0)

    return case


def ctc_case(rng):
    dtype = draw.pick(rng, ["float32", "float64"])
    logits, target = draw.values(rng, (3, 9, 5), dtype, False), rng.integers(1, 5, (3, 3))
    return Case(lambda p, t: pl.loss.ctc(p, t),
                lambda p, t: F.ctc_loss(F.log_softmax(p, -1).transpose(0, 1), t, torch.full((3,), 9), torch.full((3,), 3)),
                [logits, target], dtype, (0,), None, None, 400.0)


def focal(p, t):
    q = torch.where(t > 0.5, torch.sigmoid(p), torch.sigmoid(-p))
    return -((1 - q) ** 2) * torch.log(q)


def dice(p, t):
    return 1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)


SPECS = {
    "mean_squared_error": loss_case(lambda r: pl.loss.MeanSquaredError(reduction=r), lambda p, t: (p - t) ** 2),
    "mean_absolute_error": loss_case(lambda r: pl.loss.MeanAbsoluteError(reduction=r), lambda p, t: (p - t).abs()),
    "huber": loss_case(lambda r: pl.loss.Huber(delta=0.7, reduction=r),
                       lambda p, t: F.huber_loss(p, t, reduction="none", delta=0.7)),
    "log_cosh": loss_case(lambda r: pl.loss.LogCosh(reduction=r), lambda p, t: torch.log(torch.cosh(p - t))),
    "quantile": loss_case(lambda r: pl.loss.Quantile(quantile=0.8, reduction=r),
                          lambda p, t: torch.maximum(0.8 * (t - p), -0.2 * (t - p))),
    "poisson_negative_log_likelihood": loss_case(
        lambda r: pl.loss.PoissonNegativeLogLikelihood(full=True, reduction=r),
        lambda p, t: F.poisson_nll_loss(p, t, log_input=True, full=True, reduction="none"),
        target=lambda rng, s: rng.integers(0, 6, s).astype(float)),
    "gaussian_negative_log_likelihood": gaussian_case,
    "cross_entropy": loss_case(lambda r: pl.loss.CrossEntropy(label_smoothing=0.1, reduction=r),
                               lambda p, t: F.cross_entropy(p, t, reduction="none", label_smoothing=0.1), target=labels(3)),
    "negative_log_likelihood": loss_case(lambda r: pl.loss.NegativeLogLikelihood(reduction=r),
                                         lambda p, t: F.nll_loss(p, t, reduction="none"), target=labels(3)),
    "binary_cross_entropy": loss_case(lambda r: pl.loss.BinaryCrossEntropy(reduction=r),
                                      lambda p, t: F.binary_cross_entropy(p, t, reduction="none"), target=bits, prediction=sigmoid),
    "binary_cross_entropy_with_logits": loss_case(
        lambda r: pl.loss.BinaryCrossEntropyWithLogits(reduction=r),
        lambda p, t: F.binary_cross_entropy_with_logits(p, t, reduction="none"), target=bits),
    "kl_divergence": loss_case(lambda r: pl.loss.KLDivergence(from_logits=True, reduction=r),
                               lambda p, t: F.kl_div(F.log_softmax(p, -1), t, reduction="none").sum(-1), target=shares),
    "hinge": loss_case(lambda r: pl.loss.Hinge(reduction=r), lambda p, t: torch.relu(1 - t * p), target=signs),
    "squared_hinge": loss_case(lambda r: pl.loss.SquaredHinge(reduction=r), lambda p, t: torch.relu(1 - t * p) ** 2, target=signs),
    "focal": loss_case(lambda r: pl.loss.Focal(reduction=r), focal, target=bits),
    "cosine": loss_case(lambda r: pl.loss.Cosine(reduction=r), lambda p, t: 1 - F.cosine_similarity(p, t, -1, 0.0)),
    "dice": loss_case(lambda r: pl.loss.Dice(reduction=r), dice, shape=(3, 5, 2), target=bits, prediction=sigmoid),
    "cosine_embedding": three(pl.loss.CosineEmbedding(margin=0.2), lambda x, y, z: torch.where(
        z > 0, 1 - F.cosine_similarity(x, y, -1, 0.0), torch.relu(F.cosine_similarity(x, y, -1, 0.0) - 0.2)).mean(),
                              lambda rng, dtype: signs(rng, (5,)).astype(dtype)),
    "triplet": three(pl.loss.Triplet(margin=1.0), lambda x, y, z: torch.relu(
        torch.sqrt(((x - y) ** 2).sum(-1) + 1e-12) - torch.sqrt(((x - z) ** 2).sum(-1) + 1e-12) + 1).mean(),
        lambda rng, dtype: draw.values(rng, (5, 4), dtype, False)),
    "ctc": ctc_case,
}
