"""GradientTape: what was computed is written down, and differentiated as one compiled program when asked."""

import collections

import pellucid as pl

from ._tensor import Tensor, Variable, apply, convert_to_tensor, listeners

_Step = collections.namedtuple("_Step", "operation settings inputs outputs")


class GradientTape:
    """with GradientTape() as tape: ... ; gradients = tape.gradient(loss, variables).

    persistent: gradients may be asked for more than once.
    watch_accessed_variables: trainable variables are watched as soon as they are used.
    """

    def __init__(self, persistent=False, watch_accessed_variables=True):
        self._persistent = persistent
        self._automatic = watch_accessed_variables
        self.reset()

    def reset(self):
        """Forgets everything."""
        self._steps = []
        self._watched = {}  # tensors by id, kept so that no id is used twice
        self._variables = {}  # id: (variable, tensors that it was when used)
        self._spent = False

    def __enter__(self):
        if self in listeners.tapes:
            raise ValueError("Tape is still recording")
        listeners.tapes.append(self)
        return self

    def __exit__(self, *error):
        listeners.tapes.remove(self)

    def stop_recording(self):
        """with tape.stop_recording(): what is computed inside is not differentiated."""
        return _Stopped(self)

    def watch(self, tensor):
        """Watches a tensor or variable, or each in a list."""
        for t in tensor if isinstance(tensor, (list, tuple)) else [tensor]:
            if isinstance(t, Variable):
                self._note(t, t.read())
            elif isinstance(t, Tensor):
                self._watched[id(t)] = t
            else:
                raise ValueError(f"Passed in object {t!r} of type {type(t).__name__}, not tf.Tensor or tf.Variable")

    def watched_variables(self):
        """The variables that were watched, in the order in which they were first used."""
        return tuple(variable for variable, _ in self._variables.values())

    # ---- What happens while it records ------------------------------------------------------------------------------

    def see(self, variable, tensor):
        """What a Variable tells of itself when it is used: the tensor that it stands for."""
        if variable.trainable and self._automatic:
            self._note(variable, tensor)

    def _note(self, variable, tensor):
        tensors = self._variables.setdefault(id(variable), (variable, []))[1]
        if not tensors or tensors[-1] is not tensor:
            tensors.append(tensor)
            self._watched[id(tensor)] = tensor

    def record(self, operation, settings, inputs, outputs):
        """What an operation tells of itself: noted where an input is watched, whose outputs then are too."""
        if any(id(x) in self._watched for x in inputs):
            self._steps.append(_Step(operation, settings, inputs, outputs))
            for y in outputs:
                self._watched[id(y)] = y

    # ---- Gradients --------------------------------------------------------------------------------------------------

    def gradient(self, target, sources, output_gradients=None, unconnected_gradients="none"):
        """The gradients of the sum of `target` (a tensor, or a list of them), in the structure of `sources`.

        None where a source has no influence; with unconnected_gradients="zero", zeros. output_gradients: cotangents of
        the target, in its structure.
        """
        if self._spent:
            raise RuntimeError("A non-persistent GradientTape can only be used to compute one set of gradients "
                               "(or jacobians)")
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
        targets = [_tensor_of(t) for t in _leaves(target)]
        weights = [None] * len(targets) if output_gradients is None else [
            convert_to_tensor(g) for g in _leaves(output_gradients)]
        found = _gradients(self._steps, targets, weights, [self._tensors_of(s) for s in _leaves(sources)])
        if not self._persistent:
            self._spent = True
            self._steps, self._watched = [], {}
        if unconnected_gradients == "zero":
            found = [Tensor(pl.zeros_like(_tensor_of(s).array)) if g is None else g
                     for g, s in zip(found, _leaves(sources))]
        return _like(sources, iter(found))

    def _tensors_of(self, source):
        """The tensors that a source was: one, or several where a variable was assigned to between its uses."""
        if isinstance(source, Variable):
            return self._variables.get(id(source), (source, []))[1]
        return [source] if isinstance(source, Tensor) else []


class _Stopped:
    def __init__(self, tape):
        self._tape = tape

    def __enter__(self):
        listeners.tapes.remove(self._tape)

    def __exit__(self, *error):
        listeners.tapes.append(self._tape)


def _tensor_of(x):
    return x._tensor if isinstance(x, Variable) else convert_to_tensor(x)


def _leaves(tree):
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in _leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in _leaves(item)]
    return [tree]


def _like(tree, values):
    if isinstance(tree, dict):
        return {key: _like(item, values) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_like(item, values) for item in tree)
    return next(values)


def _needed(steps, targets):
    """The steps that the targets depend on, in order."""
    wanted = {id(t) for t in targets}
    kept = []
    for step in reversed(steps):
        if any(id(y) in wanted for y in step.outputs):
            kept.append(step)
            wanted.update(id(x) for x in step.inputs if isinstance(x, Tensor))
    return kept[::-1]


def _gradients(steps, targets, weights, sources):
    """One gradient for each list of source tensors, None where none has influence."""
    steps = _needed(steps, targets)
    program = _Program(steps, targets, [t for tensors in sources for t in tensors])
    if not program.taps and not program.reached:
        return [None] * len(sources)
    run = _compiled.get(program.key)
    if run is None:
        if len(_compiled) >= 256:
            _compiled.pop(next(iter(_compiled)))
        run = _compiled[program.key] = program.function()
    given = [w if w is not None else Tensor(pl.ones_like(t.array)) for w, t in zip(weights, targets)]
    by_tensor = dict(zip(program.asked, apply(run, *given, *program.inputs)))
    results = []
    for tensors in sources:
        parts = [by_tensor[id(t)] for t in tensors if id(t) in by_tensor]
        total = parts[0] if parts else None
        for part in parts[1:]:
            total = total + part
        results.append(total)
    return results


_compiled = {}


class _Program:
    """The steps with tensors replaced by numbers: inputs first, then what each step gives.

    key: equal for programs that differ in their inputs' values alone. asked: ids of the sources that have influence, in
    the order of the gradients. A source that a step gives is tapped: zeros are added to it, and differentiated.
    """

    def __init__(self, steps, targets, sources):
        made = {id(y) for step in steps for y in step.outputs}
        number, self.inputs = {}, []
        for x in [x for step in steps for x in step.inputs] + targets:
            if id(x) not in made and id(x) not in number:
                number[id(x)] = len(self.inputs)
                self.inputs.append(x)
        at = len(self.inputs)
        self.steps = []
        for step in steps:
            outputs = []
            for y in step.outputs:
                number[id(y)] = at
                outputs.append(at)
                at += 1
            settings = tuple(sorted((k, repr(v)) for k, v in step.settings.items()))
            self.steps.append((step.operation, step.settings, settings, [number[id(x)] for x in step.inputs], outputs))
        self.targets = [number[id(t)] for t in targets]
        self.asked, self.reached, self.taps = [], [], []
        for t in sources:
            if id(t) not in number or id(t) in self.asked or not _floating(t):
                continue
            self.asked.append(id(t))
            (self.taps if id(t) in made else self.reached).append(number[id(t)])
        self.asked = ([i for i in self.asked if number[i] in self.reached] +
                      [i for i in self.asked if number[i] in self.taps])
        self.key = (tuple((operation, settings, tuple(inputs), tuple(outputs))
                          for operation, _, settings, inputs, outputs in self.steps),
                    tuple(self.targets), tuple(self.reached), tuple(self.taps))

    def function(self):
        steps, targets, reached, taps = self.steps, self.targets, self.reached, self.taps

        def gradients(*arguments):
            weights, inputs = arguments[: len(targets)], list(arguments[len(targets):])

            def total(sources, zeros):
                values = dict(enumerate(inputs))
                values.update(zip(reached, sources))
                for operation, settings, _, at, outputs in steps:
                    result = operation(*(values[i] for i in at), **settings)
                    for o, y in zip(outputs, result if isinstance(result, (tuple, list)) else (result,)):
                        values[o] = y + zeros[taps.index(o)] if o in taps else y
                return sum(pl.sum(values[t] * w) for t, w in zip(targets, weights) if _floating_array(values[t]))

            if not taps:
                return tuple(pl.grad(lambda s: total(s, ()), allow_unused=True)(tuple(inputs[i] for i in reached)))
            shapes = _shapes(steps, inputs, taps)
            zeros = tuple(pl.zeros(shape, dtype=dtype) for shape, dtype in shapes)
            by_source, by_tap = pl.grad(total, (0, 1), allow_unused=True)(tuple(inputs[i] for i in reached), zeros)
            return tuple(by_source) + tuple(by_tap)

        return pl.compile(gradients)


def _shapes(steps, inputs, taps):
    values = dict(enumerate(inputs))
    for operation, settings, _, at, outputs in steps:
        result = operation(*(values[i] for i in at), **settings)
        values.update(zip(outputs, result if isinstance(result, (tuple, list)) else (result,)))
    return [(values[t].shape, values[t].dtype) for t in taps]


def _floating_array(array):
    return pl.isdtype(array.dtype, "real floating")


def _floating(tensor):
    return isinstance(tensor, Tensor) and _floating_array(tensor.array)
