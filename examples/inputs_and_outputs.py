"""One network with two inputs and two outputs, each with a name.

    python examples/inputs_and_outputs.py

From the temperatures of a day, hour by hour, and a few numbers about it, the network tells two
things about the next day: whether it rains, and how warm it becomes. The days are made up.
"""

from __future__ import annotations

import numpy as np

import dlnative as keras
from dlnative import layers

Arrays = dict[str, np.ndarray]


def load_data(days: int = 2000, seed: int = 0) -> tuple[Arrays, Arrays]:
    """Inputs and outputs by name."""
    rng = np.random.default_rng(seed)
    season, damp, wind = rng.uniform(-1, 1, size=(3, days))
    hours = np.arange(24) / 24
    swing = 1 - 0.5 * damp  # under clouds a day is as warm as its night
    waves = -np.cos(2 * np.pi * hours) * swing[:, None]
    curve = season[:, None] + 0.4 * waves + 0.05 * rng.normal(size=(days, 24))
    rain = damp + 0.3 * wind + 0.1 * rng.normal(size=days) > 0.2
    warmth = season + 0.3 * swing - 0.2 * rain + 0.05 * rng.normal(size=days)
    x = {"curve": curve[..., None], "facts": np.stack([wind, wind**2, rng.normal(size=days)], 1)}
    y = {"rain": rain[:, None], "warmth": warmth[:, None]}
    return {k: v.astype("float32") for k, v in x.items()}, y


def make_model() -> keras.Model:
    curve = keras.Input((24, 1), name="curve")
    facts = keras.Input((3,), name="facts")
    h = layers.Conv1D(8, 5, strides=2, activation="relu")(curve)
    h = layers.Conv1D(8, 3, activation="relu")(h)
    h = layers.concatenate([layers.Flatten()(h), layers.Dense(8, activation="relu")(facts)])
    h = layers.Dense(32, activation="relu")(h)
    rain = layers.Dense(1, activation="sigmoid", name="rain")(h)
    warmth = layers.Dense(1, name="warmth")(h)

    model = keras.Model(
        inputs={"curve": curve, "facts": facts}, outputs={"rain": rain, "warmth": warmth}
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.003),
        loss={"rain": "binary_crossentropy", "warmth": keras.losses.Huber(delta=0.5)},
        loss_weights={"rain": 1.0, "warmth": 5.0},
        metrics={"rain": ["accuracy", keras.metrics.AUC(name="auc")], "warmth": "mae"},
    )
    return model


def main(epochs: int = 20) -> None:
    x, y = load_data()
    model = make_model()
    model.fit(x, y, epochs=epochs, validation_split=0.2, verbose=2)

    new_x, new_y = load_data(days=500, seed=1)
    for name, value in model.evaluate(new_x, new_y, verbose=0, return_dict=True).items():
        print(f"{name:20} {value:.3f}")
    predicted = model.predict(new_x, verbose=0)
    for i in range(5):
        chance, warmth = predicted["rain"][i, 0], predicted["warmth"][i, 0]
        was = f"{'rain' if new_y['rain'][i, 0] else 'dry '} {new_y['warmth'][i, 0]:5.2f}"
        print(f"rain {chance:4.0%}, warmth {warmth:5.2f}; it was {was}")


if __name__ == "__main__":
    main()
