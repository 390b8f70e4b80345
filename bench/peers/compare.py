"""Pellucid beside its peers on the same machine, in turn.

Usage: python compare.py BENCH [--peers-venv DIR] [--rounds N] [WORKLOAD...]

BENCH is the command that prints one JSON line per workload (peer, workload, us, us_min), such as
build/release/bench/steps. For each workload this prints ours, every peer, and how many times
faster than the best peer we are, on the fastest step seen in any round: the machines are shared,
so the fastest is what the code can do. The last line is JSON.

A workload named NAME_bf16 is ours in bfloat16 precision beside NAME of the peer torch_bf16 alone.
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ["torch", "torch_compile", "jax", "jax_scan", "tf_function", "tf_xla"]
BF16 = "_bf16"
WORKLOADS = ["xor", "mnist_mlp_b128", "lenet_b64", "resnet18_b32", "lstm_b32", "gpt_b4"]


def json_lines(command, timeout):
    """The JSON lines a command prints, up to the timeout if it runs that long."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=timeout).stdout
    except subprocess.TimeoutExpired as expired:
        out = expired.stdout or ""
        if isinstance(out, bytes):
            out = out.decode()
    for line in out.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def fastest_steps(arguments, names):
    """The fastest step in microseconds, by (workload, peer), over all rounds."""
    fastest = {}
    wide = [name for name in names if not name.endswith(BF16)]
    narrow = [name.removesuffix(BF16) for name in names if name.endswith(BF16)]
    runs = [("pellucid", names, "")]
    runs += [(peer, wide, "") for peer in arguments.peers.split(",") if wide]
    runs += [("torch" + BF16, narrow, BF16)] if narrow else []
    for _ in range(arguments.rounds):
        for peer, workloads, suffix in runs:
            if peer == "pellucid":
                command = shlex.split(arguments.bench)
            else:
                command = [f"{arguments.peers_venv}/bin/python", str(HERE / "suite.py"), peer]
            for line in json_lines(command + workloads, arguments.seconds):
                if line.get("us_min"):
                    key = line["workload"] + suffix, peer
                    fastest[key] = min(fastest.get(key, 1e99), line["us_min"])
    return fastest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--peers-venv", default="build/peers")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_intermixed_args()
    names = arguments.workloads or WORKLOADS

    fastest = fastest_steps(arguments, names)
    rows = {}
    for name in names:
        ours = fastest.get((name, "pellucid"))
        peers = {
            peer: step
            for (workload, peer), step in fastest.items()
            if workload == name and peer != "pellucid"
        }
        if not peers:
            continue
        best = min(peers, key=peers.get)
        times_faster = peers[best] / ours if ours else None
        rows[name] = {
            "ours_us": ours,
            "best_peer": best,
            "best_peer_us": peers[best],
            "times_faster": times_faster,
        }
        nan = float("nan")
        print(
            f"{name:16s} ours {ours or nan:12.2f} us"
            f"   best peer {best:14s} {peers[best]:12.2f} us   x{times_faster or nan:8.2f}   "
            + "  ".join(f"{peer} {peers[peer]:.1f}" for peer in sorted(peers, key=peers.get))
        )
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
