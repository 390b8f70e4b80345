"""A program that mypy --strict takes: see test_typing.py. It is checked, not run."""

from typing import Any

import numpy as np

import pellucid as pl

x = pl.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]])
y = pl.asarray([[0.0], [1], [1], [0]])
key = pl.random.key(0)
w = {"weight": pl.random.normal(key, (2, 1)), "bias": pl.zeros(1)}


def loss(w: dict[str, pl.Array], x: pl.Array, y: pl.Array) -> pl.Array:
    return pl.mean((pl.nn.relu(x @ w["weight"] + w["bias"]) - y) ** 2)


value, gradients = pl.value_and_grad(loss)(w, x, y)
per_example = pl.vmap(pl.grad(loss), in_axes=(None, 0, 0))(w, x, y)
optimizer = pl.optim.Optimizer(pl.optim.Adam(learning_rate=0.05), clip_global_norm=1.0)
step = pl.compile(pl.optim.training_step(loss, optimizer))
state = [w, optimizer.init(w)]
step.step(state, x, y)


class Net(pl.nn.Module):
    def __init__(self) -> None:
        self.hidden = pl.nn.Linear(2, 16, weight_initializer=pl.init.he_normal())
        self.norm = pl.nn.BatchNorm1d(16)
        self.picture = pl.nn.Conv2d(3, 8, (3, 3), padding="same")
        self.out = pl.nn.Linear(16, 1)

    def __call__(self, x: pl.Array) -> pl.Array:
        return self.out(pl.tanh(self.norm(self.hidden(x))))


def watch(epoch: Any) -> bool:
    return bool(epoch.loss > 1e-4)


net = Net()
result = pl.fit(net, (x, y), loss=pl.loss.mean_squared_error, optimizer=pl.optim.AdamW(0.01), max_epochs=5, on_epoch=watch)
reason: str = result.reason
values: np.ndarray = net(x).numpy()
count: int = net.parameter_count()
pl.save("net.safetensors", net)
model = pl.Classifier(hidden=(8,), max_epochs=3).fit(values, np.array([0, 1, 1, 0]))
said: np.ndarray = model.predict_proba(values)
accuracy: float = model.score(values, [0, 1, 1, 0])
table = pl.data.Table({"a": [1.0, 2.0], "b": ["x", None]})
fit = pl.fit_table(table, "a", epochs=2)
names: list[str] = fit.model.classes
