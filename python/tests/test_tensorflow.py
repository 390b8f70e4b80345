"""Programs written for TensorFlow 2, with their import line alone changed."""

import time

import numpy as np
import pytest

import pellucid.compat.tensorflow as tf


class MLP:
    """As it stands in many a tutorial."""

    def __init__(self, sizes, learning_rate=0.1):
        self.weights, self.biases = [], []
        for inputs, outputs in zip(sizes[:-1], sizes[1:]):
            self.weights.append(tf.Variable(tf.random.normal([inputs, outputs], stddev=1.0)))
            self.biases.append(tf.Variable(tf.zeros([outputs])))
        self.optimizer = tf.optimizers.SGD(learning_rate)

    def __call__(self, x):
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            x = tf.nn.relu(tf.matmul(x, w) + b)
        return tf.matmul(x, self.weights[-1]) + self.biases[-1]

    def train(self, x, y, epochs):
        variables = self.weights + self.biases
        for _ in range(epochs):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(self(x) - y))
            self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss


@pytest.mark.parametrize("optimizer", [None, tf.optimizers.Adam(0.05), tf.optimizers.SGD(0.05, momentum=0.9)])
def test_a_multilayer_perceptron_learns_xor_from_integers(optimizer):
    tf.random.set_seed(3)
    x, y = tf.constant([[0, 0], [0, 1], [1, 0], [1, 1]]), tf.constant([[0], [1], [1], [0]])
    assert x.dtype == tf.int32
    network = MLP([2, 8, 1])
    if optimizer:
        network.optimizer = optimizer
    loss = network.train(x, y, 500)
    assert float(loss.numpy()) < 1e-2 and f"{loss.numpy():.1f}" == "0.0"
    np.testing.assert_array_equal(np.round(network(x).numpy()), y.numpy())


def test_a_step_is_compiled_once_and_quick():
    tf.random.set_seed(1)
    network = MLP([2, 8, 1])
    x, y = tf.constant([[0.0, 0], [0, 1], [1, 0], [1, 1]]), tf.constant([[0.0], [1], [1], [0]])
    network.train(x, y, 3)
    start = time.perf_counter()
    network.train(x, y, 100)
    assert (time.perf_counter() - start) / 100 < 0.02


def test_watch_and_persistent_tapes():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert float(tape.gradient(z, x)) == 108 and float(tape.gradient(y, x)) == 6
    assert [float(g) for g in tape.gradient(z, [x, y])] == [108, 18]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="non-persistent GradientTape"):
        tape.gradient(y, x)
    with tf.GradientTape() as tape:
        y = x * x
    assert tape.gradient(y, x) is None


def test_gradients_of_gradients():
    x = tf.Variable(2.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x**3
        first = inner.gradient(y, x)
    assert float(first) == 12 and float(outer.gradient(first, x)) == 12


def test_what_a_tape_does_not_see():
    v, fixed = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0], trainable=False)
    with tf.GradientTape(persistent=True) as tape:
        y = tf.reduce_sum(v * fixed)
        with tape.stop_recording():
            hidden = tf.reduce_sum(v)
    assert [x is v for x in tape.watched_variables()] == [True]
    np.testing.assert_array_equal(tape.gradient(y, {"v": v})["v"].numpy(), [1, 2])
    assert tape.gradient(y, fixed) is None and tape.gradient(hidden, v) is None
    np.testing.assert_array_equal(tape.gradient(y, fixed, unconnected_gradients="zero").numpy(), [0, 0])
    with pytest.raises(ValueError, match="unconnected_gradients: 'nil'"):
        tape.gradient(y, v, unconnected_gradients="nil")
    with pytest.raises(ValueError, match="not tf.Tensor or tf.Variable"):
        tape.watch(3.0)
    with tape, pytest.raises(ValueError, match="still recording"):
        tape.__enter__()


def test_a_variable_that_changes_while_a_tape_records():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = v * 3.0
        v.assign(5.0)
        y = y + v * v
    assert float(tape.gradient(y, v)) == 3 + 10
    v.assign_add(1.0)
    v.assign_sub(2)
    assert float(v.numpy()) == 4 and v.dtype == tf.float32
    with pytest.raises(ValueError, match=r"variable .* is of shape \(\), and the value of \(2,\)"):
        v.assign([1.0, 2.0])


def test_optimizers_follow_keras_formulas():
    w, g = np.float32([1, -2, 3]), np.float32([0.5, 0.1, -4])
    v = tf.Variable(w)
    adam = tf.optimizers.Adam(0.1)
    m = s = 0.0
    want = w.astype(np.float64)
    for t in (1, 2, 3):
        adam.apply_gradients([(tf.constant(g), v)])
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        want -= 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(s) + 1e-7)
    np.testing.assert_allclose(v.numpy(), want, rtol=1e-5)
    v, u, want = tf.Variable(w), 0.0, w.astype(np.float64)
    sgd = tf.optimizers.SGD(0.1, momentum=0.9, nesterov=True)
    for _ in range(3):
        sgd.minimize(lambda: tf.reduce_sum(v * g), [v])
        u = 0.9 * u - 0.1 * g
        want += 0.9 * u - 0.1 * g
    np.testing.assert_allclose(v.numpy(), want, rtol=1e-5)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        sgd.apply_gradients([(None, v)])
    with pytest.raises(ValueError, match=r"of shape \(3,\), and its gradient of \(2,\)"):
        sgd.apply_gradients([(tf.constant([1.0, 2.0]), v)])


def test_tensors_behave():
    x = tf.constant([[1, 2], [3, 4]])
    assert (x / 2).dtype == tf.float32 and (x * 0.5).dtype == tf.float32 and (x + x).dtype == tf.int32
    assert x.shape == (2, 2) and len(x) == 2 and [int(r[0]) for r in x] == [1, 3]
    np.testing.assert_array_equal(np.asarray(x == tf.transpose(x)), [[True, False], [False, True]])
    assert "shape=(2, 2)" in repr(x) and str(x).startswith("tf.Tensor(")
    assert "tf.Variable 'w'" in repr(tf.Variable(1.0, name="w"))
    np.testing.assert_array_equal(tf.concat([x, x], axis=1).numpy().shape, [2, 4])
    np.testing.assert_array_equal(tf.reduce_sum(x, axis=[0, 1]).numpy(), 10)
    np.testing.assert_array_equal(tf.gather(x, [1, 0]).numpy(), [[3, 4], [1, 2]])
    np.testing.assert_array_equal(tf.one_hot([1, 0], 3).numpy(), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(tf.constant([tf.constant(1.0), tf.constant(2.0)]).numpy(), [1, 2])
    np.testing.assert_array_equal(tf.range(3).numpy(), [0, 1, 2])
    np.testing.assert_array_equal(tf.fill([2], 7).numpy(), [7, 7])
    np.testing.assert_array_equal(tf.clip_by_value(x, 2, 3).numpy(), [[2, 2], [3, 3]])
    np.testing.assert_array_equal(tf.argmax(x, axis=1).numpy(), [1, 1])
    np.testing.assert_array_equal(tf.reshape(x, tf.shape(tf.ones([4]))).numpy(), [1, 2, 3, 4])
    with pytest.raises(TypeError, match="a scalar has no length"):
        len(tf.constant(1))


def test_losses_of_logits():
    logits, labels = tf.constant([[2.0, -1.0, 0.5]]), tf.constant([2])
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum()
    np.testing.assert_allclose(tf.nn.softmax(logits).numpy(), p, rtol=1e-6)
    dense = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, 3), logits)
    sparse = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    np.testing.assert_allclose(dense.numpy(), -np.log(p[:, 2]), rtol=1e-6)
    np.testing.assert_allclose(sparse.numpy(), dense.numpy(), rtol=1e-6)
    s = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.constant([1.0, 0.0]), logits=tf.constant([0.3, 0.3]))
    np.testing.assert_allclose(s.numpy(), np.log1p(np.exp([-0.3, 0.3])), rtol=1e-6)
    with pytest.raises(ValueError, match="axis 0; the last one"):
        tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, 3), logits, axis=0)


def test_random_numbers_are_one_sequence():
    tf.random.set_seed(5)
    first = [tf.random.normal([3]).numpy(), tf.random.uniform([3]).numpy(), tf.random.shuffle(tf.range(9)).numpy()]
    tf.random.set_seed(5)
    again = [tf.random.normal([3]).numpy(), tf.random.uniform([3]).numpy(), tf.random.shuffle(tf.range(9)).numpy()]
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], tf.random.normal([3]).numpy())
    assert tf.random.uniform([50], 2, 4, dtype=tf.int32).numpy().max() == 3
    assert np.abs(tf.random.truncated_normal([500]).numpy()).max() <= 2
    with pytest.raises(ValueError, match="Must specify maxval"):
        tf.random.uniform([2], dtype=tf.int32)


def test_modules_find_their_variables():
    class Layer(tf.Module):
        def __init__(self):
            super().__init__()
            self.w, self.fixed = tf.Variable(tf.ones([2, 2])), tf.Variable(0.0, trainable=False)

    class Net(tf.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.named = [Layer(), Layer()], {"b": tf.Variable(1.0)}

    net = Net()
    assert len(net.variables) == 5 and len(net.trainable_variables) == 3
    assert tf.function(lambda x: x)(3) == 3 and tf.function()(len) is len and tf.is_tensor(net.variables[0])


def test_every_public_name_is_explained():
    for module in (tf, tf.nn, tf.math, tf.random, tf.optimizers):
        for name in dir(module):
            thing = getattr(module, name)
            if not name.startswith("_") and callable(thing):
                assert thing.__doc__, name


def test_logic_spread_and_rounding():
    a = tf.constant([[1, 2], [3, 4]])
    assert tf.reduce_any(a > 3).numpy() and not tf.reduce_all(tf.greater_equal(a, 2)).numpy()
    assert tf.logical_and(a > 1, tf.less_equal(a, 3)).numpy().tolist() == [[False, True], [True, False]]
    assert tf.logical_or(tf.logical_not(a > 1), a > 3).numpy().tolist() == [[True, False], [False, True]]
    assert tf.round(tf.constant([0.5, 1.5, -2.4])).numpy().tolist() == [0, 2, -2]  # halves to the even number
    assert tf.floor(tf.constant([1.5, -1.5])).numpy().tolist() == [1, -2]
    w = np.array([[0.5, -1.0], [2.0, 0.1]], np.float32)
    assert np.allclose(tf.math.reduce_std(w, axis=0).numpy(), w.std(0)) and np.allclose(tf.math.reduce_variance(w).numpy(), w.var())
    v = tf.Variable(w)
    with tf.GradientTape() as tape:
        loss = tf.reduce_logsumexp(v) + tf.reduce_sum(tf.sin(v) * tf.cos(v))
    softmax = np.exp(w) / np.exp(w).sum()
    assert np.allclose(tape.gradient(loss, v).numpy(), softmax + np.cos(2 * w), atol=1e-6)
