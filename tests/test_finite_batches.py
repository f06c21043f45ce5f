"""NaN and infinity in batches that come one by one: found before the step that would take them."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import assert_same

import dlnative
from dlnative import layers
from dlnative.models import checks

pytestmark = pytest.mark.filterwarnings("ignore:The .* ran out of data:UserWarning")

ROWS = 8


def two_inputs(optimizer="sgd", **options):
    """A model of two inputs and one output."""
    dlnative.utils.set_random_seed(3)
    a, b = dlnative.Input((5,), name="a"), dlnative.Input((3,), name="b")
    h = layers.Concatenate()([layers.Dense(4, "tanh")(a), b])
    model = dlnative.Model([a, b], layers.Dense(1)(h))
    model.compile(optimizer, "mse", **options)
    return model


def batch(rng, dtype="float32", rows=ROWS, width=5):
    x = [rng.random((rows, width)).astype(dtype), rng.random((rows, 3)).astype(dtype)]
    return x, rng.random((rows, 1)).astype(dtype), rng.random(rows).astype(dtype)


def spoilt(rng, place, value, dtype):
    """(batches of which the third has a value in one of its arrays, the name of that array)."""
    batches = [batch(rng, dtype) for _ in range(4)]
    (a, b), y, weight = batches[2]
    arrays = {"x[0]": a, "x[1]": b, "y": y, "sample_weight": weight}
    arrays[place].reshape(ROWS, -1)[6, -1] = value
    return batches


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}], ids=["compiled", "eager"])
@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.nan, "float32"),
        (-np.inf, "float32"),
        (np.inf, "float16"),
        (np.nan, "float64"),
        (1e300, "float64"),
    ],
)
@pytest.mark.parametrize("place", ["x[0]", "x[1]", "y", "sample_weight"])
def test_every_array(engine, rng, place, value, dtype, options):
    """The message names batch, array and sample; the model is that of the batches before."""
    batches = spoilt(rng, place, value, dtype)
    model = two_inputs(**options)
    name = place.replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(ValueError, match=f"generator, batch 2: {name}: sample 6 has the value"):
        model.fit((b for b in batches), verbose=0, epochs=1)
    expected = two_inputs(**options)
    expected.fit((b for b in batches[:2]), verbose=0)
    assert_same(model.get_weights(), expected.get_weights())
    assert model.optimizer.iterations.numpy() == 2


@pytest.mark.parametrize("place", ["x[0]", "sample_weight"])
def test_validation(rng, place):
    batches = spoilt(rng, place, np.nan, "float32")
    model = two_inputs()
    with pytest.raises(ValueError, match="generator, batch 2: validation_.*: sample 6"):
        model.fit((b for b in batches[:2]), validation_data=(b for b in batches), verbose=0)


def test_a_search(rng):
    """LBFGS, whose step is several: the batch of the second epoch is another."""
    good, bad = batch(rng), spoilt(rng, "y", np.inf, "float32")[2]

    class Data(dlnative.utils.PyDataset):
        item = good

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return self.item

        def on_epoch_end(self):
            self.item = bad

    model = two_inputs(dlnative.optimizers.LBFGS())
    with pytest.raises(ValueError, match="y: sample 6 has the value inf"):
        model.fit(Data(), epochs=3, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_with_a_policy(rng):
    """What `on_nonfinite` does concerns steps, not data."""
    batches = spoilt(rng, "x[1]", np.nan, "float32")
    model = two_inputs()
    with pytest.raises(ValueError, match=r"batch 2: x\[1\]: sample 6"):
        model.fit((b for b in batches), verbose=0, on_nonfinite="skip")
    assert not model._trainer.armed.array
    with pytest.warns(RuntimeWarning, match="not finite"):
        model.fit((b for b in batches), verbose=0, on_nonfinite="skip", check_finite=False)
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("row", [0, 130, 299])
@pytest.mark.parametrize("strided", [False, True])
def test_large_batches(rng, threads, row, strided):
    """Several tasks gather them, contiguous or not, with values of any size beside the NaN."""
    zeros = layers.Dense(1, kernel_initializer="zeros")
    model = dlnative.Sequential([dlnative.Input((700,)), zeros])
    model.compile("sgd", "mse")
    batches = []
    for _ in range(3):
        x = rng.choice([3e38, -3e38, 1e-40, 0.0], (300, 1400 if strided else 700))
        x = x.astype("float32")
        batches.append((x[:, ::2] if strided else x, np.zeros((300, 1), "float32")))
    before = dlnative.config.num_threads()
    dlnative.config.set_num_threads(threads)
    try:
        model.fit((b for b in batches), verbose=0)
        batches[2][0][row, 699] = np.nan
        with pytest.raises(ValueError, match=f"batch 2: x: sample {row} .*nan in column 699"):
            model.fit((b for b in batches), verbose=0)
    finally:
        dlnative.config.set_num_threads(before)


def test_integers_and_labels_of_classes(rng):
    """What is not fed as a float is looked at all the same."""
    model = dlnative.Sequential([dlnative.Input((4,)), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    batches = [
        (rng.integers(0, 200, (ROWS, 4), dtype="uint8"), rng.integers(0, 3, ROWS).astype("f4"))
        for _ in range(4)
    ]
    model.fit((b for b in batches), verbose=0)
    batches[3][1][2] = np.nan
    with pytest.raises(ValueError, match="batch 3: y"):
        model.fit((b for b in batches), verbose=0)


def test_the_step_looks_itself(rng, monkeypatch):
    """After the first batch nothing is read twice."""
    looked = []
    plain = checks.check_finite
    monkeypatch.setattr(
        checks, "check_finite", lambda name, *rest: (looked.append(name), plain(name, *rest))
    )
    batches = [batch(rng) for _ in range(5)]
    model = two_inputs()
    model.fit((b for b in batches), verbose=0)
    assert len(looked) <= 2 * 4  # the first batch is known before the first epoch
