#!/usr/bin/env python3
"""Trains on tables with the program's defaults, and puts the results beside those of other methods.

    python3 bench/tables.py FOLDER [--tables iris,wine] [--splits 5] [--jobs 1] [--program build/release/pellucid] [-- OPTIONS]

FOLDER holds NAME.csv, tables.json ({"NAME": {"target": COLUMN, "task": "classification" or "regression"}}) and
references.json (results of other methods on the same splits). Each table is split 80/20 by scikit-learn's
train_test_split with the seeds 0, 1, ..., stratified by class; `pellucid train` gets the 80 %, and what is printed is
measured on the 20 % that it never sees, as mean over the splits. Everything after -- goes to `pellucid train`. Needs
scikit-learn.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sklearn.model_selection import train_test_split

NAMES = {"classification": {"accuracy": "accuracy", "log_loss": "log_loss", "auc": "roc_auc"},
         "regression": {"r2": "r2", "rmse": "root_mean_squared_error"}}


def one_split(program, folder, table, about, seed, options):
    """Metrics on the held-out rows, and the seconds that training took."""
    with open(folder / f"{table}.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    target = about["target"]
    column = header.index(target)
    stratify = [row[column] for row in rows] if about["task"] == "classification" else None
    train, test = train_test_split(rows, test_size=0.2, random_state=seed, stratify=stratify)
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        for name, part in ("train", train), ("test", test):
            with open(place / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([header, *part])
        model = place / "model.safetensors"
        start = time.monotonic()
        subprocess.run([program, "train", place / "train.csv", "--target", target, "--task", about["task"], "--out", model,
                        "--seed", str(seed), "--quiet", *options], check=True)
        seconds = time.monotonic() - start
        line = subprocess.run([program, "evaluate", model, place / "test.csv", "--json"], check=True, capture_output=True,
                              text=True).stdout
    metrics = json.loads(line)["metrics"]
    result = {ours: metrics[theirs] for ours, theirs in NAMES[about["task"]].items()}
    result["fit_seconds"] = seconds
    return result


def main():
    own, _, options = (list(part) for part in split_at(sys.argv[1:], "--"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default="")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--program", default="build/release/pellucid")
    arguments = parser.parse_args(own)
    tables = json.loads((arguments.folder / "tables.json").read_text())
    references = json.loads((arguments.folder / "references.json").read_text())["tables"]
    chosen = [name for name in arguments.tables.split(",") if name] or list(tables)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {name: [pool.submit(one_split, arguments.program, arguments.folder, name, tables[name], seed, options)
                       for seed in range(arguments.splits)] for name in chosen}
        for name in chosen:
            results = [run.result() for run in runs[name]]
            others = {method: {metric: value["mean"] if isinstance(value, dict) else value for metric, value in row.items()}
                      for method, row in references[name]["models"].items()}
            ours = {metric: statistics.mean(result[metric] for result in results) for metric in results[0]}
            print(f"{name}")
            for method, row in {"pellucid": ours, **others}.items():
                print(f"  {method:24}" + "".join(f"  {metric} {row[metric]:9.4f}" for metric in ours), flush=True)


def split_at(words, mark):
    at = words.index(mark) if mark in words else len(words)
    return words[:at], mark, words[at + 1:]


if __name__ == "__main__":
    main()
