"""Every hook of callbacks, in fit, evaluate and predict: recorded side by side with real Keras."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative

NUMBERED = [
    *(f"on_epoch_{at}" for at in ("begin", "end")),
    *(f"on_{kind}_batch_{at}" for kind in ("train", "test", "predict") for at in ("begin", "end")),
]
PLAIN = [f"on_{kind}_{at}" for kind in ("train", "test", "predict") for at in ("begin", "end")]
IN_FIT = [hook for hook in (*PLAIN, *NUMBERED) if "predict" not in hook]
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
X = np.random.default_rng(0).normal(size=(10, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(10, 1)).astype("float32")
WEIGHTS = [np.random.default_rng(2).normal(size=(3, 1)).astype("float32"), np.zeros(1, "float32")]
VALIDATION = {"validation_data": (X[:7], Y[:7])}


class Stop(Exception):
    """What a hook raises."""


def plain(value):
    """Logs as numbers, in their order."""
    if isinstance(value, dict):
        return [(name, plain(entry)) for name, entry in value.items()]
    return value if value is None else np.asarray(value).tolist()


def close(a, b):
    """Whether two records are equal up to rounding of floats."""
    if isinstance(a, float):
        return isinstance(b, float) and bool(np.isclose(a, b, rtol=1e-4, atol=1e-5))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(close, a, b))
    return type(a) is type(b) and a == b


def recorder(library, record, action=None, name=""):
    """A callback that records every call and then does something."""

    def hook_of(hook):
        def plain_hook(self, logs=None):
            record.append((name, hook, plain(logs), self.model.stop_training))
            if action is not None:
                action(self.model, hook, None, logs)

        def numbered_hook(self, index, logs=None):
            record.append((name, hook, index, plain(logs), self.model.stop_training))
            if action is not None:
                action(self.model, hook, index, logs)

        return numbered_hook if hook in NUMBERED else plain_hook

    class Recorder(library.callbacks.Callback):
        def set_params(self, params):
            super().set_params(params)
            record.append((name, {k: v for k, v in params.items() if k != "samples"}))

        def set_model(self, model):
            super().set_model(model)
            record.append((name, "set_model"))

    for hook in (*PLAIN, *NUMBERED):
        setattr(Recorder, hook, hook_of(hook))
    return Recorder()


def make(library, together=1, **options):
    model = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
    model.set_weights(WEIGHTS)
    optimizer = library.optimizers.SGD(0.1, **options)
    model.compile(optimizer, "mse", metrics=["mae"], steps_per_execution=together)
    return model


def fit(library, action=None, together=1, others=lambda library, record: [], **options):
    """The record of one `fit`, with what it leaves."""
    record = []
    model = make(library, together)
    given = {"shuffle": False, "verbose": 0, "batch_size": 3, "epochs": 3, **options}
    try:
        fitted = model.fit(
            X, Y, callbacks=[recorder(library, record, action), *others(library, record)], **given
        )
        record.append((plain(fitted.history), fitted.epoch))
    except Stop:
        record.append("raised")
    weights = model.get_weights()
    return [*record, plain(weights[0]), int(model.optimizer.iterations), model.stop_training]


def stopping(hook, number, attribute="stop_training"):
    def action(model, at, index, logs):
        if at == hook and index in (None, number):
            setattr(model, attribute, True)

    return action


def raising(hook):
    def action(model, at, index, logs):
        if at == hook and index in (None, 1):
            raise Stop

    return action


def adding(model, hook, index, logs):
    if hook.endswith("end"):
        logs["added"] = 1.5


def scheduled(library, record):
    schedule = library.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    return [schedule, recorder(library, record, None, "second")]


FITS = {
    "without validation": {},
    "validation": VALIDATION,
    "validation_freq": {"validation_freq": 2, **VALIDATION},
    "validation_steps": {"validation_steps": 2, **VALIDATION},
    "validation_split": {"validation_split": 0.3},
    "steps_per_epoch": {"steps_per_epoch": 2, "epochs": 2},
    "initial_epoch": {"initial_epoch": 1},
    "no epochs": {"epochs": 0},
    **{f"{n} steps per execution": {"together": n, **VALIDATION} for n in (2, 3, 10)},
    "adding to logs": {
        "action": adding,
        "others": lambda library, record: [recorder(library, record, None, "second")],
        **VALIDATION,
    },
    "schedule": {"others": scheduled, **VALIDATION},
    "early stopping": {
        "others": lambda library, record: [
            library.callbacks.EarlyStopping(min_delta=100, restore_best_weights=True)
        ],
        **VALIDATION,
    },
}


def same(keras, run, *arguments, **options):
    theirs, ours = (run(library, *arguments, **options) for library in (keras, dlnative))
    assert len(theirs) > 2
    for number, (a, b) in enumerate(zip(theirs, ours, strict=True)):
        assert close(a, b), f"{number}: {a} is not {b}"
    return ours


@pytest.mark.parametrize("case", FITS)
def test_fit(keras, case):
    same(keras, fit, **FITS[case])


@pytest.mark.parametrize("hook", IN_FIT)
def test_stopping_and_raising_in_fit(keras, hook):
    same(keras, fit, stopping(hook, 1), together=2 if "batch" in hook else 1, **VALIDATION)
    if "test" in hook:
        same(keras, fit, stopping(hook, 1, "stop_evaluating"), **VALIDATION)
    assert "raised" in same(keras, fit, raising(hook), **VALIDATION)


def run_pass(library, method, action=None, together=1, **options):
    """The record of `evaluate` or `predict`."""
    record = []
    model = make(library, together)
    data = (X, Y) if method == "evaluate" else (X,)
    try:
        result = getattr(model, method)(
            *data,
            batch_size=3,
            verbose=0,
            callbacks=[recorder(library, record, action)],
            **options,
        )
        record.append(plain(result))
    except Stop:
        record.append("raised")
    return record


@pytest.mark.parametrize(("method", "kind"), [("evaluate", "test"), ("predict", "predict")])
def test_evaluate_and_predict(keras, method, kind):
    same(keras, run_pass, method)
    same(keras, run_pass, method, together=3)
    same(keras, run_pass, method, steps=2)
    for hook in (f"on_{kind}_begin", f"on_{kind}_batch_begin", f"on_{kind}_batch_end"):
        same(
            keras, run_pass, method, stopping(hook, 1, f"stop_{method[:-1]}ing".replace("tt", "t"))
        )
        same(keras, run_pass, method, raising(hook))
    if method == "evaluate":
        same(keras, run_pass, method, adding, return_dict=True)


def test_single_batches_call_no_hooks_and_count_as_in_keras(keras):
    def run(library):
        model = make(library)
        calls = [("train", 3), ("test", 1), ("train", 1)]
        results = []
        for kind, times in calls:
            for _ in range(times):
                call = getattr(model, f"{kind}_on_batch")
                results.append(plain(call(X[:4], Y[:4], return_dict=True)))
        return [*results, plain(model.predict_on_batch(X[:2]))]

    same(keras, run)


@pytest.mark.parametrize("how", ["to its end", "stopped", "raised"])
def test_averages_of_weights_when_fit_ends(keras, how):
    """`use_ema`: the weights become their averages, however `fit` ends."""

    def run(library):
        model = make(library, use_ema=True, ema_momentum=0.5)
        actions = {
            "to its end": None,
            "stopped": stopping("on_epoch_end", 1),
            "raised": raising("on_epoch_end"),
        }
        callback = recorder(library, [], actions[how])
        try:
            model.fit(X, Y, batch_size=3, epochs=3, shuffle=False, verbose=0, callbacks=[callback])
        except Stop:
            assert how == "raised"
        return [plain(w) for w in model.get_weights()] + [int(model.optimizer.iterations)]

    same(keras, run)
