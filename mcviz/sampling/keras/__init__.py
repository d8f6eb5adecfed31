"""Keras models behind the engine. Nothing outside this folder imports Keras or TensorFlow."""

from mcviz.extras import require_keras

require_keras()  # before any module here imports them, for an error with advice

import mcviz.sampling.keras.internals  # noqa: E402, F401 (it refuses a Keras that breaks the others)
