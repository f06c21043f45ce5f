"""Results of metrics with which a step of one's own computes: tensors of its program."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, metrics, ops

X = np.random.default_rng(1).standard_normal((23, 4)).astype("float32")
Y = (X[:, :3] + 0.7 * np.random.default_rng(2).standard_normal((23, 3)) > 0).astype("float32")


class Reporting(Model):
    """Reports what it computes of the result of a metric."""

    def __init__(self, metric):
        super().__init__()
        self.net = Sequential([Input((4,)), layers.Dense(3, activation="sigmoid")])
        self.metric = metric

    def call(self, x):
        return self.net(x)

    def test_step(self, data):
        x, y = data
        self.metric.update_state(y, self(x))
        return {"doubled": 2.0 * ops.sum(self.metric.result())}


METRICS = {
    "RootMeanSquaredError": metrics.RootMeanSquaredError,
    "MeanSquaredError": metrics.MeanSquaredError,
    "BinaryAccuracy": metrics.BinaryAccuracy,
    "CategoricalAccuracy": metrics.CategoricalAccuracy,
    "CosineSimilarity": metrics.CosineSimilarity,
    "TruePositives": metrics.TruePositives,
    "TrueNegatives": lambda: metrics.TrueNegatives(thresholds=[0.7, 0.2, 0.5]),
    "FalsePositives": lambda: metrics.FalsePositives(thresholds=0.3),
    "FalseNegatives": metrics.FalseNegatives,
    "Precision": lambda: metrics.Precision(top_k=2),
    "Recall": lambda: metrics.Recall(thresholds=[0.9, 0.1, 0.4]),
    "SensitivityAtSpecificity": lambda: metrics.SensitivityAtSpecificity(0.4),
    "PrecisionAtRecall": lambda: metrics.PrecisionAtRecall(0.6, num_thresholds=7),
    **{
        f"AUC {curve} {method}": lambda c=curve, m=method: metrics.AUC(
            num_thresholds=9, curve=c, summation_method=m
        )
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "majoring", "minoring")
    },
    "AUC of labels": lambda: metrics.AUC(multi_label=True, label_weights=[1.0, 2.0, 0.5]),
    "F1Score": metrics.F1Score,
    "FBetaScore micro": lambda: metrics.FBetaScore("micro", beta=2.0, threshold=0.4),
    "FBetaScore macro": lambda: metrics.FBetaScore("macro", threshold=0.4),
    "FBetaScore weighted": lambda: metrics.FBetaScore("weighted"),
    "R2Score": metrics.R2Score,
    "R2Score weighted": lambda: metrics.R2Score("variance_weighted_average", num_regressors=3),
    "R2Score of outputs": lambda: metrics.R2Score(None),
    "BinaryIoU": metrics.BinaryIoU,
    "OneHotMeanIoU": lambda: metrics.OneHotMeanIoU(num_classes=3, sparse_y_pred=False),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name", METRICS)
def test_in_a_program(name, engine):
    """No warning says that the step runs op by op, and the value is that of the state after it."""
    with dlnative.engine(engine):
        model = Reporting(METRICS[name]())
        model.compile()
        found = model.evaluate(X, Y, batch_size=10, verbose=0, return_dict=True)["doubled"]
        again = model.evaluate(X, Y, batch_size=10, verbose=0, return_dict=True)["doubled"]
    expected = 2.0 * np.sum(model.metric.result())
    assert np.isfinite(expected)
    assert expected != 0.0
    np.testing.assert_allclose([found, again], [expected] * 2, rtol=2e-6)


def test_sum_and_mean_in_a_program():
    class Both(Reporting):
        def test_step(self, data):
            _, y = data
            self.metric.update_state(y)
            self.mean.update_state(y)
            return {"count": self.metric.result() / self.mean.result()}

    model = Both(metrics.Sum())
    model.mean = metrics.Mean()
    model.compile()
    assert model.evaluate(X, Y, batch_size=10, verbose=0, return_dict=True)["count"] == (
        pytest.approx(Y.size)
    )
