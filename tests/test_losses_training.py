"""Losses in training: `fit` beside Keras's, the user's own, labels that cannot be right."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers, losses, ops

SIZE, CLASSES = 10, 3


def numbers(rng):
    return rng.uniform(0.1, 0.9, (SIZE, CLASSES)).astype("float32")


def one_hot(rng):
    return np.eye(CLASSES, dtype="float32")[class_numbers(rng)]


def class_numbers(rng):
    return rng.integers(0, CLASSES, SIZE).astype("int32")


def with_void(rng):
    labels = class_numbers(rng)
    labels[::4] = 255
    return labels


# class, options, labels, last activation
CASES = [
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, one_hot, "sigmoid"),
    ("BinaryCrossentropy", {"axis": 0, "from_logits": True}, one_hot, None),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True}, one_hot, "sigmoid"),
    ("CategoricalCrossentropy", {"reduction": "mean_with_sample_weight"}, one_hot, "softmax"),
    ("CategoricalFocalCrossentropy", {"alpha": [0.3, 0.2, 0.5]}, one_hot, "softmax"),
    ("CategoricalGeneralizedCrossEntropy", {}, class_numbers, "softmax"),
    ("CategoricalHinge", {}, one_hot, None),
    ("CosineSimilarity", {}, numbers, None),
    ("Dice", {"axis": (0, 1)}, one_hot, "sigmoid"),
    ("Dice", {"axis": -1, "reduction": "sum"}, one_hot, "sigmoid"),
    ("Hinge", {}, one_hot, None),
    ("Huber", {"delta": 0.2}, numbers, None),
    ("KLDivergence", {}, numbers, "softmax"),
    ("LogCosh", {}, numbers, None),
    ("MeanAbsoluteError", {}, numbers, None),
    ("MeanAbsolutePercentageError", {}, numbers, None),
    ("MeanSquaredError", {"dtype": "float64"}, numbers, None),
    ("MeanSquaredLogarithmicError", {}, numbers, "softplus"),
    ("Poisson", {}, numbers, "softplus"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 255}, with_void, "softmax"),
    (
        "SparseCategoricalCrossentropy",
        {"ignore_class": 255, "from_logits": True, "reduction": "mean_with_sample_weight"},
        with_void,
        None,
    ),
    ("SquaredHinge", {}, one_hot, None),
    ("Tversky", {"alpha": 0.3, "beta": 0.7}, one_hot, "sigmoid"),
]


def model_of(library, activation):
    return library.Sequential(
        [
            library.Input((4,)),
            library.layers.Dense(5, activation="tanh"),
            library.layers.Dense(CLASSES, activation=activation),
        ]
    )


def trained(model, loss, optimizer, data, **options):
    """The losses of two epochs of two batches, the second of which is smaller, and the weights."""
    model.compile(optimizer, loss, **options)
    x, y, weight = data
    history = model.fit(
        x, y, sample_weight=weight, batch_size=6, epochs=2, shuffle=False, verbose=0
    )
    return history.history["loss"], [np.array(v.value) for v in model.trainable_variables]


def data_of(rng, labels, weighted):
    x = rng.normal(size=(SIZE, 4)).astype("float32")
    weight = rng.uniform(0, 2, SIZE).astype("float32") if weighted else None
    return x, labels(rng), weight


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{c[0]} {c[1]}" for c in CASES])
def test_fit_as_keras(keras, rng, case):
    name, options, labels, activation = CASES[case]
    # One loss per column has no weights per sample.
    data = data_of(rng, labels, weighted=case % 2 == 1 and options.get("axis") != 0)
    ours, theirs = model_of(dlnative, activation), model_of(keras, activation)
    theirs.set_weights(ours.get_weights())
    # Keras computes a loss in float64 only with JAX_ENABLE_X64.
    plain = {k: v for k, v in options.items() if k != "dtype"}
    rate = 0.1 if name != "MeanAbsolutePercentageError" else 0.001  # its losses are percentages
    expected = trained(
        theirs,
        getattr(keras.losses, name)(**plain),
        keras.optimizers.SGD(rate),
        data,
        run_eagerly=True,
    )
    start = ours.get_weights()
    for engine in ("native", "numpy"):
        ours.set_weights(start)
        with dlnative.engine(engine):
            found = trained(
                ours, getattr(losses, name)(**options), dlnative.optimizers.SGD(rate), data
            )
        np.testing.assert_allclose(found[0], expected[0], rtol=2e-5, atol=1e-6)
        for a, b in zip(found[1], expected[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


class OwnTversky(losses.Loss):
    def call(self, y_true, y_pred):
        common = ops.sum(y_true * y_pred)
        missed, added = ops.sum(y_true * (1 - y_pred)), ops.sum(y_pred * (1 - y_true))
        return 1 - common / (common + 0.3 * missed + 0.7 * added + 1e-7)


class OwnSparse(losses.Loss):
    """Labels come in the dtype of the predictions, as in Keras."""

    def call(self, y_true, y_pred):
        return losses.sparse_categorical_crossentropy(y_true, y_pred, ignore_class=255)


class OwnFocal(losses.Loss):
    def call(self, y_true, y_pred):
        p = ops.clip(y_pred / ops.sum(y_pred, axis=-1, keepdims=True), 1e-7, 1 - 1e-7)
        return ops.sum(0.25 * (1 - p) ** 2 * -y_true * ops.log(p), axis=-1)


@pytest.mark.parametrize(
    ("own", "built_in", "labels", "activation"),
    [
        (OwnTversky(), losses.Tversky(0.3, 0.7), one_hot, "sigmoid"),
        (OwnSparse(), losses.SparseCategoricalCrossentropy(ignore_class=255), with_void, "softmax"),
        (OwnFocal(), "categorical_focal_crossentropy", one_hot, "softmax"),
        (lambda t, p: losses.huber(t, p, delta=0.2), losses.Huber(0.2), numbers, None),
    ],
    ids=["Tversky", "sparse", "focal", "a function"],
)
def test_a_loss_of_the_users_own_gives_the_numbers_of_the_built_in(
    rng, own, built_in, labels, activation
):
    data = data_of(rng, labels, False)
    model = model_of(dlnative, activation)
    start = model.get_weights()
    results = []
    for loss in (own, built_in):
        model.set_weights(start)
        results.append(trained(model, loss, dlnative.optimizers.SGD(0.1), data))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-6)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "value", "message"),
    [
        (losses.SparseCategoricalCrossentropy(ignore_class=255), 3, r"\[0, 3\) .*received 3"),
        (losses.SparseCategoricalCrossentropy(ignore_class=-1), -2, "received -2 in sample 7"),
        (losses.CategoricalGeneralizedCrossEntropy(), -1, "received -1 in sample 7"),
        (losses.BinaryFocalCrossentropy(), 2, r"values in \[0, 1\].*received 2.* in sample 7"),
    ],
)
def test_labels_that_cannot_be_right_raise_before_training(rng, loss, value, message):
    x, y, _ = data_of(rng, class_numbers if loss.sparse_labels else one_hot, False)
    y[7] = value
    model = model_of(dlnative, "softmax")
    start = model.get_weights()
    model.compile("sgd", loss)
    calls = [
        lambda: model.fit(x, y, batch_size=4, verbose=0),
        lambda: model.train_on_batch(x, y),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: dlnative.value_and_grad(model, loss)(x, y),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()
    for a, b in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_ready_call_looks_at_class_numbers_but_the_ignored(rng):
    x, y, _ = data_of(rng, with_void, False)
    model = model_of(dlnative, "softmax")
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=255))
    for _ in range(3):
        model.train_on_batch(x, y)
    y[7] = 254
    with pytest.raises(ValueError, match="received 254 in sample 7"):
        model.train_on_batch(x, y)


def test_class_numbers_of_a_metric_are_looked_at_too(rng):
    x, y, _ = data_of(rng, class_numbers, False)
    model = model_of(dlnative, "softmax")
    own = lambda t, p: losses.mean_squared_error(0.0 * p, p) + 0.0 * t  # noqa: E731
    model.compile("sgd", own, metrics=["sparse_categorical_crossentropy"])
    for _ in range(2):
        model.train_on_batch(x, y)
    y[7] = 3
    for call in (model.train_on_batch, model.evaluate):
        with pytest.raises(ValueError, match="received 3 in sample 7"):
            call(x, y)


def test_columns_of_class_numbers_go_to_the_kernel():
    graph = dlnative.graph.Graph()
    z, y = graph.feed((4, 3), "float32"), graph.feed((4, 1), "int32")
    losses.sparse_categorical_crossentropy(y, ops.softmax(z))
    assert [n.op.name for n in graph.nodes][-1] == "sparse_softmax_cross_entropy"


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_class_numbers_that_a_loss_computes_itself_are_never_out_of_range(rng, engine):
    """Nobody has seen them before: the loss is NaN, and no memory beyond the row is read."""

    def shifted(y_true, y_pred):
        return losses.sparse_categorical_crossentropy(y_true + 1_000_000, y_pred)

    x, y, _ = data_of(rng, class_numbers, False)
    model = model_of(dlnative, "softmax")
    model.compile("sgd", shifted)
    with dlnative.engine(engine):
        assert np.isnan(model.evaluate(x, y, verbose=0))


@pytest.mark.parametrize("name", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
@pytest.mark.parametrize("from_logits", [False, True])
def test_classes_on_another_axis(rng, name, from_logits):
    """Images with the classes before the pixels, as arrays and in training."""
    labels = rng.integers(0, 3, (6, 4, 2))
    pred = rng.uniform(0.1, 0.9, (6, 3, 4, 2)).astype("float32")
    y = labels if name.startswith("sparse") else np.eye(3, dtype="float32")[labels]
    function = getattr(losses, name)
    expected = function(y, np.moveaxis(pred, 1, -1), from_logits=from_logits)
    y = labels if name.startswith("sparse") else np.moveaxis(y, -1, 1)
    for axis in (1, -3):
        found = function(y, pred, from_logits=from_logits, axis=axis)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    cls = losses.SparseCategoricalCrossentropy
    cls = cls if name.startswith("sparse") else losses.CategoricalCrossentropy
    model = dlnative.Sequential([dlnative.Input((3, 4, 2)), layers.Identity()])
    model.compile("sgd", cls(from_logits=from_logits, axis=1))
    assert model.evaluate(pred, y, verbose=0) == pytest.approx(expected.mean(), rel=1e-5)
    assert cls(axis=1).get_config()["axis"] == 1
    if name.startswith("sparse"):
        y[0, 0, 0] = 3
        with pytest.raises(ValueError, match=r"\[0, 3\)"):
            model.evaluate(pred, y, verbose=0)


def test_a_softmax_over_the_axis_of_the_classes_is_undone():
    graph = dlnative.graph.Graph()
    z = graph.feed((2, 3, 4), "float32")
    y = graph.feed((2, 4), "int32")
    for axis, op in ((1, "sparse_softmax_cross_entropy"), (2, "sparse_categorical_cross_entropy")):
        before = len(graph.nodes)
        losses.sparse_categorical_crossentropy(y, ops.softmax(z, axis=axis), axis=1)
        assert op in [node.op.name for node in graph.nodes[before:]]


@pytest.mark.parametrize("name", sorted(losses.CLASSES))
def test_losses_of_symbolic_tensors(rng, name):
    """A loss as the output of a functional model gives what it gives on arrays."""
    loss = getattr(losses, name)()
    size = () if loss.sparse_labels else (3,)
    dtype = "int32" if loss.sparse_labels else "float32"
    true, pred = dlnative.Input(size, dtype=dtype), dlnative.Input((3,))
    model = dlnative.Model([true, pred], loss(true, pred))
    y = (class_numbers if loss.sparse_labels else one_hot)(rng)
    p = numbers(rng)
    p /= p.sum(-1, keepdims=True)
    rows = dlnative.Model([true, pred], loss.fn(true, pred, **loss._fn_kwargs))
    assert float(model([y, p])) == pytest.approx(float(loss(y, p)), rel=1e-5)
    np.testing.assert_allclose(rows([y, p]), loss.fn(y, p, **loss._fn_kwargs), rtol=1e-5)


def test_a_configuration_keeps_what_a_function_is_called_with():
    loss = losses.LossFunctionWrapper(losses.huber, name="own", delta=0.5)
    same = losses.deserialize(losses.serialize(loss))
    assert same.get_config() == loss.get_config()
    assert same([[0.0]], [[2.0]]) == loss([[0.0]], [[2.0]]) == pytest.approx(0.875)
    for loss, key in (
        (losses.Huber(2.0), "delta"),
        (losses.CosineSimilarity(0), "axis"),
        (losses.Dice(dtype="float64"), "dtype"),
    ):
        assert losses.deserialize(losses.serialize(loss)).get_config() == loss.get_config()
        assert key in loss.get_config()
