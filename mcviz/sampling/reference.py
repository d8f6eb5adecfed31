"""The reference network: the small convolutional classifier that the shipped run comes from."""

import keras


def reference_network(
    input_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10, activation: str = "relu", seed: int = 0
) -> keras.Model:
    """Build the untrained reference network.

    Args:
        input_shape: one image's (height, width, channels).
        classes: the number of classes, C.
        activation: of every layer but the last, by its Keras name.
        seed: of the initial weights and of the dropout masks in training.

    Returns:
        A model from (N, height, width, channels) float32 in 0..1 to (N, C) probabilities.
    """
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))

    def initial() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, activation=activation, kernel_initializer=initial()),
            layers.Conv2D(64, 3, activation=activation, kernel_initializer=initial()),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25, seed=next(seeds)),
            layers.Flatten(),
            layers.Dense(128, activation=activation, kernel_initializer=initial()),
            layers.Dropout(0.5, seed=next(seeds)),
            layers.Dense(classes, activation="softmax", kernel_initializer=initial()),
        ],
        name="reference_network",
    )
