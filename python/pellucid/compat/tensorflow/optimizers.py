"""tf.optimizers: SGD and Adam by Keras' formulas, all variables of a call in one compiled step."""

import pellucid as _pl

from ._tape import GradientTape as _GradientTape
from ._tensor import Tensor as _Tensor
from ._tensor import convert_to_tensor as _tensor


class Optimizer:
    """What SGD and Adam have in common. learning_rate: a number, or a function without arguments; may be assigned."""

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate
        self.iterations = 0
        self._states = {}  # id of a variable: (the variable, its arrays of state)
        self._run = _pl.compile(self._rule)

    def apply_gradients(self, grads_and_vars):
        """Updates each variable by its gradient. Those without (None) stay.

        Raises ValueError where no variable has a gradient, or one has another shape than its variable.
        """
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable.")
        for g, v in pairs:
            if tuple(_tensor(g).shape) != v.shape:
                raise ValueError(f"apply_gradients: variable '{v.name}' is of shape {v.shape}, and its gradient of "
                                 f"{tuple(_tensor(g).shape)}")
        self.iterations += 1
        rate = self.learning_rate() if callable(self.learning_rate) else self.learning_rate
        states = [self._states.get(id(v), (v, None))[1] or self._start(v._tensor.array) for _, v in pairs]
        values, states = self._run([v._tensor.array for _, v in pairs], [_tensor(g).array for g, _ in pairs], states,
                                   float(rate), float(self.iterations))
        for (_, variable), value, state in zip(pairs, values, states):
            variable.assign(_Tensor(value))
            self._states[id(variable)] = (variable, state)

    def minimize(self, loss, var_list, tape=None):
        """A step down the gradients of `loss`: a function without arguments, or a tensor that `tape` recorded."""
        if callable(loss):
            with _GradientTape() as tape:
                loss = loss()
        self.apply_gradients(zip(tape.gradient(loss, list(var_list)), var_list))

    def _rule(self, values, gradients, states, rate, t):
        updated = [self._update(w, _pl.astype(g, w.dtype), s, rate, t) for w, g, s in zip(values, gradients, states)]
        return [w for w, _ in updated], [s for _, s in updated]


class SGD(Optimizer):
    """w -= rate g; with momentum v = momentum v - rate g, w += v; with nesterov w += momentum v - rate g."""

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, name="SGD"):
        super().__init__(learning_rate)
        self.momentum, self.nesterov = momentum, nesterov

    def _start(self, w):
        return [_pl.zeros_like(w)] if self.momentum else []

    def _update(self, w, g, state, rate, t):
        if not self.momentum:
            return w - rate * g, []
        v = self.momentum * state[0] - rate * g
        return (w + self.momentum * v - rate * g if self.nesterov else w + v), [v]


class Adam(Optimizer):
    """Kingma & Ba 2015 with both corrections in the rate: w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)."""

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, name="Adam"):
        super().__init__(learning_rate)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def _start(self, w):
        return [_pl.zeros_like(w), _pl.zeros_like(w)]

    def _update(self, w, g, state, rate, t):
        m = state[0] + (g - state[0]) * (1 - self.beta_1)
        v = state[1] + (g * g - state[1]) * (1 - self.beta_2)
        scale = rate * _pl.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        return w - scale * m / (_pl.sqrt(v) + self.epsilon), [m, v]
