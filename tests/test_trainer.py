"""compile and fit: options, data of all kinds, and bookkeeping."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import assert_same, classes, compiled, mlp, trained

import dlnative
from dlnative import layers, ops

# --- fit ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_training(rng):
    x, y = classes(rng)
    first = trained(x, y, epochs=3, batch_size=5)
    assert_same(first, trained(x, y, epochs=3, batch_size=5))
    assert_same(first, trained(x, y, seed=4, epochs=3, batch_size=5), same=False)


def test_two_fits_are_one(rng):
    """The order of an epoch depends on its number, not on how many calls of fit there were."""
    x, y = classes(rng)
    dlnative.utils.set_random_seed(3)
    model = compiled("adam")
    model.fit(x, y, epochs=2, batch_size=5, verbose=0)
    model.fit(x, y, epochs=3, initial_epoch=2, batch_size=5, verbose=0)
    assert_same(model.get_weights(), trained(x, y, epochs=3, batch_size=5))


def test_shuffle(rng):
    from dlnative.models.order import Order

    order = Order(10, 4, True, seed=5)
    first, second = order.indices(0), order.indices(1)
    assert sorted(first) == sorted(second) == list(range(10))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(order.indices(0), first)
    assert not np.array_equal(Order(10, 4, True, seed=6).indices(0), first)
    assert Order(10, 4, False, seed=5).indices(0) is None
    blocks = Order(10, 4, "batch", seed=5).indices(3)
    assert sorted(blocks[:4]) == [0, 1, 2, 3]
    assert sorted(blocks[4:8]) == [4, 5, 6, 7]
    assert sorted(blocks[8:]) == [8, 9]
    assert not np.array_equal(blocks, np.arange(10))
    x, y = classes(rng)
    assert_same(trained(x, y, shuffle=False), trained(x, y, shuffle=True), same=False)


def test_epoch_means_weigh_batches_by_their_size(rng):
    x, y = classes(rng, 10)
    model = compiled(dlnative.optimizers.SGD(learning_rate=0.0), metrics=["accuracy"])
    history = model.fit(x, y, batch_size=4, verbose=0).history
    loss, accuracy = model.evaluate(x, y, batch_size=10, verbose=0)
    assert history["loss"][0] == pytest.approx(loss, rel=1e-6)
    assert history["accuracy"][0] == pytest.approx(accuracy)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 100])
def test_any_batch_size(rng, batch_size):
    x, y = classes(rng, 10)
    model = compiled()
    model.fit(x, y, batch_size=batch_size, verbose=0)
    assert model.optimizer.iterations == -(-10 // min(batch_size, 10))


def test_validation(rng):
    x, y = classes(rng, 20)
    model = compiled(dlnative.optimizers.SGD(learning_rate=0.0), metrics=["accuracy"])
    split = model.fit(x, y, verbose=0, validation_split=0.25).history
    given = model.fit(x[:15], y[:15], verbose=0, validation_data=(x[15:], y[15:])).history
    assert {k: pytest.approx(v) for k, v in split.items()} == given
    expected = model.evaluate(x[15:], y[15:], verbose=0, return_dict=True)
    assert split["val_loss"][0] == pytest.approx(expected["loss"])
    often = model.fit(x, y, epochs=6, verbose=0, validation_split=0.25, validation_freq=2).history
    assert (len(often["loss"]), len(often["val_loss"])) == (6, 3)
    chosen = model.fit(
        x, y, epochs=6, verbose=0, validation_split=0.25, validation_freq=[1, 5]
    ).history
    assert len(chosen["val_loss"]) == 2


def test_initial_epoch(rng):
    x, y = classes(rng)
    history = compiled().fit(x, y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]
    assert compiled().fit(x, y, epochs=0, verbose=0).history == {}


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64", "bool"])
def test_any_numeric_dtype(rng, dtype):
    x = rng.integers(0, 2 if dtype == "bool" else 100, (12, 4)).astype(dtype)
    y = rng.integers(0, 3, 12).astype("uint8" if dtype != "float64" else "float64")
    model, same = compiled(), compiled()
    same.set_weights(model.get_weights())
    a = model.fit(x, y, verbose=0, shuffle=False, batch_size=5).history["loss"]
    b = same.fit(
        x.astype("float32"), y.astype("int32"), verbose=0, shuffle=False, batch_size=5
    ).history["loss"]
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_memory_map_and_strides(rng, tmp_path):
    x, y = classes(rng, 24)
    expected = trained(x, y, epochs=2)
    mapped = np.memmap(tmp_path / "x", dtype="float32", mode="w+", shape=x.shape)
    mapped[...] = x
    assert_same(trained(mapped, y, epochs=2), expected)
    assert_same(trained(np.asfortranarray(x), y, epochs=2), expected)
    assert_same(trained(np.repeat(x, 2, 0)[::2], y, epochs=2), expected)


def test_lists_and_data_frames(rng):
    x, y = classes(rng, 8)

    class Frame:
        def __array__(self, dtype=None, copy=None):
            return x if dtype is None else x.astype(dtype)

    expected = trained(x, y)
    assert_same(trained(x.tolist(), y.tolist()), expected)
    assert_same(trained(Frame(), y), expected)
    assert_same(trained([x], [y]), expected)


def test_float64(rng):
    x, y = classes(rng)
    model = dlnative.Sequential(
        [
            layers.Input((4,), dtype="float64"),
            layers.Dense(3, activation="softmax", dtype="float64"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, verbose=0, sample_weight=np.ones(37, "float32"))
    assert model.predict(x, verbose=0).dtype == np.float64


def test_model_without_input_is_built_by_the_data(rng):
    x, y = classes(rng)
    model = dlnative.Sequential(
        [layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    assert not model.built
    model.fit(x, y, verbose=0)
    assert model.built


def test_subclassed_model(rng):
    class Own(dlnative.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(5, activation="tanh")
            self.drop = layers.Dropout(0.5, seed=1)
            self.last = layers.Dense(1)

        def call(self, x, training=None):
            return self.last(self.drop(self.first(x), training=training))

    x = rng.normal(size=(20, 3)).astype("float32")
    model = Own()
    model.compile("adam", "mse")
    losses = model.fit(x, x[:, :1], epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(model.predict(x), model.predict(x))


def test_frozen_layers_stay_and_thaw(rng):
    x, y = classes(rng)
    model = compiled("adam")
    first = model.layers[0]
    before = [w.copy() for w in first.get_weights()]
    first.trainable = False
    model.fit(x, y, verbose=0)
    assert_same(first.get_weights(), before)
    model.train_on_batch(x, y)
    first.trainable = True
    model.train_on_batch(x, y)
    assert not np.array_equal(first.get_weights()[0], before[0])
    first.trainable = False
    before = [w.copy() for w in first.get_weights()]
    model.train_on_batch(x, y)
    assert_same(first.get_weights(), before)


def test_frozen_variables_stay(rng):
    x, y = classes(rng)
    model = compiled("adam")
    model.train_on_batch(x, y)
    model.fit(x, y, verbose=0)
    kernel, bias = model.layers[0].variables
    kernel.trainable = False
    before = kernel.numpy(), bias.numpy()
    model.train_on_batch(x, y)
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(kernel.value, before[0])
    assert not np.array_equal(bias.value, before[1])


def test_interrupted_training_goes_on(rng):
    """What a callback raises leaves the model usable and the history so far."""
    x, y = classes(rng)
    model = compiled("adam")

    def stop(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    callback = dlnative.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=9, verbose=0, callbacks=[callback])
    assert len(model.history.history["loss"]) == 2
    model.fit(x, y, epochs=2, verbose=0)
    assert model.optimizer.iterations == 4 * 2


def test_own_loss_and_metric(rng):
    x, y = rng.normal(size=(12, 4)), rng.normal(size=(12, 1))

    def quartic(y_true, y_pred):
        square = (y_pred - y_true) * (y_pred - y_true)
        return ops.mean(square * square, axis=-1)

    class Total(dlnative.losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean((y_pred - y_true) * (y_pred - y_true))

    model = mlp(outputs=1, activation=None)
    model.compile("sgd", quartic, metrics=[quartic, "mse", Total(name="total")])
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    error = model.predict(x, verbose=0) - y
    assert results["loss"] == pytest.approx((error**4).mean(), rel=1e-5)
    assert results["quartic"] == pytest.approx(results["loss"], rel=1e-6)
    assert results["total"] == pytest.approx(results["mse"], rel=1e-6)
    model.compile("sgd", Total())
    assert model.train_on_batch(x, y) == pytest.approx((error**2).mean(), rel=1e-5)
    weight = rng.uniform(0, 2, 12)
    error = model.predict(x, verbose=0) - y
    assert model.test_on_batch(x, y, weight) == pytest.approx(
        (error**2).mean() * weight.mean(), rel=1e-5
    )


def test_loss_from_logits_is_the_loss_of_probabilities(rng):
    x, y = classes(rng)
    model = mlp()
    logits = mlp(activation=None)
    logits.set_weights(model.get_weights())
    model.compile("sgd", "sparse_categorical_crossentropy")
    logits.compile("sgd", dlnative.losses.SparseCategoricalCrossentropy(from_logits=True))
    np.testing.assert_allclose(model.train_on_batch(x, y), logits.train_on_batch(x, y), rtol=1e-6)
    for a, b in zip(model.get_weights(), logits.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_dropout_masks_change_from_step_to_step(rng):
    x = np.ones((4, 50), "float32")
    model = dlnative.Sequential(
        [
            layers.Input((50,)),
            layers.Dropout(0.5, seed=1),
            layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    model.compile(dlnative.optimizers.SGD(learning_rate=0.0), "mse")
    losses = {model.train_on_batch(x, np.zeros((4, 1))) for _ in range(5)}
    assert len(losses) == 5
    assert model.test_on_batch(x, np.zeros((4, 1))) == pytest.approx(2500.0)


# --- compiling ------------------------------------------------------------------------------------


def test_recompiling_starts_anew(rng):
    x, y = classes(rng)
    model = compiled("adam", metrics=["accuracy"])
    model.fit(x, y, verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert list(model.fit(x, y, verbose=0).history) == ["loss"]
    assert model.optimizer.iterations == 2


def test_compile_configuration(rng):
    x, y = classes(rng)
    model = compiled(dlnative.optimizers.Adam(learning_rate=0.25), metrics=["accuracy"])
    model.fit(x, y, verbose=0)
    config = model.get_compile_config()
    other = mlp()
    assert other.get_compile_config() is None
    other.compile_from_config(config)
    assert float(other.optimizer.learning_rate) == 0.25
    other.set_weights(model.get_weights())
    assert other.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


def test_copies_of_a_model_train_on_their_own(rng):
    import copy
    import pickle

    x, y = classes(rng)
    model = compiled("adam")
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
        other.fit(x, y, verbose=0)
        assert other.optimizer.iterations == 4
        assert model.optimizer.iterations == 2
        assert_same(model.get_weights(), before)


def test_metrics_of_a_model(rng):
    x, y = classes(rng)
    model = compiled(metrics=["accuracy"])
    model.evaluate(x, y, verbose=0)
    assert model.metrics_names == ["loss", "compile_metrics"]
    assert model.get_metrics_result()["loss"] > 0
    model.reset_metrics()
    assert model.get_metrics_result() == {"accuracy": 0.0, "loss": 0.0}
