"""Every public operation, layer and loss against JAX and PyTorch: values and gradients on drawn arrays.

    scripts/python.sh oracles            all of them, in a virtual environment with JAX and PyTorch that the script makes
    scripts/python.sh oracles sum Conv2d --cases 1000

The list comes from the page of operations and from the engine's layers and losses: a new one is found by its name in
JAX, or fails here until `operations.py`, `layers.py` or `losses.py` says what it is compared with, or why with nothing.
"""
