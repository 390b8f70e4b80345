#!/usr/bin/env python3
"""Fits other methods on the tables of a folder, for bench/tables.py to compare with.

    python3 bench/references.py FOLDER [--tables iris,wine] [--splits 5] [--threads 2]

FOLDER holds NAME.csv and tables.json: {"NAME": {"target": COLUMN, "task": "classification" or "regression"}}. An empty
field is missing. Columns of numbers are numbers and all others categories, if "categorical": [COLUMN, ...] does not say
which. Each table is split 80/20 by train_test_split with the seeds 0, 1, ..., stratified by class. What the methods
reach on the 20 % goes to FOLDER/references.json; tables that are not named keep what they had there.
Needs pandas and scikit-learn; RealMLP also needs pytabkit, and is left out where that is not installed.

All have their authors' defaults. MLP and linear get numbers with the median in place of what is missing, standardised,
and one-hot categories (a missing one is a value of its own, an unseen one all zero); gradient boosting numbers as they
are and categories as the rank of their text; RealMLP numbers with the median and categories as they are.
"""

import argparse
import json
import logging
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

try:
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor
except ImportError:
    RealMLP_TD_S_Classifier = RealMLP_TD_S_Regressor = None


def read_table(path, entry):
    """The inputs, the target as numbers (classes by their order), and the names of number and category columns."""
    target, classify = entry["target"], entry["task"] == "classification"
    text = [*entry.get("categorical", []), *[target] * classify]
    table = pd.read_csv(path, dtype=dict.fromkeys(text, "object"), keep_default_na=False, na_values=[""])
    y = table.pop(target)
    for column in [column for column in table if column not in text and not pd.api.types.is_numeric_dtype(table[column])]:
        try:
            dates = pd.to_datetime(table[column].astype("object"), format="ISO8601", utc=True)
        except (TypeError, ValueError):
            continue
        days = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
        table = table.drop(columns=column).assign(**{f"{column} day": days, f"{column} month": dates.dt.month,
                                                     f"{column} weekday": dates.dt.weekday})
    numbers = list(table.select_dtypes("number"))
    table = table.astype({column: "object" for column in table if column not in numbers})
    return (table, np.unique(y, return_inverse=True)[1] if classify else y.to_numpy("float64"),
            (numbers, [column for column in table if column not in numbers]))


def make_models(classify, columns, seed, threads):
    """The models by name, each a pipeline that takes the inputs of read_table."""
    numbers, categories = columns
    one_hot = ColumnTransformer([
        ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("category", OneHotEncoder(handle_unknown="ignore"), categories)])
    ordinal = ColumnTransformer([
        ("number", "passthrough", numbers),
        ("category", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), categories)])
    mixed = ColumnTransformer([
        ("number", SimpleImputer(strategy="median"), numbers),
        ("category", SimpleImputer(strategy="constant", fill_value="missing"), categories),
    ], verbose_feature_names_out=False).set_output(transform="pandas")
    mlp = (MLPClassifier(random_state=seed) if classify else
           TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler()))
    boosting = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    models = {"mlp": make_pipeline(one_hot, mlp),
              "hist_gradient_boosting": make_pipeline(ordinal, boosting(random_state=seed)),
              "linear": make_pipeline(one_hot, LogisticRegression(max_iter=1000) if classify else Ridge())}
    if RealMLP_TD_S_Classifier:
        realmlp = RealMLP_TD_S_Classifier if classify else RealMLP_TD_S_Regressor
        models["realmlp"] = make_pipeline(mixed, realmlp(device="cpu", random_state=seed, n_threads=threads))
    return models


def score(model, classify, x, y):
    if not classify:
        return {"r2": r2_score(y, model.predict(x))}
    p = np.asarray(model.predict_proba(x), "float64")
    p /= p.sum(axis=1, keepdims=True)
    return {"accuracy": accuracy_score(y, p.argmax(axis=1)), "log_loss": log_loss(y, p, labels=range(p.shape[1]))}


def evaluate(path, entry, splits, threads):
    """{method: {metric: {mean, std}, fit_seconds}} of one table."""
    x, y, columns = read_table(path, entry)
    classify = entry["task"] == "classification"
    runs = {}
    for split in range(splits):
        x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=split,
                                                            stratify=y if classify else None)
        for name, model in make_models(classify, columns, split, threads).items():
            start = time.perf_counter()
            model.fit(x_train, y_train)
            seconds = time.perf_counter() - start
            runs.setdefault(name, []).append(score(model, classify, x_test, y_test) | {"fit_seconds": seconds})
    return {name: summarise(pd.DataFrame(rows)) for name, rows in runs.items()}


def summarise(rows):
    seconds = rows.pop("fit_seconds")
    metrics = {metric: {"mean": round(float(rows[metric].mean()), 6), "std": round(float(rows[metric].std(ddof=0)), 6)}
               for metric in rows}
    return metrics | {"fit_seconds": round(float(seconds.mean()), 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default="")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    entries = json.loads((arguments.folder / "tables.json").read_text())
    output = arguments.folder / "references.json"
    results = json.loads(output.read_text())["tables"] if output.exists() else {}
    for name in [name for name in arguments.tables.split(",") if name] or entries:
        with threadpool_limits(arguments.threads):
            models = evaluate(arguments.folder / f"{name}.csv", entries[name], arguments.splits, arguments.threads)
        results[name] = {"task": entries[name]["task"], "splits": arguments.splits, "models": models}
        kept = {table: results[table] for table in entries if table in results}
        output.write_text(json.dumps({"tables": kept}, indent=1) + "\n")
        print(name, {method: next(iter(row.values()))["mean"] for method, row in models.items()}, flush=True)


if __name__ == "__main__":
    main()
