"""Logs of `fit` and `evaluate` with many metrics beside those of real Keras."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative

ROWS, SIZE = 27, 8  # the last batch is a partial one


def mlp(library, units, activation, outputs=1):
    inputs = library.Input((5,))
    hidden = library.layers.Dense(6, activation="tanh", name="hidden")(inputs)
    heads = [
        library.layers.Dense(units, activation=activation, name=f"head{i}")(hidden)
        for i in range(outputs)
    ]
    return library.Model(inputs, heads if outputs > 1 else heads[0])


def classes(library):
    m = library.metrics
    return (
        mlp(library, 4, "softmax"),
        "categorical_crossentropy",
        [
            "accuracy",
            m.AUC(num_thresholds=20, name="auc"),
            m.F1Score(),
            m.FBetaScore(average="weighted", beta=0.5, threshold=0.3),
            m.Precision(thresholds=[0.2, 0.4], name="precision"),
            m.Recall(top_k=2, name="recall"),
            m.TopKCategoricalAccuracy(k=2),
            m.OneHotMeanIoU(num_classes=4, name="iou"),
            m.KLDivergence(),
            m.SquaredHinge(),
            m.CategoricalHinge(),
        ],
        ["accuracy", m.AUC(name="auc"), m.Recall(name="recall")],
    )


def binary(library):
    m = library.metrics
    return (
        mlp(library, 1, "sigmoid"),
        "binary_crossentropy",
        [
            "accuracy",
            "mse",
            "auc",
            m.Precision(name="precision"),
            m.TruePositives(name="tp"),
            m.FalseNegatives(thresholds=[0.3, 0.5, 0.6], name="fn"),
            m.SpecificityAtSensitivity(0.6, name="at"),
            m.BinaryIoU(name="iou"),
            m.RootMeanSquaredError(),
        ],
        [m.BinaryAccuracy(threshold=0.4, name="half"), "mse", m.TrueNegatives(name="tn")],
    )


def outputs(library):
    m = library.metrics
    return (
        mlp(library, 3, None, outputs=2),
        "mse",
        [
            [m.R2Score(), "mae", m.CosineSimilarity(), m.PearsonCorrelation()],
            [m.R2Score(class_aggregation=None), m.LogCoshError(), m.ConcordanceCorrelation()],
        ],
        [["mape"], ["mae", m.R2Score(name="weighted")]],
    )


def labels(case, rng):
    numbers = rng.integers(0, 4, ROWS)
    if case is classes:
        return np.eye(4, dtype="float32")[numbers]
    if case is binary:
        return numbers % 2
    return [rng.normal(size=(ROWS, 3)).astype("float32") for _ in range(2)]


@pytest.mark.parametrize("case", [classes, binary, outputs])
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # IoU of Keras
def test_logs_as_keras(keras, rng, case):
    x, y = rng.normal(size=(ROWS, 5)).astype("float32"), labels(case, rng)
    weight = rng.uniform(0.2, 2, ROWS).astype("float32")
    weight = [weight, weight[::-1].copy()] if case is outputs else weight
    found = []
    start = None
    for library in (dlnative, keras):
        model, loss, metrics, weighted = case(library)
        start = start or model.get_weights()
        model.set_weights(start)
        model.compile(
            library.optimizers.SGD(0.05), loss, metrics=metrics, weighted_metrics=weighted
        )
        options = {"batch_size": SIZE, "verbose": 0, "sample_weight": weight}
        logs = model.fit(x, y, epochs=2, shuffle=False, **options).history
        found += [logs, model.evaluate(x, y, return_dict=True, **options)]
    for ours, theirs in zip(found[:2], found[2:], strict=True):
        assert list(ours) == list(theirs)
        for name in ours:
            np.testing.assert_allclose(
                np.array(ours[name]), np.array(theirs[name]), rtol=2e-4, atol=2e-5, err_msg=name
            )
