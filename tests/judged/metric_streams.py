"""Streams of batches that a metric of Keras and that of dlnative must answer alike.

A row of STREAMS says a class, its options and the kind of data.
"""

from __future__ import annotations

import numpy as np

BATCHES = (6, 6, 1)
RUNS = [(None, "float32"), ("samples", "float32"), ("values", "float32"), ("samples", "float64")]


def batch(kind, n, dtype, rng):
    """(labels, predictions) of n samples."""
    scores = rng.uniform(0.02, 0.98, (n, 4)).astype(dtype)
    classes = rng.integers(0, 4, n)
    bits = rng.integers(0, 2, (n, 4))
    if kind == "binary":
        return bits[:, :1], scores[:, :1]
    if kind == "flat":
        return bits[:, 0].astype("uint8"), scores[:, 0]
    if kind == "mixed":  # labels (n,), predictions (n, 1)
        return bits[:, 0].astype(bool), scores[:, :1]
    if kind == "wide":
        return bits, scores
    if kind == "grid":  # predictions that are equal to thresholds, and to one another
        return bits, (rng.integers(0, 5, (n, 4)) / 4).astype(dtype)
    if kind == "one_hot":
        return np.eye(4)[classes], scores / scores.sum(axis=-1, keepdims=True)
    if kind == "classes":
        return classes, scores / scores.sum(axis=-1, keepdims=True)
    if kind == "columns":  # class numbers (n, 1)
        return classes[:, None].astype("int64"), scores
    if kind == "positions":
        return rng.integers(0, 4, (n, 3)), rng.uniform(0.02, 0.98, (n, 3, 4)).astype(dtype)
    if kind == "numbers":
        return rng.integers(-1, 5, (n, 3)), rng.integers(-1, 5, (n, 3))
    if kind == "ranking":
        return classes, np.argsort(scores, axis=-1)
    if kind == "real":
        return rng.normal(size=(n, 3)).astype(dtype), rng.normal(size=(n, 3)).astype(dtype)
    if kind == "signs":
        return np.sign(rng.normal(size=(n, 3))), rng.normal(size=(n, 3)).astype(dtype)
    assert kind == "values"
    return (rng.normal(size=(n, 3)).astype(dtype),)


def rows(names, kinds, *options):
    return [(n, o, k) for n in names.split() for k in kinds.split() for o in options or ({},)]


FIVE = [0.9, 0.1, 0.5, 0.2, 0.7]
STREAMS = [
    *rows("Mean Sum", "values"),
    *rows("Accuracy", "numbers"),
    *rows("BinaryAccuracy", "binary mixed wide", {}, {"threshold": 0.3}),
    *rows("CategoricalAccuracy", "one_hot"),
    *rows("SparseCategoricalAccuracy", "classes columns positions"),
    *rows("TopKCategoricalAccuracy", "one_hot", {"k": 2}),
    *rows("SparseTopKCategoricalAccuracy", "classes columns positions", {"k": 2}),
    *rows("SparseTopKCategoricalAccuracy", "ranking", {"k": 2, "from_sorted_ids": True}),
    *rows("TruePositives FalseNegatives", "mixed wide", {}, {"thresholds": [0.2, 0.6]}),
    *rows("FalsePositives TrueNegatives", "flat binary", {"thresholds": FIVE}),
    *rows("TruePositives TrueNegatives", "flat", {"thresholds": [0.0, 0.5, 1.0]}),
    *rows("Precision", "mixed wide", {}, {"thresholds": [0.2, 0.6]}),
    *rows("Recall", "flat", {}, {"thresholds": FIVE}),
    *rows("Precision Recall", "one_hot", {"top_k": 2}, {"top_k": 2, "class_id": 1}),
    *rows("Precision Recall", "wide", {"class_id": 3, "thresholds": 0.4}),
    *rows("AUC", "mixed wide", {}, {"num_thresholds": 9, "from_logits": True}),
    *rows("AUC", "flat", {"num_thresholds": 2}, {"thresholds": [0.25, 0.5, 0.75]}),
    *[
        row
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "majoring", "minoring")
        for row in rows("AUC", "flat", {"curve": curve, "summation_method": method})
    ],
    *rows("AUC", "wide", {"thresholds": FIVE, "label_weights": [1, 2, 0, 0.5]}),
    *rows("AUC", "wide", {"multi_label": True, "curve": "PR"}),
    *rows(
        "AUC",
        "wide",
        {"multi_label": True, "num_labels": 4, "label_weights": [1, 2, 0, 1], "thresholds": FIVE},
    ),
    *rows("SensitivityAtSpecificity", "mixed wide", {"specificity": 0.6}),
    *rows("SpecificityAtSensitivity", "flat", {"sensitivity": 0.4, "num_thresholds": 1}),
    *rows("PrecisionAtRecall", "wide", {"recall": 0.5, "num_thresholds": 2}),
    *rows("PrecisionAtRecall", "one_hot", {"recall": 0.5, "class_id": 2}),
    *rows("RecallAtPrecision", "flat", {"precision": 0.55, "num_thresholds": 30}),
    *rows("TruePositives FalsePositives", "grid", {"thresholds": [0.0, 0.5, 1.0]}),
    *rows("Precision Recall", "grid", {}, {"thresholds": [0.75, 0.0, 1.0]}),
    *rows("AUC", "grid", {"num_thresholds": 5}, {"thresholds": [0.25, 0.3, 0.5, 0.75]}),
    *rows("SensitivityAtSpecificity", "grid", {"specificity": 0.5, "num_thresholds": 9}),
    *rows("F1Score BinaryAccuracy BinaryIoU", "grid", {}, {"threshold": 0.25}),
    *rows("FBetaScore", "one_hot", {"beta": 2.0}, {"average": "micro", "threshold": 0.3}),
    *rows("F1Score", "wide", {}, {"average": "macro"}, {"average": "weighted", "threshold": 0.7}),
    *rows("IoU", "numbers", {"num_classes": 4, "target_class_ids": [0, 2]}),
    *rows("IoU", "classes", {"num_classes": 4, "target_class_ids": [1], "sparse_y_pred": False}),
    *rows("BinaryIoU", "flat binary", {}, {"threshold": 0.4, "target_class_ids": [1]}),
    *rows("MeanIoU", "numbers", {"num_classes": 4}, {"num_classes": 5, "ignore_class": 2}),
    *rows("OneHotIoU", "one_hot", {"num_classes": 4, "target_class_ids": [1, 3]}),
    *rows("OneHotMeanIoU", "one_hot", {"num_classes": 5}, {"num_classes": 4, "ignore_class": 0}),
    *rows("RootMeanSquaredError MeanSquaredError MeanAbsoluteError", "real mixed"),
    *rows("CosineSimilarity", "real", {}, {"axis": 1}),
    *rows("R2Score", "real", {}, {"class_aggregation": None, "num_regressors": 2}),
    *rows("R2Score", "binary", {"class_aggregation": "variance_weighted_average"}),
    *rows("PearsonCorrelation ConcordanceCorrelation", "real", {}, {"axis": (0, 1)}),
    *rows("BinaryCrossentropy", "wide binary", {}, {"label_smoothing": 0.2}, {"from_logits": True}),
    *rows("CategoricalCrossentropy", "one_hot", {}, {"label_smoothing": 0.2}),
    *rows("CategoricalCrossentropy", "one_hot", {"from_logits": True}),
    *rows("SparseCategoricalCrossentropy", "classes positions", {}, {"from_logits": True}),
    *rows("SparseCategoricalCrossentropy", "classes", {"ignore_class": 2}),
    *rows("Hinge SquaredHinge", "signs wide"),
    *rows("CategoricalHinge KLDivergence", "one_hot"),
    *rows("Poisson MeanSquaredLogarithmicError LogCoshError", "wide"),
    *rows("LogCoshError MeanAbsolutePercentageError", "real"),
]
# Deliberate differences, for docs/keras.md.
_COUNTS = "counts are float64; a result that is one number is a Python float"
DIFFERS = {
    "metrics.AUC": _COUNTS,
    "metrics.Precision, Recall, TruePositives, ...": f"{_COUNTS}; weights of samples, (batch,), "
    "count for all predictions of a sample, however many axes these have; a `class_id` that there "
    "is not raises; NaN exceeds no threshold, also where they are evenly spread",
    "metrics.SensitivityAtSpecificity, ...": f"{_COUNTS}; NaN exceeds no threshold",
    "metrics.FBetaScore, F1Score": f"{_COUNTS}; a weight per prediction counts for that one, where "
    "Keras multiplies each by all weights of the sample, or raises",
    "metrics.IoU, MeanIoU, ...": f"{_COUNTS}; weights are not cut to integers",
    "metrics.CosineSimilarity": "its configuration has `axis`, which Keras leaves out",
    "metrics.Hinge, SquaredHinge": "labels (batch,) beside predictions (batch, 1) are one per "
    "sample; Keras compares each with all",
    "metrics.SparseCategoricalAccuracy, ...": "labels that are no class numbers raise on arrays",
}

# The lower-case functions: name, options, kind of data.
FUNCTIONS = [
    *rows("binary_accuracy", "wide binary", {}, {"threshold": 0.3}),
    *rows("categorical_accuracy", "one_hot"),
    *rows("top_k_categorical_accuracy", "one_hot", {"k": 2}),
    *rows("sparse_categorical_accuracy", "classes positions"),
    *rows("sparse_top_k_categorical_accuracy", "classes positions", {"k": 1}),
    *rows("sparse_top_k_categorical_accuracy", "ranking", {"k": 2, "from_sorted_ids": True}),
    *rows("pearson_correlation concordance_correlation", "real", {}, {"axis": 0}),
    *rows("mean_squared_error mean_absolute_error", "real"),
    *rows("binary_crossentropy", "wide", {}, {"label_smoothing": 0.2}),
    *rows("categorical_crossentropy", "one_hot", {}, {"label_smoothing": 0.2}),
    *rows("sparse_categorical_crossentropy", "classes positions"),
    *rows("binary_focal_crossentropy poisson mean_squared_logarithmic_error", "wide"),
    *rows("categorical_focal_crossentropy categorical_hinge kl_divergence", "one_hot"),
    *rows("hinge squared_hinge", "signs"),
    *rows("huber", "real", {}, {"delta": 0.3}),
    *rows("log_cosh mean_absolute_percentage_error", "real"),
]


def label(row):
    name, options, kind = row
    return f"{name}-{kind}-{'-'.join(f'{k}={v}' for k, v in options.items())}"


def values(metrics, row):
    """What a function of `metrics` makes of a batch."""
    name, options, kind = row
    data = batch(kind, 5, "float32", np.random.default_rng(4))
    return np.asarray(getattr(metrics, name)(*data, **options))


def weights_of(how, labels, rng, whole):
    """None, or weights of samples or of values."""
    if how is None:
        return None
    shape = labels.shape if how == "values" else labels.shape[:1]
    weight = rng.integers(0, 4, shape) if whole else rng.uniform(0, 2, shape)
    return weight.astype("float32")


def stream(metric, row, how, dtype):
    """The results after each of three batches, after a reset, and after a batch behind it.

    Args:
        metric: A metric of either library.
        row: Its row of STREAMS.
        how: Which weights: None, "samples" or "values".
        dtype: Of the predictions.
    """
    name, _, kind = row
    rng = np.random.default_rng(3)
    results = []
    for number, n in enumerate((*BATCHES, BATCHES[0])):
        data = batch(kind, n, dtype, rng)
        if number == len(BATCHES):
            metric.reset_state()
            results.append(np.asarray(metric.result(), "float64"))
        # Keras cuts the weights of IoUs to integers.
        weight = weights_of(how, data[0], rng, whole="IoU" in name)
        metric.update_state(*data, sample_weight=weight)
        results.append(np.asarray(metric.result(), "float64"))
    return results
