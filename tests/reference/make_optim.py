#!/usr/bin/env python3
"""Makes optim.json and schedule.json: what PyTorch and Optax compute in float64, for optim_test and schedule_test.

Run with torch, optax and scipy installed: `python make_optim.py`. The problem is 16 parameters (a weight [3, 4] and a bias
[4]) whose gradient c (w - target) + noise(t) is made of exact small fractions, so that both sides compute the same bits.
"""
import json
import os

os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
import torch  # noqa: E402

torch.set_default_dtype(torch.float64)  # NAdam keeps a scalar of the default type

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 1000
KEEP = (1, 10, 100, 1000)
INDEX = np.arange(16)
START = np.where(INDEX < 12, 1 + INDEX / 16, -1 - (INDEX - 12) / 8)
CURVATURE = 0.5 + (INDEX * 5 % 7) / 8
TARGET = np.where(INDEX < 12, 1.5 + INDEX * 3 % 5, -2.5 - INDEX % 3)


def noise(t):
    return ((t * 7919 + INDEX * 104729 + 13) % 1009) / 1009 - 0.5


def gradient(w, t):
    return CURVATURE * (w - TARGET) + noise(t)


def cut(flat):
    return flat[:12].reshape(3, 4), flat[12:]


def with_torch(make, schedule=None, change=None, ema=None, every=1):
    """make(parameters) -> optimizer; change(w, g) -> g; ema: decay, whose average is kept too."""
    parameters = [torch.nn.Parameter(torch.tensor(p)) for p in cut(START)]
    optimizer = make(parameters)
    scheduler = schedule(optimizer) if schedule else None
    averaged = None
    if ema:
        module = torch.nn.ParameterList(parameters)
        averaged = torch.optim.swa_utils.AveragedModel(
            module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(ema))
        averaged.update_parameters(module)  # the first call copies
    flat = lambda ps: np.concatenate([p.detach().numpy().ravel() for p in ps])
    out = {}
    total = 0
    for t in range(STEPS):
        w = flat(parameters)
        g = gradient(w, t)
        if change:
            g = change(w, g)
        total = total + g
        if (t + 1) % every == 0:
            for p, part in zip(parameters, cut(total / every)):
                p.grad = torch.tensor(part)
            optimizer.step()
            total = 0
        if scheduler:
            scheduler.step()
        if averaged:
            averaged.update_parameters(module)
        if t + 1 in KEEP:
            out[str(t + 1)] = (flat(averaged.parameters()) if averaged else flat(parameters)).tolist()
    return out


def with_optax(transformation):
    parameters = tuple(jnp.asarray(p) for p in cut(START))
    state = transformation.init(parameters)
    out = {}
    for t in range(STEPS):
        w = np.concatenate([np.asarray(p).ravel() for p in parameters])
        gradients = tuple(jnp.asarray(p) for p in cut(gradient(w, t)))
        updates, state = transformation.update(gradients, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        if t + 1 in KEEP:
            out[str(t + 1)] = np.concatenate([np.asarray(p).ravel() for p in parameters]).tolist()
    return out


def each_norm(w, g, most=1.0):
    parts = [p * min(1.0, most / np.sqrt(np.sum(p * p))) for p in cut(g)]
    return np.concatenate([p.ravel() for p in parts])


def optimizers():
    o = torch.optim
    plain = lambda kind, **k: with_torch(lambda p: kind(p, foreach=False, **k))
    yield "sgd", plain(o.SGD, lr=0.05)
    yield "sgd_momentum", plain(o.SGD, lr=0.05, momentum=0.9)
    yield "sgd_nesterov", plain(o.SGD, lr=0.05, momentum=0.9, nesterov=True)
    yield "sgd_decay", plain(o.SGD, lr=0.05, momentum=0.9, weight_decay=0.01)
    yield "sgd_decoupled", with_optax(optax.chain(optax.trace(0.9), optax.add_decayed_weights(0.01), optax.scale(-0.05)))
    yield "adam", plain(o.Adam, lr=1e-3)
    yield "adam_fast", plain(o.Adam, lr=0.05, betas=(0.8, 0.95), eps=1e-4)
    yield "adam_decay", plain(o.Adam, lr=0.01, weight_decay=0.1)
    yield "adamw", plain(o.AdamW, lr=0.01)
    yield "adamw_decay", plain(o.AdamW, lr=0.02, weight_decay=0.2)
    yield "amsgrad", plain(o.Adam, lr=0.01, amsgrad=True)
    yield "amsgrad_decoupled", plain(o.AdamW, lr=0.01, amsgrad=True, weight_decay=0.1)
    yield "nadam", plain(o.NAdam, lr=2e-3)
    yield "nadam_decay", plain(o.NAdam, lr=0.01, momentum_decay=0.02, weight_decay=0.05)
    yield "nadam_decoupled", plain(o.NAdam, lr=0.01, weight_decay=0.05, decoupled_weight_decay=True)
    yield "radam", plain(o.RAdam, lr=0.01)
    yield "radam_decay", plain(o.RAdam, lr=0.01, weight_decay=0.05)
    yield "radam_decoupled", plain(o.RAdam, lr=0.01, betas=(0.9, 0.99), weight_decay=0.05, decoupled_weight_decay=True)
    yield "adamax", plain(o.Adamax, lr=2e-3)
    yield "adamax_decay", plain(o.Adamax, lr=0.01, weight_decay=0.05)
    yield "rmsprop", plain(o.RMSprop, lr=0.01)
    yield "rmsprop_momentum", plain(o.RMSprop, lr=2e-3, momentum=0.9)
    yield "rmsprop_centered", plain(o.RMSprop, lr=0.01, centered=True, weight_decay=0.01)
    yield "rmsprop_all", plain(o.RMSprop, lr=2e-3, alpha=0.9, eps=1e-6, momentum=0.8, centered=True)
    yield "adagrad", plain(o.Adagrad, lr=0.1)
    yield "adagrad_decay", plain(o.Adagrad, lr=0.1, lr_decay=0.01, weight_decay=0.01, initial_accumulator_value=0.1)
    yield "adadelta", plain(o.Adadelta, lr=1.0)
    yield "adadelta_decay", plain(o.Adadelta, lr=0.5, rho=0.95, weight_decay=0.01)
    yield "lion", with_optax(optax.lion(0.01, weight_decay=0.0))
    yield "lion_decay", with_optax(optax.lion(0.003, b1=0.95, b2=0.98, weight_decay=0.1))
    yield "lamb", with_optax(optax.lamb(0.01))
    yield "lamb_decay", with_optax(optax.lamb(0.003, weight_decay=0.05))

    sgd = lambda p: o.SGD(p, lr=0.05, momentum=0.9, foreach=False)
    yield "clip_value", with_optax(optax.chain(optax.clip(0.4), optax.sgd(0.05, momentum=0.9)))
    yield "clip_norm", with_torch(sgd, change=each_norm)
    yield "clip_global_norm", with_optax(optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.05, momentum=0.9)))
    yield "l1_l2", with_torch(sgd, change=lambda w, g: g + 0.02 * np.sign(w) + 0.03 * w)
    yield "average", with_torch(sgd, ema=0.99)
    yield "accumulate", with_torch(lambda p: o.Adam(p, lr=0.01, foreach=False), every=4)
    yield "groups", with_torch(lambda p: o.Adam([{"params": p[0], "lr": 0.01, "weight_decay": 0.1},
                                                 {"params": p[1], "lr": 0.002}], foreach=False))
    cosine = optax.cosine_decay_schedule(0.05, 1000, alpha=0.1)
    yield "sgd_cosine", with_optax(optax.sgd(cosine, momentum=0.9))
    rate = lambda t: t / 50 if t < 50 else 0.999 ** (t - 50)  # Optax divides int32 counts in float32
    yield "adamw_warm_up", with_torch(lambda p: o.AdamW(p, lr=0.01, weight_decay=0.1, foreach=False),
                                      lambda opt: o.lr_scheduler.LambdaLR(opt, rate))
    yield "adam_steps", with_torch(lambda p: o.Adam(p, lr=0.02, foreach=False),
                                   lambda opt: o.lr_scheduler.MultiStepLR(opt, [300, 600, 900], 0.5))


def rates_torch(initial, make, closed=True):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=initial)
    scheduler = make(optimizer)
    out = []
    for t in range(STEPS):
        if closed and hasattr(scheduler, "_get_closed_form_lr"):
            scheduler.last_epoch = t
            out.append(float(scheduler._get_closed_form_lr()[0]))
        else:
            out.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            scheduler.step()
    return out


def rates_optax(schedule):
    return [float(schedule(jnp.asarray(t, jnp.int64))) for t in range(STEPS)]


def plateau(values, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **options)
    out = []
    for value in values:
        scheduler.step(value)
        out.append(optimizer.param_groups[0]["lr"])
    return out


def falling():
    """A loss that falls, stalls, falls again, and has a NaN: exact fractions."""
    return [8 / (1 + min(i, 40)) + (i * 37 % 11) / 64 - (1 / 8 if i > 120 else 0) for i in range(200)]


def schedules():
    s = torch.optim.lr_scheduler
    yield "step", rates_torch(0.1, lambda o: s.StepLR(o, 30, 0.7))
    yield "multi_step", rates_torch(0.1, lambda o: s.MultiStepLR(o, [100, 250, 251, 800], 0.3))
    yield "exponential", rates_torch(0.1, lambda o: s.ExponentialLR(o, 0.995))
    yield "polynomial", rates_torch(0.1, lambda o: s.PolynomialLR(o, 800, 2.0))
    yield "polynomial_to", rates_optax(optax.polynomial_schedule(0.1, 0.01, 1.5, 600))
    yield "linear", rates_optax(optax.polynomial_schedule(0.1, 0.001, 1, 900))
    yield "cosine", rates_optax(optax.cosine_decay_schedule(0.1, 900, alpha=0.01))
    yield "cosine_torch", rates_torch(0.1, lambda o: s.CosineAnnealingLR(o, 1000, 1e-3))
    yield "warm_restarts", rates_torch(0.1, lambda o: s.CosineAnnealingWarmRestarts(o, 70, 1, 1e-4), closed=False)
    yield "warm_restarts_doubling", rates_torch(0.1, lambda o: s.CosineAnnealingWarmRestarts(o, 30, 2, 1e-4),
                                                closed=False)
    yield "one_cycle", rates_torch(0.1, lambda o: s.OneCycleLR(o, 0.1, total_steps=1000, cycle_momentum=False),
                                   closed=False)
    yield "one_cycle_linear", rates_torch(
        0.1, lambda o: s.OneCycleLR(o, 0.1, total_steps=1000, pct_start=0.25, anneal_strategy="linear", div_factor=10,
                                    final_div_factor=100, cycle_momentum=False), closed=False)
    yield "warm_up_cosine", rates_optax(optax.warmup_cosine_decay_schedule(0.0, 0.1, 100, 1000, 0.001))
    yield "warm_up_exponential", rates_optax(
        optax.join_schedules([optax.linear_schedule(0.01, 0.1, 50), optax.exponential_decay(0.1, 1, 0.997)], [50]))


def lbfgs():
    """Iterates of PyTorch's L-BFGS with strong Wolfe conditions on the chained Rosenbrock function of 6 unknowns."""
    x = torch.nn.Parameter(torch.tensor([-1.25, 1.0, -0.5, 0.75, 1.5, -1.0], dtype=torch.float64))
    optimizer = torch.optim.LBFGS([x], lr=1, max_iter=1, max_eval=100, history_size=5, tolerance_grad=1e-9,
                                  tolerance_change=1e-15, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        loss.backward()
        return loss

    out = []
    for _ in range(12):
        optimizer.step(closure)
        out.append(x.detach().numpy().tolist())
    return out


def main():
    data = {"steps": STEPS, "optimizers": dict(optimizers()), "lbfgs": lbfgs()}
    with open(os.path.join(HERE, "optim.json"), "w") as file:
        lines = [f'  "{name}": {json.dumps(value)}' for name, value in data["optimizers"].items()]
        file.write('{"optimizers": {\n' + ",\n".join(lines) + '},\n"lbfgs": ' + json.dumps(data["lbfgs"]) + "}\n")
    kept = [*range(0, 120, 3), *range(120, 1000, 17), 99, 100, 249, 250, 251, 799, 800, 899, 900, 998, 999]
    out = {}
    for name, rates in schedules():
        out[name] = {"steps": kept, "rates": [rates[t] for t in kept], "sum": float(np.sum(np.array(rates)))}
    values = falling()
    plateaus = {
        "rel_min": plateau(values, factor=0.5, patience=5, threshold=1e-2, cooldown=3, min_lr=1e-3),
        "abs_min": plateau(values, factor=0.3, patience=8, threshold=0.05, threshold_mode="abs"),
        "rel_max": plateau([-v for v in values], mode="max", factor=0.9, patience=0, threshold=0.1),
    }
    with open(os.path.join(HERE, "schedule.json"), "w") as file:
        lines = [f'  "{name}": {json.dumps(value)}' for name, value in out.items()]
        lines_plateau = [f'  "{name}": {json.dumps(value)}' for name, value in plateaus.items()]
        file.write('{"schedules": {\n' + ",\n".join(lines) + '},\n"values": ' + json.dumps(values) +
                   ',\n"plateaus": {\n' + ",\n".join(lines_plateau) + "}}\n")


if __name__ == "__main__":
    main()
