"""callbacks.TensorBoard: what TensorBoard's own reader finds in its files."""

from __future__ import annotations

import builtins
import copy
import io
import json
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import callbacks
from dlnative.callbacks.event_file import picture_of
from dlnative.models.training_state import TrainingState

WHY = "needs tensorboardX and Pillow: pip install 'dlnative[tensorboard]'"
pytest.importorskip("tensorboardX", reason=WHY)
pytest.importorskip("PIL", reason=WHY)
X = np.random.default_rng(0).normal(size=(12, 8, 8, 1)).astype("float32")
Y = np.random.default_rng(1).normal(size=(12, 2)).astype("float32")


def make():
    model = dlnative.Sequential(
        [
            dlnative.Input((8, 8, 1)),
            dlnative.layers.Conv2D(4, 3, name="conv"),
            dlnative.layers.Flatten(),
            dlnative.layers.Dense(2, name="dense"),
        ],
        name="net",
    )
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape) / 10 for w in model.weights])
    model.compile(dlnative.optimizers.SGD(0.01), "mse", metrics=["mae"])
    return model


def fit(model, used, **options):
    given = {"epochs": 3, "batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, callbacks=used, validation_data=(X[:6], Y[:6]), **given)


def read(folder, kind):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="needs tensorboard: pip install 'dlnative[test-peers]'",
        exc_type=ImportError,
    )
    found = accumulator.EventAccumulator(
        str(folder / kind), size_guidance={"images": 0, "histograms": 0}
    )
    return found.Reload()


def curve(found, tag):
    points = found.Scalars(tag)
    return [p.step for p in points], [p.value for p in points]


def test_curves(tmp_path):
    model = make()
    fitted = fit(model, [callbacks.TensorBoard(tmp_path, write_steps_per_second=True)]).history
    train, validation = read(tmp_path, "train"), read(tmp_path, "validation")
    names = ["loss", "mae", "learning_rate", "steps_per_second"]
    assert set(train.Tags()["scalars"]) == {f"epoch_{name}" for name in names}
    expected = {f"epoch_{n}" for n in ("loss", "mae")}
    expected |= {f"evaluation_{n}_vs_iterations" for n in ("loss", "mae")}
    assert set(validation.Tags()["scalars"]) == expected
    for name in ("loss", "mae"):
        for found, key in ((train, name), (validation, f"val_{name}")):
            steps, values = curve(found, f"epoch_{name}")
            assert steps == [0, 1, 2]
            np.testing.assert_allclose(values, fitted[key], rtol=1e-6)
        steps, values = curve(validation, f"evaluation_{name}_vs_iterations")
        assert steps == [3, 6, 9]
        np.testing.assert_allclose(values, fitted[f"val_{name}"], rtol=1e-6)
    np.testing.assert_allclose(curve(train, "epoch_learning_rate")[1], [0.01] * 3)
    assert min(curve(train, "epoch_steps_per_second")[1]) > 0


@pytest.mark.parametrize("frequency", ["batch", 2, 5])
def test_curves_of_batches(tmp_path, frequency):
    losses = []
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs))
    board = callbacks.TensorBoard(tmp_path, update_freq=frequency, write_steps_per_second=True)
    fit(make(), [note, board])
    every = 1 if frequency == "batch" else frequency
    steps, values = curve(read(tmp_path, "train"), "batch_loss")
    assert steps == list(range(every, 10, every))
    np.testing.assert_allclose(values, [losses[s - 1]["loss"] for s in steps], rtol=1e-6)
    assert curve(read(tmp_path, "train"), "batch_steps_per_second")[0] == steps


def test_batches_are_looked_at_only_where_it_is_asked_for(tmp_path):
    plain = callbacks.TensorBoard(tmp_path, write_steps_per_second=True)
    assert not callbacks.CallbackList([plain]).has_batch_hooks("train")
    each = callbacks.TensorBoard(tmp_path, update_freq=2)
    assert callbacks.CallbackList([each]).has_batch_hooks("train")


def test_weights(tmp_path):
    from PIL import Image

    model = make()
    kept = []
    note = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append([np.array(w.value) for w in model.weights])
    )
    fit(model, [note, callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True)])
    found = read(tmp_path, "train")
    tags = [weight.path for weight in model.weights]
    assert len(tags) == 4
    assert set(found.Tags()["histograms"]) == {f"{tag}/histogram" for tag in tags}
    for number, tag in enumerate(tags):
        first, second = found.Histograms(f"{tag}/histogram")
        assert (first.step, second.step) == (0, 2)
        values = kept[2][number].astype(float).ravel()
        histogram = second.histogram_value
        assert histogram.num == sum(histogram.bucket) == values.size
        np.testing.assert_allclose([histogram.min, histogram.max], [values.min(), values.max()])
        np.testing.assert_allclose(histogram.sum, values.sum(), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(histogram.sum_squares, values @ values)
    (_, image) = found.Images("net/conv/kernel/image")
    assert (image.step, image.width, image.height) == (2, 3, 4 * 4 - 1)
    pixels = np.array(Image.open(io.BytesIO(image.encoded_image_string)))
    np.testing.assert_array_equal(pixels, picture_of(kept[2][0]))
    assert len(found.Tags()["images"]) == 4


def test_pictures():
    kernel = np.zeros((2, 3, 2, 5), "float32")
    kernel[0, 1, 1, 2] = 1.0  # row 0, column 1 of the taps of channel 1 and filter 2
    picture = picture_of(kernel)
    assert picture.shape == (5 * 3 - 1, 2 * 4 - 1)
    assert picture[2 * 3, 4 + 1] == 255 and picture.sum() == 255
    in_colours = picture_of(np.concatenate([kernel, -kernel[:, :, :1]], 2))
    assert in_colours.shape == (14, 3, 3)
    np.testing.assert_array_equal(in_colours[6, 1], [0, 255, 0])
    assert picture_of(np.arange(6.0).reshape(3, 2)).shape == (2, 3)
    assert picture_of(np.arange(3.0)).tolist() == [[0, 128, 255]]
    assert picture_of(np.ones(3)).tolist() == [[0, 0, 0]]
    for other in (np.ones(()), np.ones((1, 2, 3)), np.ones((0, 3)), np.array([1.0, np.nan])):
        assert picture_of(other) is None
    assert picture_of(np.ones((1, 1, 500, 500))).shape == (127, 127)


@pytest.mark.filterwarnings("ignore:fit. the loss is:RuntimeWarning")
def test_weights_that_are_not_finite(tmp_path):
    model = make()
    model.layers[0].kernel.assign(np.full((3, 3, 1, 4), np.nan))
    fit(model, [callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)], epochs=1)
    found = read(tmp_path, "train").Tags()
    assert "net/conv/kernel/histogram" not in found["histograms"]
    assert "epoch_loss" in found["scalars"]


def functional():
    inputs = dlnative.Input((8, 8, 1), name="pixels")
    flat = dlnative.layers.Flatten(name="flat")(inputs)
    a = dlnative.layers.Dense(3, name="a")(flat)
    b = dlnative.layers.Dense(3, name="b")(flat)
    outputs = dlnative.layers.Dense(2, name="out")(dlnative.layers.Add(name="sum")([a, b]))
    model = dlnative.Model(inputs, outputs)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(("build", "edges"), [(make, 2), (functional, 6)])
def test_the_graph(tmp_path, build, edges):
    keras_util = pytest.importorskip("tensorboard.plugins.graph.keras_util")
    fit(build(), [callbacks.TensorBoard(tmp_path)], epochs=1)
    found = read(tmp_path, "train")
    (event,) = found.Tensors("keras")
    assert found.SummaryMetadata("keras").plugin_data.plugin_name == "graph_keras_model"
    graph = keras_util.keras_model_to_graph_def(json.loads(event.tensor_proto.string_val[0]))
    assert sum(len(node.input) for node in graph.node) >= edges
    fit(build(), [callbacks.TensorBoard(tmp_path / "none", write_graph=False)], epochs=1)
    assert read(tmp_path / "none", "train").Tags()["tensors"] == []


def test_evaluate_and_predict(tmp_path):
    model = make()
    board = callbacks.TensorBoard(tmp_path)
    result = model.evaluate(X, Y, verbose=0, callbacks=[board])
    model.train_on_batch(X, Y)
    model.evaluate(X, Y, verbose=0, callbacks=[board])
    model.predict(X, verbose=0, callbacks=[board])
    steps, values = curve(read(tmp_path, "validation"), "evaluation_loss_vs_iterations")
    assert steps == [0, 1]
    np.testing.assert_allclose(values[0], result[0], rtol=1e-6)
    assert not (tmp_path / "train").exists()


class Interrupted(Exception):
    """What ends the first process."""


@pytest.mark.parametrize("after", [0, 2])
def test_going_on_in_another_process(tmp_path, after):
    options = {"update_freq": 2, "histogram_freq": 1}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fit(make(), [callbacks.TensorBoard(whole, **options)], epochs=5)
    first, model, kept = callbacks.TensorBoard(broken, **options), make(), []

    def end(epoch, logs):
        if epoch == after:
            kept.append(TrainingState.of(model, [first]))
            json.dumps(kept[0].values)
        elif epoch == after + 1:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(model, [first, callbacks.LambdaCallback(on_epoch_end=end)], epochs=5)
    second, model = callbacks.TensorBoard(broken, **options), make()
    kept[0].put_back(model, [second])
    fit(model, [second], epochs=5, initial_epoch=after + 1)
    for kind in ("train", "validation"):
        a, b = read(broken, kind), read(whole, kind)
        assert a.Tags() == b.Tags() and len(list((broken / kind).iterdir())) == 1
        for tag in a.Tags()["scalars"]:
            assert curve(a, tag) == curve(b, tag)
        for tag in a.Tags()["histograms"]:
            for x, y in zip(a.Histograms(tag), b.Histograms(tag), strict=True):
                assert (x.step, x.histogram_value) == (y.step, y.histogram_value)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_and_the_next_fit(tmp_path, copied):
    board = callbacks.TensorBoard(tmp_path, update_freq=3)
    fit(make(), [board], epochs=1)
    board = copied(board)
    fit(make(), [board], epochs=2)
    assert len(list((tmp_path / "train").iterdir())) == 2  # a file for each `fit`
    assert curve(read(tmp_path, "train"), "batch_loss")[0] == [3, 3, 6]


@pytest.mark.parametrize("name", ["../events.out.tfevents.1", "/etc/passwd", "config.json", 3])
def test_a_state_that_names_another_file(tmp_path, name):
    board = callbacks.TensorBoard(tmp_path / "logs")
    state = board.get_state() | {"train": [name, 1]}
    with pytest.raises(ValueError, match="expected the name of a file of events"):
        board.set_state(state)


def test_what_is_refused(tmp_path, monkeypatch):
    for options in ({"profile_batch": 2}, {"profile_batch": (2, 3)}, {"embeddings_freq": 1}):
        with pytest.raises(NotImplementedError, match="TensorBoard: expected"):
            callbacks.TensorBoard(tmp_path, **options)
    with pytest.raises(NotImplementedError, match="embeddings_metadata=None"):
        callbacks.TensorBoard(tmp_path, embeddings_metadata={"a": "b"})
    for options in ({"histogram_freq": -1}, {"update_freq": 0}, {"update_freq": "day"}):
        with pytest.raises(ValueError, match="TensorBoard: expected"):
            callbacks.TensorBoard(tmp_path, **options)
    for options in ({"log_dir": 3}, {"histogram_freq": 0.5}, {"update_freq": 1.5}):
        with pytest.raises(TypeError, match="TensorBoard: expected"):
            callbacks.TensorBoard(**options)
    with pytest.warns(UserWarning, match="write_images has an effect with histogram_freq only"):
        callbacks.TensorBoard(tmp_path, write_images=True)

    def without(name, *args, **kwargs):
        if name.startswith("tensorboardX"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    board = callbacks.TensorBoard(tmp_path)
    with pytest.raises(ImportError, match=r"pip install 'dlnative\[tensorboard\]'"):
        fit(make(), [board])
    with pytest.raises(ImportError, match="needs tensorboardX"):
        make().evaluate(X, Y, verbose=0, callbacks=[board])
