"""Runs the comparison: python -m oracles [names] [--cases 200] [--seed 0]."""

import argparse
import sys
import time
import zlib

import numpy as np

from . import jax_oracle, layers, losses, operations, records
from .compare import run


def compare_all(name, make, cases, seed, oracle_vjp, to_oracle):
    """(cases, worst value, worst gradient, gradients compared, [differences])."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    worst, steepest, gradients, failures = 0.0, 0.0, 0, []
    for i in range(cases):
        case = None
        try:
            case = make(rng)
            with np.errstate(all="ignore"):
                value, gradient = run(case, rng, i % 4 == 3, oracle_vjp, to_oracle)
            worst = max(worst, value)
            if gradient is not None:
                steepest, gradients = max(steepest, gradient), gradients + 1
        except Exception as error:  # every case is reported, also one that the engine or the oracle refuses
            given = "" if case is None else ", ".join(f"{x.dtype}{list(x.shape)}" for x in case.inputs) + f" as {case.dtype}"
            failures.append(f"{name}, case {i}, {given}: {type(error).__name__}: {str(error)[:300]}")
    return worst, steepest, gradients, failures


def things(names):
    """(name, maker or reason or None, vjp, to_oracle) of every operation, layer and loss."""
    ulps = records.ulps()
    listed = records.operations()
    listed["getitem"] = ("Indexing, order", 1, True)
    for name, (section, arguments, derivative) in listed.items():
        if not names or name in names:
            yield name, operations.maker(name, section, arguments, derivative, ulps), jax_oracle.vjp, jax_oracle.to_oracle
    for module in (layers, losses):
        for name in module.names():
            if not names or name in names:
                yield name, module.maker(name), module.vjp, module.to_oracle


def main():
    parser = argparse.ArgumentParser(prog="oracles", description=__doc__)
    parser.add_argument("names", nargs="*", help="operations, layers and losses; all without")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    compared, failed, reasons = 0, [], {}
    for name, make, vjp, to_oracle in things(options.names):
        if make is None:
            failed.append(f"{name}: JAX has no function of this name; say in operations.py, layers.py or losses.py what it is "
                          "compared with, or why with nothing")
            continue
        if isinstance(make, str):
            reasons.setdefault(make, []).append(name)
            continue
        start = time.perf_counter()
        worst, steepest, gradients, failures = compare_all(name, make, options.cases, options.seed, vjp, to_oracle)
        compared += 1
        failed += failures[:3]
        print(f"{name:32} {options.cases:5} cases, worst value {worst:6.3f}, gradient "
              f"{f'{steepest:6.3f} ({gradients})' if gradients else '     -'} of what is allowed, "
              f"{time.perf_counter() - start:5.1f} s{f', {len(failures)} DIFFER' if failures else ''}", flush=True)
    print(f"\n{compared} compared, {len(failed)} differences shown")
    for reason, names in reasons.items():
        print(f"not compared: {' '.join(names)}: {reason}")
    for failure in failed:
        print("DIFFERS", failure)
    sys.exit(1 if failed else 0)


main()
