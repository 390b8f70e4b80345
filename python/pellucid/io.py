"""Files: CSV tables, IDX, NPY and NPZ arrays, PNG and JPEG pictures, safetensors, and the model file.

Nothing that is read here can run code. Readers check all that a file claims before they allocate, and say what is wrong
with file, line or byte. Writers write beside the file's place and rename: a file is there whole or not at all.
"""

from ._core.io import *  # noqa: F403

__all__ = [n for n in globals() if not n.startswith("_")]
