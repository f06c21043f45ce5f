"""JSONLLogger, StopOnPlateau, and what files of logs become when training goes on."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

import dlnative
from dlnative import callbacks

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(12, 1)).astype("float32")


def make(rate=0.1):
    model = dlnative.Sequential(
        [dlnative.Input((3,)), dlnative.layers.Dense(1, kernel_initializer="ones")]
    )
    model.compile(dlnative.optimizers.SGD(rate, use_ema=True, ema_momentum=0.7), "mse")
    return model


def fit(model, used, **options):
    given = {"epochs": 4, "batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, callbacks=used, **given)


def lines(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


# --- JSONLLogger ----------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", ["epoch", "batch", 2, 5])
def test_jsonl(tmp_path, frequency):
    path = tmp_path / "log.jsonl"
    log = callbacks.JSONLLogger(path, update_freq=frequency)
    fitted = fit(make(), [log], epochs=5, initial_epoch=1, validation_split=0.5)
    every = {"epoch": 99, "batch": 1}.get(frequency, frequency)
    calls = [(epoch, batch) for epoch in range(1, 5) for batch in range(2)]
    expected = [c for n, c in enumerate(calls, 1) if n % every == 0]
    found = lines(path)
    assert [(r["epoch"], r["batch"]) for r in found if "batch" in r] == expected
    ends = [r for r in found if "batch" not in r]
    assert [r["epoch"] for r in ends] == [1, 2, 3, 4]
    for name in ("loss", "val_loss"):
        assert [r[name] for r in ends] == fitted.history[name]  # digit for digit
    assert all("val_loss" not in r and "loss" in r for r in found if "batch" in r)
    numbers = [(r["epoch"], r.get("batch", 9)) for r in found]
    assert numbers == sorted(numbers)


def test_jsonl_holds_what_json_does_not(tmp_path):
    log = callbacks.JSONLLogger(tmp_path / "log.jsonl")
    log.on_train_begin()
    log.on_epoch_end(
        0,
        {
            "a": float("nan"),
            "b": [np.inf, -np.inf, 1],
            "c": np.float32(0.5),
            "d": np.array([[1, 2]]),
            "e": None,
            "f": "\u00e9\n",
            "g": True,
        },
    )
    log.on_epoch_end(1, None)
    assert lines(tmp_path / "log.jsonl") == [
        {
            "epoch": 0,
            "a": "NaN",
            "b": ["Infinity", "-Infinity", 1],
            "c": 0.5,
            "d": [[1, 2]],
            "e": None,
            "f": "\u00e9\n",
            "g": True,
        },
        {"epoch": 1},
    ]


def test_jsonl_appends_or_begins_anew(tmp_path):
    path = tmp_path / "log.jsonl"
    for append, count in ((True, 4), (True, 8), (False, 4)):
        fit(make(), [callbacks.JSONLLogger(path, append)])
        assert len(lines(path)) == count


def test_only_where_it_is_asked_for_python_has_its_turn_at_each_batch(tmp_path):
    kept = callbacks.CallbackList(
        [callbacks.JSONLLogger(tmp_path / "a"), callbacks.StopOnPlateau()]
    )
    assert not kept.has_batch_hooks("train")
    for own in (
        callbacks.JSONLLogger(tmp_path / "a", update_freq=3),
        callbacks.StopOnPlateau(unit="steps"),
    ):
        assert callbacks.CallbackList([own]).has_batch_hooks("train")


@pytest.mark.parametrize(
    ("value", "error"), [("day", ValueError), (0, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_wrong_update_freq(value, error):
    with pytest.raises(error, match="JSONLLogger: expected update_freq to be"):
        callbacks.JSONLLogger("log", update_freq=value)


# --- going on in another process ------------------------------------------------------------------


class Interrupted(Exception):
    """What ends the first process."""


def all_callbacks(folder):
    return [
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, cooldown=1, min_delta=10),
        callbacks.StopOnPlateau("loss", min_delta=0.0, patience=7),
        callbacks.SwapEMAWeights(swap_on_epoch=True),
        callbacks.CSVLogger(folder / "log.csv"),
        callbacks.JSONLLogger(folder / "log.jsonl", update_freq=4),
    ]


@pytest.mark.parametrize("after", range(5))
def test_files_and_rates_are_those_of_one_run(tmp_path, after):
    """The first process goes on for an epoch after its state was taken, and dies."""
    from dlnative.models.training_state import TrainingState

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    expected = make()
    fitted = fit(expected, all_callbacks(whole), epochs=6)

    model, first, kept = make(), all_callbacks(broken), []

    def end(epoch, logs):
        if epoch == after:
            kept.append(TrainingState.of(model, first))
            json.dumps(kept[0].values)
        elif epoch == after + 1:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(model, [*first, callbacks.LambdaCallback(on_epoch_end=end)], epochs=6)
    second, model = all_callbacks(broken), make()
    kept[0].put_back(model, second)
    rest = fit(model, second, epochs=6, initial_epoch=after + 1)
    assert rest.history["learning_rate"] == fitted.history["learning_rate"][after + 1 :]
    for name in ("log.csv", "log.jsonl"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", [callbacks.CSVLogger, callbacks.JSONLLogger])
def test_states_of_files(tmp_path, kind):
    path = tmp_path / "log"
    log = kind(path)
    unused = log.get_state()
    assert unused["position"] is None
    log.on_train_begin()
    begun = log.get_state()
    assert begun["position"] == 0
    path.unlink()
    kind(path).set_state(begun)  # nothing is lost
    assert path.read_bytes() == b""
    path.write_text("of another run\n")
    fit(make(), [log], epochs=2)
    state = log.get_state()
    text = path.read_bytes()
    assert state["position"] == len(text)

    fit(make(), [log], epochs=3)
    kind(path).set_state(state)
    assert len(path.read_bytes()) == len(text)  # at once
    path.write_bytes(text[:-1])
    with pytest.raises(ValueError, match=rf"{kind.__name__}.set_state: expected a file of"):
        kind(path).set_state(state)
    assert path.read_bytes() == text[:-1]
    path.unlink()
    with pytest.raises(ValueError, match="which is not there"):
        kind(path).set_state(state)
    with pytest.raises(ValueError, match="set_state: expected a dict of position"):
        kind(path).set_state({"position": 3})
    assert not path.exists()

    fresh = kind(path)
    fresh.set_state(unused)  # of a callback that had written nothing: the next fit begins the file
    fit(make(), [fresh], epochs=1)
    assert path.read_bytes().startswith(text[:5])


def test_a_state_is_for_the_next_fit_only(tmp_path):
    path = tmp_path / "log.csv"
    log = callbacks.CSVLogger(path)
    fit(make(), [log], epochs=2)
    log.set_state(log.get_state())
    fit(make(), [log], epochs=4, initial_epoch=2)
    assert len(path.read_text().splitlines()) == 5
    fit(make(), [log], epochs=1)
    assert len(path.read_text().splitlines()) == 2


# --- StopOnPlateau --------------------------------------------------------------------------------


def stopped_after(values, **options):
    class Model:
        stop_training = False

    stop = callbacks.StopOnPlateau(**options)
    stop.set_model(Model())
    stop.on_train_begin()
    for epoch, value in enumerate(values):
        stop.on_epoch_end(epoch, {"loss": value})
        if stop.model.stop_training:
            assert stop.stopped_epoch == epoch
            return epoch
    assert stop.stopped_epoch is None
    return None


@pytest.mark.parametrize(
    ("values", "options", "last"),
    [
        ([1, 1, 1, 1], {"patience": 2}, 2),
        ([1, 1, 1, 1], {"patience": 3}, 3),
        ([1, 1, 1, 1], {"patience": 4}, None),
        ([4, 3, 2, 1, 1, 1], {"patience": 2}, 5),
        ([1, 2, 3, 4, 4, 4], {"patience": 2}, 5),
        ([1, 2, 1, 2, 1, 2], {"patience": 1, "min_delta": 0.5}, None),
        ([1, 2, 1, 2, 1, 2], {"patience": 3, "min_delta": 1.0}, 3),
        ([0, 0.3, 0.6, 0.9, 1.2], {"patience": 2, "min_delta": 0.5}, None),  # it creeps
        ([0, 0.2, 0.4, 0.6], {"patience": 2, "min_delta": 0.5}, 2),
        ([float("nan")] * 4, {"patience": 1}, None),
        ([float("inf")] * 4, {"patience": 1}, None),
    ],
)
def test_where_it_stops(values, options, last):
    assert stopped_after(values, **options) == last


def test_stopping_by_steps(capsys):
    model = make(rate=0.0)
    model.layers[0].kernel.assign(np.zeros((3, 1)))
    stop = callbacks.StopOnPlateau(patience=5, min_delta=0.0, unit="steps", verbose=1)
    fitted = model.fit(
        X[:4], Y[:4], epochs=9, batch_size=4, shuffle=False, verbose=0, callbacks=[stop]
    )
    assert len(fitted.epoch) == 6 and stop.stopped_epoch == 5
    assert "Epoch 6: loss has changed by no more than 0.0 for 5 steps" in capsys.readouterr().out
    again = model.fit(X[:4], Y[:4], epochs=9, batch_size=4, verbose=0, callbacks=[stop])
    assert len(again.epoch) == 6


def test_what_stop_on_plateau_refuses():
    for options in ({"patience": 0}, {"min_delta": -1.0}, {"unit": "days"}, {"min_delta": np.inf}):
        with pytest.raises(ValueError, match="StopOnPlateau: expected"):
            callbacks.StopOnPlateau(**options)
    for options in ({"patience": 1.5}, {"min_delta": "1"}, {"monitor": 3}):
        with pytest.raises(TypeError, match="StopOnPlateau: expected"):
            callbacks.StopOnPlateau(**options)
    with pytest.raises(ValueError, match="'val_loss' is not in the logs"):
        fit(make(), [callbacks.StopOnPlateau("val_loss")])
    stop = callbacks.StopOnPlateau("val_loss", unit="steps")
    with pytest.raises(ValueError, match="leave out unit='steps'"):
        fit(make(), [stop], validation_data=(X, Y))


# --- where messages go ----------------------------------------------------------------------------


def test_interactive_logging(capsys, caplog):
    assert dlnative.config.is_interactive_logging_enabled()
    assert dlnative.utils.is_interactive_logging_enabled is (
        dlnative.config.is_interactive_logging_enabled
    )
    reduce = callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=100, verbose=1)
    dlnative.utils.disable_interactive_logging()
    try:
        assert not dlnative.config.is_interactive_logging_enabled()
        with caplog.at_level(logging.INFO, logger="dlnative"):
            fit(make(), [reduce], epochs=2, verbose=1)
        assert capsys.readouterr().out == ""
        said = [record.getMessage() for record in caplog.records]
        assert [text.split(":")[0].split(" - ")[0] for text in said] == [
            "Epoch 1/2",
            "Epoch 2",
            "Epoch 2/2",
        ]
    finally:
        dlnative.config.enable_interactive_logging()
    fit(make(), [reduce], epochs=2, verbose=1)
    assert len(capsys.readouterr().out.split("\n")) == 5


def test_a_summary_is_a_message(capsys, caplog):
    model = make()
    model.summary()
    text = capsys.readouterr().out
    assert "Trainable params: 4" in text
    dlnative.config.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, logger="dlnative"):
            model.summary()
    finally:
        dlnative.config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert "\n".join(record.getMessage() for record in caplog.records) == text.rstrip("\n")
