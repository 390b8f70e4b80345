"""What Classifier and Regressor have in common with every estimator of scikit-learn, without needing it."""

import inspect
import sys

from . import _display


class NotFittedError(ValueError, AttributeError):
    """Raised where an estimator is used before it was fitted; scikit-learn's own where it is imported."""


def not_fitted(name):
    error = NotFittedError
    if "sklearn" in sys.modules:
        from sklearn.exceptions import NotFittedError as error
    return error(f"This {name} instance is not fitted yet. Call 'fit' with appropriate arguments before using this estimator.")


class Estimator:
    """Parameters by name, tags, texts."""

    def _remember(self, given):
        """Parameters, as `__init__` got them: locals() at its begin."""
        vars(self).update({name: value for name, value in given.items() if name != "self"})

    @classmethod
    def _parameters(cls):
        signature = inspect.signature(cls.__init__)
        return {name: p.default for name, p in signature.parameters.items() if name != "self"}

    def get_params(self, deep=True):
        """The parameters as they were given, by name."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params):
        """Changes parameters; they count from the next fit on. Raises ValueError for a name that there is not."""
        known = self._parameters()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for estimator {self}. Valid parameters are: {list(known)}.")
            setattr(self, name, value)
        return self

    def _changed_params(self):
        def same(a, b):
            try:
                return a is b or bool(a == b)
            except Exception:  # a value that cannot be compared differs
                return False

        return {name: getattr(self, name) for name, default in self._parameters().items()
                if not same(getattr(self, name), default)}

    def __repr__(self, N_CHAR_MAX=700):
        given = ", ".join(f"{name}={value!r}" for name, value in self._changed_params().items())
        return f"{type(self).__name__}({given})"

    def _repr_html_(self):
        return _display.page(self)

    def __sklearn_is_fitted__(self):
        return "n_features_in_" in vars(self)

    def _check_is_fitted(self):
        if not self.__sklearn_is_fitted__():
            raise not_fitted(type(self).__name__)

    def _tags(self, kind, **parts):
        """scikit-learn's description of what an estimator can take."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=True, multi_output=kind == "regressor"),
            input_tags=InputTags(sparse=True, allow_nan=True, three_d_array=True),
            **parts,
        )
