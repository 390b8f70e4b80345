"""The comparison with JAX and PyTorch knows every operation, layer and loss; `scripts/python.sh oracles` runs it."""

import pickle

import numpy as np
import pytest

from oracles import compare, draw, layers, losses, operations, records

import pellucid as pl


def test_each_operation_has_an_oracle_or_a_reason():
    listed = records.operations()
    assert len(listed) > 140
    found_by_name = [n for n, (section, _, _) in listed.items()
                     if section.startswith("Elementwise") or section in ("Activations", "Reductions", "Control and rules")]
    known = {*operations.OWN, *operations.MAKERS, *operations.WITHOUT, *found_by_name}
    assert [n for n in listed if n not in known and not n.startswith("random.")] == []
    assert [n for n in operations.WITHOUT if n not in listed] == []


def test_each_layer_and_loss_has_an_oracle_or_a_reason():
    torch_has = set("CELU ELU GELU Identity LogSigmoid Mish ReLU ReLU6 SELU SiLU Sigmoid Softplus Softsign Tanh HardSwish".split())
    unknown = [n for n in layers.names() if n not in layers.SPECS and n not in layers.WITHOUT and n not in torch_has]
    assert unknown == []
    assert [n for n in losses.names() if losses.maker(n) is None] == []


def test_every_layer_of_the_engine_is_a_class_here():
    assert [n for n in pl.nn.layer_types() if not hasattr(pl.nn, n)] == []
    members = pl.nn.Ensemble(3, pl.nn.Linear(2, 4), pl.nn.ReLU(), pl.nn.Linear(4, 1))
    assert members(pl.ones((5, 2))).shape == (5, 1) and members.named_parameters()["0.weight"].shape == (3, 2, 4)
    again = pickle.loads(pickle.dumps(members))
    np.testing.assert_array_equal(np.array(again(pl.ones((5, 2)))), np.array(members(pl.ones((5, 2)))))
    spread = pl.nn.Ensemble(3, pl.nn.Linear(2, 4), mean="scores_and_variance")
    assert spread(pl.ones((5, 2))).shape == (5, 8) and (spread(pl.ones((5, 2))).numpy()[:, 4:] > 0).all()
    with pytest.raises(ValueError, match="Ensemble: 'mean' is 'median'; it may be scores, probabilities or scores_and_variance"):
        pl.nn.Ensemble(3, pl.nn.Linear(2, 4), mean="median")


def test_a_difference_is_found():
    def case(wrong):
        return compare.Case(lambda x: pl.exp(x) * (1 + wrong), np.exp, [np.linspace(-2, 2, 9, dtype=np.float32)], "float32", (), 1.0)

    rng = np.random.default_rng(0)
    assert compare.run(case(0.0), rng, False, None, lambda x: x.astype(np.float64))[0] <= 1
    for wrong in (1e-6, np.nan):
        try:
            compare.run(case(wrong), rng, False, None, lambda x: x.astype(np.float64))
        except compare.Difference:
            continue
        raise AssertionError("not found")


def test_layouts_keep_values():
    rng = np.random.default_rng(1)
    for _ in range(40):
        for dtype in ("float32", "bfloat16", "int32"):
            x = draw.values(rng, draw.pick(rng, draw.SHAPES), dtype, False)
            np.testing.assert_array_equal(compare.host(draw.laid(rng, x, dtype)), x)
