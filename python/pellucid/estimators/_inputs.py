"""What estimators are given: features as a matrix or a table, targets, weights; checked, and with messages that help."""

import sys
import warnings

import numpy as np

from .. import _core


class Features:
    """Rows of features.

    values: a NumPy array of numbers (rows, features) or (rows, ...), or an engine's table of columns.
    names: the columns' names where they came with names; None for a matrix.
    """

    def __init__(self, values, names=None):
        self.values, self.names = values, names

    @property
    def is_table(self):
        return isinstance(self.values, _core.data.Table)

    @property
    def rows(self):
        return self.values.rows if self.is_table else self.values.shape[0]

    @property
    def width(self):
        """How many features there are: columns, or the second axis."""
        return len(self.values.names) if self.is_table else self.values.shape[1]

    def take(self, rows):
        """Some of the rows, by their positions."""
        return Features(self.values.take(rows.tolist()) if self.is_table else self.values[rows], self.names)

    def table(self, names):
        """The rows as a table of the engine; `names` are those of the columns of a matrix."""
        return self.values if self.is_table else _core.data.Table.from_matrix(_native(self.values), names)


def matrix_names(width):
    """The names of a matrix's columns."""
    return [f"x{i}" for i in range(width)]


def _native(array):
    """In this machine's byte order, and of a type that C knows."""
    if array.dtype == np.float16 or not array.dtype.isnative:
        return array.astype(np.float32 if array.dtype == np.float16 else array.dtype.newbyteorder("="))
    return array


# ---- Features --------------------------------------------------------------------------------------------------------


def read_features(x, who):
    """Features of an array, nested lists, a sparse matrix, or a table of pandas, polars, Arrow and others.

    Raises ValueError or TypeError, in the words that scikit-learn uses where it has some.
    """
    if hasattr(x, "toarray") and hasattr(x, "tocsr"):
        x = x.toarray()
    features = _read_frame(x)
    if features is None:
        features = _read_array(x)
    if features.rows == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={_shape(features)}) while a minimum of 1 is required by {who}.")
    if features.width == 0:
        raise ValueError(f"Found array with 0 feature(s) (shape={_shape(features)}) while a minimum of 1 is required by {who}.")
    _check_finite(features)
    return features


def _shape(features):
    return (features.rows, features.width) if features.is_table else features.values.shape


def _read_frame(x):
    """Features of whatever has columns with names; None for anything else."""
    if type(x).__module__.startswith("pandas") and hasattr(x, "columns"):
        return _read_pandas(x)
    if hasattr(x, "__arrow_c_stream__") and not isinstance(x, np.ndarray):
        table = _core.data.Table.from_stream(x.__arrow_c_stream__())
        return Features(table, table.names)
    if hasattr(x, "__dataframe__") and hasattr(x, "columns"):
        return _read_columns(x, [str(c) for c in x.columns])
    return None


def _read_pandas(frame):
    names = [str(c) for c in frame.columns]
    named = all(isinstance(c, str) for c in frame.columns)
    if not named:
        if any(isinstance(c, str) for c in frame.columns):
            raise TypeError("Feature names are only supported if all input features have string names, but your input has "
                            "names of several types: convert them by X.columns = X.columns.astype(str)")
        names = matrix_names(len(names))
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(f"two columns are named '{name}'; rename one")
    if hasattr(frame, "__arrow_c_stream__") and len(frame):
        try:
            plain = frame.set_axis(names, axis=1).reset_index(drop=True)
            table = _core.data.Table.from_stream(plain.__arrow_c_stream__())
            return Features(table, names if named else None)
        except Exception as error:  # pyarrow need not be there, and does not take columns of mixed objects
            if not isinstance(error, ImportError) and not type(error).__module__.startswith("pyarrow"):
                raise
    features = _read_columns(frame.set_axis(names, axis=1), names)
    return Features(features.values, names if named else None)


def _read_columns(frame, names):
    table = _core.data.Table()
    for name in names:
        _add_column(table, name, frame[name])
    return Features(table, names)


def _add_column(table, name, column):
    if getattr(column, "dtype", None) is not None and hasattr(column, "cat"):
        levels = [_text_of(v) for v in column.cat.categories]
        table.add_text(name, np.asarray(column.cat.codes, dtype=np.int32), levels)
        return
    values = np.asarray(column)
    if values.dtype.kind == "b":
        _add_texts(table, name, [_text_of(v) for v in values])
    elif values.dtype.kind in "iuf":
        table.add_numbers(name, np.ascontiguousarray(_native(values)))
    elif values.dtype.kind == "M":
        texts = np.datetime_as_string(values.astype("datetime64[s]"))
        _add_texts(table, name, [None if t == "NaT" else str(t) for t in texts])
    else:
        numbers = _as_numbers(values, name)
        if numbers is not None:
            table.add_numbers(name, numbers)
        else:
            _add_texts(table, name, [None if _is_missing(v) else _text_of(v) for v in values])


def _add_texts(table, name, texts):
    codes, levels = np.full(len(texts), -1, dtype=np.int32), {}
    for row, text in enumerate(texts):
        if text is not None:
            codes[row] = levels.setdefault(text, len(levels))
    table.add_text(name, codes, list(levels))


def _text_of(value):
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return str(value)


def _is_missing(value):
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")


def _as_numbers(values, name):
    """Objects as float64, missing ones as NaN; None where some are text. Raises TypeError for anything else."""
    numbers, texts = np.full(len(values), np.nan), False
    for row, value in enumerate(values):
        if isinstance(value, (str, bytes, bool, np.bool_)):
            texts = True
        elif isinstance(value, (int, float, np.number)):
            numbers[row] = value
        elif isinstance(value, (dict, list, tuple, set)) or not _is_missing(value):
            raise TypeError(f"X, column {name}, row {row}: argument must be a string or a real number, not "
                            f"'{type(value).__name__}'")
    return None if texts else numbers


def _read_array(x):
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"X: {error}") from None
    if array.ndim < 2:
        shown = "a scalar" if array.ndim == 0 else "1D array"
        raise ValueError(f"Expected 2D array, got {shown} instead:\narray={array}.\nReshape your data either using "
                         "array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if it contains a "
                         "single sample.")
    if array.dtype.kind == "c":
        raise ValueError("Complex data not supported\n")
    if array.dtype.kind in "OUS":
        return _read_objects(array)
    if array.dtype.kind not in "iufb":
        raise TypeError(f"X is of type {array.dtype}; give numbers, texts, or a table")
    return Features(array)


def _read_objects(array):
    if array.ndim != 2:
        raise TypeError(f"X is of type {array.dtype} and shape {array.shape}; only two axes may hold texts")
    names = matrix_names(array.shape[1])
    columns = [_as_numbers(array[:, i], i) for i in range(array.shape[1])]
    if columns and all(c is not None for c in columns):
        return Features(np.stack(columns, axis=1))
    table = _core.data.Table()
    for i, (name, numbers) in enumerate(zip(names, columns)):
        if numbers is not None:
            table.add_numbers(name, numbers)
        else:
            _add_texts(table, name, [None if _is_missing(v) else _text_of(v) for v in array[:, i]])
    return Features(table)


def _check_finite(features):
    if features.is_table:
        found = features.values.find_infinite()
        if found is not None:
            raise ValueError(f"Input X contains infinity: column '{found[0]}', row {found[1]}; replace it or leave the row out.")
    elif features.values.dtype.kind == "f":
        if np.isfinite(_sum(features.values)):
            return
        at = np.argwhere(np.isinf(features.values))  # the sum of finite numbers may be too large, or one be missing
        if len(at):
            raise ValueError(f"Input X contains infinity: row {at[0][0]}, column {at[0][1]}; replace it or leave the row out.")


def _sum(x):
    """By the engine where x is large and whole: with all its threads."""
    if x.size > 1 << 20 and x.flags.c_contiguous and x.dtype in (np.float32, np.float64):
        return float(_core.sum(_core.asarray(x)))
    with np.errstate(over="ignore", invalid="ignore"):
        return x.sum()


# ---- Targets and weights ---------------------------------------------------------------------------------------------


def read_target(y, who, classify):
    """y as (rows,) or (rows, targets): labels as they are for classes, else float64. Missing values are a ValueError."""
    if y is None:
        raise ValueError(f"{who} requires y to be passed, but the target y is None")
    if hasattr(y, "toarray") and hasattr(y, "tocsr"):
        y = y.toarray()
    array = np.asarray(y)
    if array.dtype.kind == "c":
        raise ValueError("Complex data not supported\n")
    if array.ndim == 2 and array.shape[1] == 1:
        _warn_of_column()
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise ValueError(f"y should be a 1d array, got an array of shape {array.shape} instead.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"Input y contains {'NaN' if np.isnan(array).any() else 'infinity'}.")
    if array.dtype.kind == "O" and any(_is_missing(v) for v in array.ravel()):
        raise ValueError("Input y contains NaN.")
    return _check_labels(array) if classify else _as_float(array)


def _as_float(array):
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"y: a regressor predicts numbers, and y is of type {array.dtype}") from None
    if not np.isfinite(numbers).all():
        raise ValueError("Input y contains infinity or a value too large.")
    return numbers


def _check_labels(array):
    if array.dtype.kind == "f" and (array != np.floor(array)).any():
        raise ValueError("Unknown label type: continuous. Maybe you are trying to fit a classifier, which expects discrete "
                         "classes on a regression target with continuous values.")
    if array.ndim == 2 and not (array.dtype.kind in "iufb" and np.isin(array, (0, 1)).all()):
        raise ValueError("Unknown label type: several columns of y must hold 0 and 1, for labels that are there or not")
    if array.dtype.kind == "O":
        kinds = {str if isinstance(v, str) else float if isinstance(v, (int, float, np.number)) else type(v)
                 for v in array.ravel()}
        if len(kinds) > 1 or not kinds <= {str, float, bool}:
            names = " and ".join(sorted(k.__name__ for k in kinds))
            raise ValueError(f"Unknown label type: y holds values of type {names}; give numbers or texts, not both")
        array = array.astype(str) if kinds == {str} else np.array(array.tolist())
    if array.dtype.kind not in "iufbUS":
        raise ValueError(f"Unknown label type: y is of type {array.dtype}; give numbers or texts")
    return array


def _warn_of_column():
    category = UserWarning
    if "sklearn" in sys.modules:
        from sklearn.exceptions import DataConversionWarning as category
    warnings.warn("A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
                  "(n_samples,), for example using ravel().", category, stacklevel=6)


def read_weights(weights, rows):
    """Weights as float64 (rows,), or None."""
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(rows, float(array))
    if array.shape != (rows,):
        raise ValueError(f"sample_weight.shape == {array.shape}, expected {(rows,)}!")
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError("sample_weight: weights must be finite and not negative")
    if not array.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return array


def check_lengths(*lengths):
    """Raises ValueError unless all are equal."""
    if len(set(lengths)) > 1:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {list(lengths)}")


_FEW = 100_000


def canonical(features, y, weights):
    """The same data without rows of weight 0; small tables in a fixed order, equal rows as one with their weights.

    So the order of few rows has no influence, and a weight of 2 is the same as a row given twice, to the bit.
    """
    if weights is not None and not weights.all():
        kept = np.flatnonzero(weights)
        features, y, weights = features.take(kept), y[kept], weights[kept]
    if features.rows * features.width <= _FEW and y.ndim == 1 and (features.is_table or features.values.ndim == 2):
        x = features.values.keys() if features.is_table else features.values
        keys = np.column_stack([np.asarray(x, dtype=np.float64), np.unique(y, return_inverse=True)[1]])
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        sums = np.bincount(inverse.ravel(), weights=weights, minlength=len(first)).astype(np.float64)
        features, y, weights = features.take(first), y[first], sums
    if weights is not None and (weights == weights[0]).all():
        weights = None
    return features, y, weights


def number_of(name, value):
    """A parameter as a float, None where it is None. Raises TypeError where it is no number."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {value!r} is no number") from None


def sizes_of(hidden):
    """The parameter `hidden`, as a list of integers. Raises TypeError where it is none."""
    try:
        return [int(n) for n in ([hidden] if isinstance(hidden, (int, np.integer)) else hidden)]
    except (TypeError, ValueError):
        raise TypeError(f"hidden: {hidden!r}; give the sizes of the hidden layers, such as (256, 128)") from None


def on_main_thread():
    """May signals be looked at here?"""
    import threading

    return threading.current_thread() is threading.main_thread()


def class_weights(given, classes):
    """(balanced?, a weight for each class or None) of "balanced", a dict by class, or None."""
    if given is None:
        return False, None
    if isinstance(given, str):
        if given != "balanced":
            raise ValueError(f"class_weight: {given!r}; give 'balanced', or a dict of weights by class")
        return True, None
    known = set(classes.tolist())
    for label in given:
        if label not in known:
            raise ValueError(f"class_weight: {label!r} is no class of y; the classes are {classes.tolist()}")
    return False, [given.get(c, 1.0) for c in classes.tolist()]


def with_class_weights(given, classes, y, weights):
    """Weights of the rows with those of their classes multiplied in; None where all are equal."""
    balanced, by_class = class_weights(given, classes)
    if balanced:
        counts = np.bincount(y, weights=weights, minlength=len(classes))
        by_class = counts.sum() / (len(classes) * np.maximum(counts, 1e-300))
    if by_class is None:
        return weights
    return np.asarray(by_class, dtype=np.float64)[y] * (1.0 if weights is None else weights)
