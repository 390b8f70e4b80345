#!/usr/bin/env python3
"""Writes metrics.json: metrics by scikit-learn in float64 on small data with ties, rare classes and weights.
Run with a Python that has scikit-learn: make_metrics.py > metrics.json
"""

import json
import warnings

import numpy as np
from sklearn import metrics as m

warnings.simplefilter("ignore")
r = np.random.default_rng(7)
sets = []


def calibration(p, t, bins, w):
    """Guo et al. 2017, equation 3: scikit-learn has none."""
    confidence, right = p.max(1), (p.argmax(1) == t).astype(float)
    bin_of = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1)
    total = 0.0
    for b in range(bins):
        inside = bin_of == b
        if w[inside].sum() > 0:
            gap = np.average(confidence[inside], weights=w[inside]) - np.average(right[inside], weights=w[inside])
            total += w[inside].sum() / w.sum() * abs(gap)
    return total


def classes(n, k, weighted, ties, only=None):
    t = r.integers(0, only or k, n)
    t[:k] = np.arange(k) if only is None else t[:k]
    z = r.normal(size=(n, k)) + 1.5 * np.eye(k)[t]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    if ties:
        p = np.round(p * 4) / 4 + 1e-3
        p = p / p.sum(1, keepdims=True)
    w = r.random(n) if weighted else np.ones(n)
    y = p.argmax(1)
    kw = {"sample_weight": w}
    out = {"accuracy": m.accuracy_score(t, y, **kw), "confusion": m.confusion_matrix(t, y, labels=range(k), **kw).tolist()}
    for average in ("macro", "micro", "weighted") + (("binary",) if k == 2 else ()):
        s = m.precision_recall_fscore_support(t, y, average=average, zero_division=0, **kw)
        out[average] = [float(x) for x in s[:3]]
    for top in (1, 2, 3):
        if top <= k and k > 2:
            out[f"top_{top}"] = m.top_k_accuracy_score(t, p, k=top, labels=range(k), **kw)
    if only is None:
        if k == 2:
            out["roc_auc_of_1"] = m.roc_auc_score(t, p[:, 1], **kw)
        else:
            each = [m.roc_auc_score(t == c, p[:, c], **kw) for c in range(k)]
            out["roc_auc"] = float(np.mean(each))
            if not weighted:
                assert abs(out["roc_auc"] - m.roc_auc_score(t, p, multi_class="ovr", average="macro")) < 1e-14
    out["log_loss"] = m.log_loss(t, p, labels=range(k), **kw)
    for bins in (5, 15):
        out[f"calibration_{bins}"] = calibration(p, t, bins, w)
    sets.append(
        {
            "kind": "classes",
            "target": t.tolist(),
            "scores": p.tolist(),
            "weights": w.tolist() if weighted else None,
            "expected": out,
        }
    )


def numbers(n, k, weighted):
    t = r.normal(size=(n, k)) * 3 + 1
    p = t + r.normal(size=(n, k))
    w = r.random(n) if weighted else np.ones(n)
    kw = {"sample_weight": w}
    out = {
        "mean_absolute_error": m.mean_absolute_error(t, p, **kw),
        "mean_squared_error": m.mean_squared_error(t, p, **kw),
        "root_mean_squared_error": float(np.sqrt(m.mean_squared_error(t, p, **kw))),
        "r2": m.r2_score(t, p, **kw),
    }
    sets.append(
        {
            "kind": "numbers",
            "target": t.tolist(),
            "prediction": p.tolist(),
            "weights": w.tolist() if weighted else None,
            "expected": out,
        }
    )


for weighted in (False, True):
    for ties in (False, True):
        classes(40, 2, weighted, ties)
        classes(40, 4, weighted, ties)
    classes(30, 5, weighted, True, only=3)
    numbers(20, 1, weighted)
    numbers(20, 3, weighted)
print("[\n" + ",\n".join(json.dumps(s, default=float) for s in sets) + "\n]")
