"""tf.keras.optimizers; Keras' layers and models are not here."""

from . import optimizers  # noqa: F401
