"""Keras's answers to the streams of metrics: run in a process of its own, pickled to a file.

Its NumPy backend computes what that with JAX does, but for ties in top_k, and compiles nothing.
Keras makes float32 of most float64 numbers; here it is told not to.
"""

from __future__ import annotations

import inspect
import json
import os
import pickle
import sys
import warnings

os.environ["KERAS_BACKEND"] = "numpy"
warnings.simplefilter("ignore")

import keras  # noqa: E402
import keras.src.metrics as metrics_module  # noqa: E402
from keras.src.backend.common import dtypes  # noqa: E402
from metric_streams import FUNCTIONS, RUNS, STREAMS, label, stream, values  # noqa: E402

import dlnative  # noqa: E402

dtypes.BIT64_TO_BIT32_DTYPE.clear()


def results_of(row):
    """{run: results, or None where Keras does not take weights of that shape}."""
    name, options, _ = row
    results = {}
    for how, dtype in RUNS:
        keras.config.set_floatx(dtype)
        metric = getattr(keras.metrics, name)(**options)
        try:
            results[how, dtype] = stream(metric, row, how, dtype)
        except ValueError:
            results[how, dtype] = None
    keras.config.set_floatx("float32")
    return results


def plain(config):
    """A configuration as a file has it."""
    return json.loads(json.dumps(config, default=lambda array: array.tolist()))


def configurations_of(row):
    """Keras's record of a metric, its configuration, and what it reads from dlnative's record."""
    name, options, _ = row
    theirs = getattr(keras.metrics, name)(name="own", **options)
    record = dlnative.metrics.serialize(getattr(dlnative.metrics, name)(name="own", **options))
    again = keras.metrics.deserialize(plain(record))
    return (
        plain(keras.metrics.serialize(theirs)),
        plain(theirs.get_config()),
        plain(again.get_config()),
        getattr(theirs, "_direction", None),
    )


def arguments(function):
    """[(name, default)] of the parameters of a function."""
    return [(k, p.default) for k, p in inspect.signature(function).parameters.items()]


def names():
    """The public names with their arguments, and which class each string means to `get`."""
    public = {
        name: arguments(getattr(keras.metrics, name))
        for name in dir(keras.metrics)
        if not name.startswith("_")
    }
    known = {name: cls.__name__ for name, cls in metrics_module.ALL_OBJECTS_DICT.items()}
    return public, known


if __name__ == "__main__":
    answers = {
        "results": {label(row): results_of(row) for row in STREAMS},
        "configurations": {label(row): configurations_of(row) for row in STREAMS},
        "functions": {label(row): values(keras.metrics, row) for row in FUNCTIONS},
        "names": names(),
    }
    with open(sys.argv[1], "wb") as file:
        pickle.dump(answers, file)
