#!/usr/bin/env python3
"""Writes a table of numbers to time reading, training and predicting with.

    python3 bench/rows.py 10000 train.csv          # 50 columns x0 to x49 and a target y that depends on ten of them
    python3 bench/rows.py 1000000 rows.csv         # 434 MB
    pellucid train train.csv --target y --out model && pellucid predict model rows.csv --out said.csv

Every number is standard normal, with five decimals; y is a sum of waves and products of the first ten, and noise. The same
rows every time. Needs NumPy.
"""

import argparse

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", type=int)
    parser.add_argument("file")
    parser.add_argument("--columns", type=int, default=50)
    options = parser.parse_args()
    if options.rows < 1 or options.columns < 10:
        parser.error("a table has a row and ten columns at least")
    random = np.random.default_rng(0)
    line = ",".join(["%.5f"] * (options.columns + 1)) + "\n"
    with open(options.file, "w", encoding="ascii") as file:
        file.write(",".join(f"x{i}" for i in range(options.columns)) + ",y\n")
        for first in range(0, options.rows, 10000):
            x = random.standard_normal((min(10000, options.rows - first), options.columns))
            y = np.sin(2 * x[:, :4]).sum(1) + x[:, 4] * x[:, 5] + x[:, 6:10].sum(1) + 0.3 * random.standard_normal(len(x))
            file.writelines(line % tuple(row) for row in np.column_stack([x, y]))


if __name__ == "__main__":
    main()
