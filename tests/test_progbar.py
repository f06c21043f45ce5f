"""utils.Progbar beside that of real Keras, character by character, on a clock of the test."""

from __future__ import annotations

import logging
import time

import numpy as np
import pytest

import dlnative

CALLS = {
    "steps": [("update", n, [("loss", 1.0 / n), ("acc", n / 10)]) for n in range(1, 11)],
    "leaps": [("update", n, [("loss", float(n))]) for n in (0, 3, 4, 10)],
    "add": [("add", n, [("loss", float(n))]) for n in (1, 2, 3, 4)],
    "no values": [("update", 5), ("update", 10, None)],
    "again": [
        ("update", 3, [("a", 1.0)]),
        ("update", 3, [("a", 3.0)]),
        ("update", 10, [("b", 1.0)]),
    ],
    "small": [("update", 2, [("a", 1e-5), ("b", 5e-4)]), ("update", 10, [("a", 0.0)])],
    "arrays": [
        ("update", 2, [("a", np.array([1.0, 3.0]))]),
        ("update", 10, [("b", np.float32(2))]),
    ],
    "finalized": [("update", 2, [("a", 1.0)], True), ("update", 4, [("a", 2.0)], False)],
    "negative": [("update", 10, [("a", 2e-4)])],
}
OPTIONS = [
    {"target": 10},
    {"target": 10, "verbose": 2},
    {"target": 10, "verbose": 0},
    {"target": None},
    {"target": None, "verbose": 2},
    {"target": 10, "stateful_metrics": ["loss"], "width": 7},
    {"target": 10, "stateless_metrics": ["loss"], "unit_name": "sample"},
    {"target": 100, "interval": 5.0},
    {"target": 12345},
]


def shown(library, options, calls, monkeypatch, capsys, pace):
    clock = [1000.0]

    def now():
        return clock[0]

    monkeypatch.setattr(time, "time", now)
    bar = library.utils.Progbar(**options)
    for name, *arguments in calls:
        clock[0] += pace
        getattr(bar, name)(*arguments)
    monkeypatch.undo()
    return capsys.readouterr().out


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("case", CALLS)
@pytest.mark.parametrize("pace", [0.0, 2e-5, 0.2, 30.0, 900.0])
def test_progbar_as_keras(keras, monkeypatch, capsys, options, case, pace):
    texts = [
        shown(library, options, CALLS[case], monkeypatch, capsys, pace)
        for library in (dlnative, keras)
    ]
    assert texts[0] == texts[1]
    if options.get("verbose", 1) == 1:
        assert texts[0]


def test_refused(keras):
    for library in (dlnative, keras):
        with pytest.raises(ValueError, match="stateful_metrics"):
            library.utils.Progbar(3, stateful_metrics=[], stateless_metrics=[])


def test_without_interactive_logging(capsys, caplog):
    dlnative.config.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, logger="dlnative"):
            bar = dlnative.utils.Progbar(2, interval=0)
            bar.update(1, [("loss", 1.0)])
            bar.update(2, [("loss", 0.5)])
    finally:
        dlnative.config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert [r.getMessage().split(" - ")[-1] for r in caplog.records] == [
        "loss: 1.0000",
        "loss: 0.5000",
    ]


def test_standard_output_that_has_not_all_characters(monkeypatch):
    import io
    import sys

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    dlnative.utils.Progbar(1).update(1, [("loss", 1.0)])
    stream.flush()
    text = stream.buffer.getvalue().decode()
    monkeypatch.undo()
    assert "=" * 20 in text and text.endswith("loss: 1.0000\n")
