"""Estimators as HTML: their parameters and, once they are fitted, how training went."""

import html
import math


def _row(name, value):
    return f"<tr><td style='text-align:left'>{html.escape(str(name))}</td><td style='text-align:left'>{html.escape(str(value))}</td></tr>"


def curve(series, width=320, height=120):
    """An SVG picture of curves by epoch: {name: values}; the losses' axis is logarithmic where all are positive."""
    series = {name: [v for v in values if v is not None and math.isfinite(v)] for name, values in series.items()}
    series = {name: values for name, values in series.items() if len(values) > 1}
    if not series:
        return ""
    every = [v for values in series.values() for v in values]
    scale = math.log if min(every) > 0 else float
    low, high = scale(min(every)), scale(max(every))
    span = high - low or 1.0
    parts = []
    for i, (name, values) in enumerate(series.items()):
        colour = ("#1f77b4", "#d62728")[i % 2]
        points = " ".join(f"{4 + (width - 8) * k / (len(values) - 1):.1f},{4 + (height - 8) * (1 - (scale(v) - low) / span):.1f}"
                          for k, v in enumerate(values))
        parts.append(f'<polyline fill="none" stroke="{colour}" points="{points}"/>')
        parts.append(f'<text x="{width - 6}" y="{16 + 14 * i}" text-anchor="end" font-size="11" fill="{colour}">'
                     f"{html.escape(name)}</text>")
    return f'<svg width="{width}" height="{height}" role="img" aria-label="loss by epoch">{"".join(parts)}</svg>'


def page(estimator):
    """What _repr_html_ gives."""
    given = estimator._changed_params()
    rows = "".join(_row(name, repr(value)) for name, value in given.items()) or _row("all parameters", "as by default")
    text = f"<div><b>{html.escape(type(estimator).__name__)}</b><table>{rows}</table>"
    if not estimator.__sklearn_is_fitted__():
        return text + "<p>not fitted</p></div>"
    text += f"<p>{html.escape(str(estimator.result_))}</p><table>"
    for name, value in estimator._facts().items():
        text += _row(name, value)
    history = estimator.result_.history
    text += "</table>" + curve({"loss": [e.loss for e in history], "validation": [e.validation_loss for e in history]})
    return text + "</div>"
