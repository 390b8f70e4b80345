"""Reference values for the preprocessing of tables, from NumPy and datetime: writes tables.json.

The rules are those of include/pellucid/data.h, written down a second time. Run with any Python that has numpy:
python tests/reference/make_tables.py
"""

import csv
import datetime
import io
import json
import pathlib
import statistics

import numpy as np

HERE = pathlib.Path(__file__).parent
MAX_LEVELS, MIN_COUNT = 64, 8


def robust(values):
    low, middle, high = np.percentile(values, [25, 50, 75])
    spread = high - low if high > low else (max(values) - min(values)) / 2
    ends = np.percentile(values, [0.5, 99.5])
    far = max(ends[1] - middle, middle - ends[0]) / spread
    return middle, spread, "logarithm" if far > 5 else "clip"


def standard(values):
    return np.mean(values), np.std(values), ""


KNOTS = (np.arange(128) + 0.5) / 128
PLACES = np.array([statistics.NormalDist().inv_cdf(p) for p in KNOTS])


def quantile(values):
    return np.quantile(values, KNOTS)


def scale(fit, x):
    if x is None:
        return 0.0
    if len(fit) == len(KNOTS):
        same = np.flatnonzero(fit == x)
        return (PLACES[same[0]] + PLACES[same[-1]]) / 2 if len(same) else np.interp(x, fit, PLACES)
    center, spread, tails = fit
    z = (x - center) / spread
    if tails == "logarithm":
        return 3 * np.arcsinh(z / 3)
    return z / np.sqrt(1 + (z / 3) ** 2) if tails == "clip" else z


def number(text):
    return float(text) if text else None


def date_parts(text):
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    utc = when if when.tzinfo is None else when.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    days = (utc - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)
    return {"day": days, "month": when.month, "weekday": when.weekday(), "hour": when.hour}


def encode(column, kind, texts, training, fit):
    """Names of the inputs, and a list of inputs for each row."""
    train = [texts[i] for i in training]
    missing_input = any(t == "" for t in train)
    seen = [t for t in train if t != ""]
    if kind == "number":
        by = fit([number(t) for t in seen])
        names, rows = [column], [[scale(by, number(t))] for t in texts]
    elif kind == "date":
        parts = [date_parts(t) for t in seen]
        fits = {p: fit([d[p] for d in parts]) for p in parts[0] if len({d[p] for d in parts}) > 1}
        names = [f"{column}.{p}" for p in fits]
        rows = [[scale(fits[p], date_parts(t)[p]) if t else 0.0 for p in fits] for t in texts]
    else:
        counts = {t: seen.count(t) for t in seen}
        levels = sorted(counts, key=lambda t: (-counts[t], t))
        if len(levels) > 16 and (len(levels) > MAX_LEVELS or 4 * len(levels) > len(seen)):
            levels = [t for t in levels if counts[t] >= MIN_COUNT][:MAX_LEVELS]
        levels.sort()
        if len(levels) == 2 and len(counts) == 2:
            names = [f"{column}={levels[1]}"]
            rows = [[0.0 if t not in levels else -1.0 if t == levels[0] else 1.0] for t in texts]
        else:
            names, rows = [f"{column}={t}" for t in levels], [[float(t == u) for u in levels] for t in texts]
            if len(levels) < len(counts):
                names.append(f"{column} is another")
                rows = [row + [float(t != "" and t not in levels)] for row, t in zip(rows, texts)]
    if missing_input:
        names.append(f"{column} is missing")
        rows = [row + [float(t == "")] for row, t in zip(rows, texts)]
    return names, rows


def case(name, text, target, kinds, training, scaling, keep):
    """Encodes all columns in `kinds`; the others are those that the fit should drop."""
    table = list(csv.DictReader(io.StringIO(text)))
    names, inputs = [], [[] for _ in table]
    for column in table[0]:
        if column not in kinds:
            continue
        fit = {"robust": robust, "standard": standard, "quantile": quantile}[scaling]
        added, rows = encode(column, kinds[column], [row[column] for row in table], training, fit)
        names += added
        inputs = [before + after for before, after in zip(inputs, rows)]
    return {"name": name, "target": target, "scaling": scaling, "training": training, "input_names": names,
            "dropped": [c for c in table[0] if c not in kinds and c != target],
            "rows": keep, "x": [[float(f"{v:.9g}") for v in inputs[i]] for i in keep]}


def file_case(name, scaling):
    text = (HERE.parent / "data" / f"{name}.csv").read_text()
    columns = text.splitlines()[0].split(",")
    rows = len(text.splitlines()) - 1
    training = [i for i in range(rows) if i % 3]
    return {"file": f"{name}.csv"} | case(name, text, "target", {c: "number" for c in columns[:-1]}, training, scaling,
                                          list(range(0, rows, 12)))


def mixed():
    """A table with every kind of column; its last rows hold what the training rows do not."""
    rng = np.random.default_rng(11)
    rows = []
    for i in range(48):
        day = datetime.datetime(2023, 12, 30, 22) + datetime.timedelta(hours=int(rng.integers(0, 2000)), minutes=i)
        rows.append({
            "id": 1000 + 7 * i, "amount": "" if i % 11 == 5 else f"{np.exp(rng.normal(3, 2)):.4g}",
            "mostly zero": int(rng.integers(1, 4)) if i % 8 == 0 else 0, "always": 5,
            "yes or no": "" if i % 13 == 4 else rng.choice(["yes", "no"]),
            "colour": rng.choice(["red", "green", "dark, blue"]),
            "city": "A" if i % 3 == 0 else "B" if i % 3 == 1 and i < 27 else f"rare {i}",
            "when": "" if i == 9 else day.strftime("%Y-%m-%dT%H:%M") + rng.choice(["", "Z", "+02:00", "-09:30"]),
            "key": f"key {i}", "y": f"{rng.normal():.4g}"})
    rows[40] |= {"yes or no": "perhaps", "amount": "1e30", "colour": "violet", "city": "C"}
    rows[41] |= {"mostly zero": "", "colour": "", "amount": "-1e30"}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    kinds = {"amount": "number", "mostly zero": "number", "yes or no": "category", "colour": "category",
             "city": "category", "when": "date"}
    results = [case("mixed", out.getvalue(), "y", kinds, list(range(40)), scaling, list(range(0, 48, 3)) + [40, 41])
               for scaling in ("robust", "standard", "quantile")]
    for result in results:
        # Rare cities were folded in training, so that another one is nothing new.
        result |= {"text": out.getvalue(), "encoded": list(range(40, 48)),
                   "unseen": {"yes or no": 1, "colour": 1},
                   "newly_missing": {"mostly zero": 1, "colour": 1}}
    return results


cases = [file_case("iris", "robust"), file_case("iris", "standard"), file_case("wine", "robust")] + mixed()
(HERE / "tables.json").write_text(json.dumps(cases, indent=None, separators=(",", ":")).replace(',"', ',\n"') + "\n")
