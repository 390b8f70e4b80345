#!/usr/bin/env python3
"""Trains on tables with the program's defaults, and puts the results beside those of other methods.

    python3 bench/tables.py FOLDER [--tables iris,wine] [--splits N] [--seeds 1] [--jobs 1] [--program build/release/pellucid] [--save FILE] [--against FILE] [-- OPTIONS]

FOLDER holds NAME.csv, tables.json ({"NAME": {"target": COLUMN, "task": "classification" or "regression"}}) and,
if there is something to compare with, references.json (results of other methods on the same splits: made by
bench/references.py; --splits is by default their number, 5 without them). Each table is split 80/20 by scikit-learn's
train_test_split with the seeds 0, 1, ..., stratified by class; `pellucid train` gets the 80 %, and what is printed is
measured on the 20 % that it never sees, as mean over the splits: accuracy or R2 and the rank among the methods (1 is
best; equal ones share), log loss, calibration error (15 bins, of all splits' predictions together), the share of truths
within the 90 % intervals, and the seconds of training. Everything after -- goes to `pellucid train`. Needs scikit-learn.

--seeds N trains N times on each split, by other seeds, and takes their mean: one seed may be lucky.
--save keeps what came of each split; --against compares with a run that was kept, split by split: by how much of the
error (1 - accuracy, 1 - R2) and of the log loss is gone, with the standard error over the splits.
"""

import argparse
import csv
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sklearn.model_selection import train_test_split

BINS = 15
SPLITS = 5
KEPT = "score", "log_loss", "seconds"


def one_split(program, folder, table, about, split, seed, options):
    """What is measured on the held-out rows, and the seconds that training took."""
    with open(folder / f"{table}.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    target = about["target"]
    column = header.index(target)
    classify = about["task"] == "classification"
    train, test = train_test_split(rows, test_size=0.2, random_state=split,
                                   stratify=[row[column] for row in rows] if classify else None)
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
        subprocess.run([program, "predict", model, place / "test.csv", "--out", place / "said.csv"], check=True)
        with open(place / "said.csv", newline="", encoding="utf-8") as file:
            said = list(csv.DictReader(file))
    truth = [row[column] for row in test]
    result = {"seconds": seconds}
    if classify:
        result["score"] = statistics.mean(row[target] == true for row, true in zip(said, truth))
        result["log_loss"] = -statistics.mean(math.log(max(float(row[f"probability_{true}"]), 1e-15))
                                              for row, true in zip(said, truth))
        result["calls"] = [(max(float(p) for name, p in row.items() if name.startswith("probability_")),
                            row[target] == true) for row, true in zip(said, truth)]
        return result
    truth = [float(true) for true in truth]
    mean = statistics.mean(truth)
    result["score"] = 1 - (sum((float(row[target]) - true) ** 2 for row, true in zip(said, truth))
                           / sum((true - mean) ** 2 for true in truth))
    if target + "_lower" in said[0]:
        result["inside"] = [float(row[target + "_lower"]) <= true <= float(row[target + "_upper"])
                            for row, true in zip(said, truth)]
    return result


def mean_of(results):
    """Of several seeds: the mean of numbers, and all predictions together."""
    if len(results) == 1:
        return results[0]
    return {key: sum((result[key] for result in results), []) if isinstance(results[0][key], list)
            else statistics.mean(result[key] for result in results) for key in results[0]}


def calibration_error(calls):
    """The mean distance between how sure and how right the predictions of one bin of sureness are."""
    bins = [[] for _ in range(BINS)]
    for sure, right in calls:
        bins[min(int(sure * BINS), BINS - 1)].append((sure, right))
    return sum(abs(sum(sure for sure, _ in part) - sum(right for _, right in part)) for part in bins) / len(calls)


def rank(ours, others):
    """1 for the best; equal ones share the mean of their places."""
    return 1 + sum(other > ours for other in others) + sum(other == ours for other in others) / 2


def main():
    own, options = split_at(sys.argv[1:], "--")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default="")
    parser.add_argument("--splits", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--program", default="build/release/pellucid")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args(own)
    tables = json.loads((arguments.folder / "tables.json").read_text())
    compared = arguments.folder / "references.json"
    references = json.loads(compared.read_text())["tables"] if compared.exists() else {}
    chosen = [name for name in arguments.tables.split(",") if name] or list(tables)
    nothing = {"models": {}}
    methods = list(dict.fromkeys(["pellucid", *(method for name in chosen
                                                for method in references.get(name, nothing)["models"])]))
    ranks = {method: [] for method in methods}
    errors, coverage, behind, kept = [], [], {}, {}
    print(f"{'table':16}" + "".join(f"{method[:14]:>16}" for method in methods)
          + "   behind  log loss  calibration  coverage  seconds", flush=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        runs = {name: [[pool.submit(one_split, arguments.program, arguments.folder, name, tables[name], split,
                                    split + 1000 * seed, options) for seed in range(arguments.seeds)]
                       for split in range(arguments.splits or references.get(name, nothing).get("splits", SPLITS))]
                for name in chosen}
        for name in chosen:
            results = [mean_of([run.result() for run in seeds]) for seeds in runs[name]]
            kept[name] = [{key: result[key] for key in KEPT if key in result} for result in results]
            metric = "accuracy" if tables[name]["task"] == "classification" else "r2"
            others = {method: row[metric]["mean"] for method, row in references.get(name, nothing)["models"].items()}
            scores = {"pellucid": round(statistics.mean(result["score"] for result in results), 6), **others}
            line = f"{name:16}"
            for method in methods:
                if method not in scores:
                    line += " " * 16
                    continue
                place = rank(scores[method], [other for each, other in scores.items() if each != method])
                ranks[method].append(place)
                line += f"{scores[method]:9.4f} ({place:<3g}) "
            if others:
                behind[name] = max(others.values()) - scores["pellucid"]
            line += f"{behind[name]:9.4f}" if others else " " * 9
            calls = [call for result in results for call in result.get("calls", [])]
            inside = [value for result in results for value in result.get("inside", [])]
            line += f"{statistics.mean(result['log_loss'] for result in results):10.4f}" if calls else " " * 10
            if calls:
                errors.append(calibration_error(calls))
            line += f"{errors[-1]:13.4f}" if calls else " " * 13
            if inside:
                coverage.append(statistics.mean(inside))
            line += f"{coverage[-1]:10.1%}" if inside else " " * 10
            print(line + f"{statistics.mean(result['seconds'] for result in results):9.1f}", flush=True)
    print(f"{'mean rank':16}" + "".join(f"{statistics.mean(ranks[method]):9.2f}       " for method in methods))
    if errors:
        print(f"calibration error, mean: {statistics.mean(errors):.4f}")
    if coverage:
        print(f"coverage, mean: {statistics.mean(coverage):.1%}")
    if behind:
        worst = max(behind, key=behind.get)
        print(f"furthest behind the best of the others: {behind[worst]:.4f}, on {worst}")
    if arguments.save:
        arguments.save.write_text(json.dumps(kept, indent=1) + "\n")
    if arguments.against:
        compare(kept, json.loads(arguments.against.read_text()))


def compare(ours, theirs):
    """Prints by how much less is wrong than in a run that was kept."""
    print(f"\n{'table':14}{'score':>9}{'before':>9}{'error gone':>18}{'log loss gone':>18}")
    gone = {"score": [], "log_loss": []}
    for name in (name for name in ours if name in theirs):
        pairs = list(zip(ours[name], theirs[name]))
        line = f"{name:14}" + "".join(f"{statistics.mean(pair[i]['score'] for pair in pairs):9.4f}" for i in (0, 1))
        for key, wrong in ("score", lambda result: 1 - result["score"]), ("log_loss", lambda result: result["log_loss"]):
            if key not in pairs[0][0]:
                continue
            before = statistics.mean(wrong(old) for _, old in pairs)
            if before == 0:
                line += " " * 18
                continue
            parts = [(wrong(old) - wrong(new)) / before for new, old in pairs]
            gone[key].append(statistics.mean(parts))
            noise = statistics.stdev(parts) / len(parts) ** 0.5 if len(parts) > 1 else 0
            line += f"{gone[key][-1]:10.1%} +-{noise:5.1%}"
        print(line)
    for key, title in ("score", "error"), ("log_loss", "log loss"):
        if gone[key]:
            print(f"{title} gone, mean of tables: {statistics.mean(gone[key]):.2%}")


def split_at(words, mark):
    at = words.index(mark) if mark in words else len(words)
    return words[:at], words[at + 1:]


if __name__ == "__main__":
    main()
