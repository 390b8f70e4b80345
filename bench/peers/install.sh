#!/usr/bin/env bash
# The peers, in a virtual environment of their own (about 7 GB, two minutes): bash install.sh [DIR], default build/peers.
set -euo pipefail
dir=${1:-build/peers}
python3 -m venv "$dir"
"$dir/bin/pip" install -q torch==2.15.0 jax==0.10.2 tensorflow-cpu==2.21.0 numpy==2.4.6 scikit-learn==1.9.1
echo "$dir"
