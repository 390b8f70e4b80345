"""What must be so before other packages are imported."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # else scikit-learn skips its check of array API inputs
