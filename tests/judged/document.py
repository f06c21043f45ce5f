"""docs/keras.md: which names of Keras are there, how they are judged, and what differs."""

from __future__ import annotations

from cases import FOLDER, all_cases
from metric_streams import DIFFERS, FUNCTIONS, STREAMS
from names import (
    ARGUMENTS_DIFFER,
    CALLBACKS_DIFFER,
    LAYERS_DIFFER,
    SAVING_DIFFERS,
    find,
    functions,
    short,
)
from object_names import DIFFERS as OBJECTS_DIFFER

import dlnative

PATH = FOLDER.parent.parent / "docs" / "keras.md"
_HEAD = """\
# dlnative beside Keras

`dlnative.ops`, `random`, `losses` and `metrics` have names, arguments, promotion of dtypes and
results of the namespaces of Keras 3 with the JAX backend. The tests ask real Keras
(`tests/judged`): values, shapes, dtypes, gradients and errors, on arrays and in graphs, with both
engines. 64-bit inputs are judged with JAX_ENABLE_X64=1, as they stay 64-bit here. `callbacks` are
judged by whole trainings, `saving` by files that the other library reads, and `layers` by their
arguments, configurations, values, shapes and steps of training (`tests/test_*_against_keras.py`).
All other names of Keras that are promised are in `tests/judged/object_names.tsv`.

This page is written by `python tests/judged`.
"""


def is_there(name: str) -> bool:
    """Whether dlnative has a name, as in `Case.op`, and not only a row of the op table."""
    try:
        function = find(dlnative, name)
    except (AttributeError, ImportError):
        return False
    return getattr(function, "__module__", "") != "dlnative.ops.rows"


def document() -> str:
    """The text of docs/keras.md."""
    parts = [_HEAD, "## What differs\n", _differences()]
    missing = [f"`{name}`" for name in functions() if not is_there(name)]
    if missing:
        parts += ["## What is missing\n", _wrapped(list(dict.fromkeys(missing)))]
    parts.append("## What is judged\n\nNames, and how many calls judge each of them.\n")
    for family, cases in all_cases().items():
        counts: dict[str, int] = {}
        for case in cases:
            counts[short(case.op)] = counts.get(short(case.op), 0) + 1
        parts.append(f"### {family.replace('_', ' ').capitalize()}\n")
        parts.append(_wrapped([f"`{op}` {count}" for op, count in sorted(counts.items())]))
    metrics: dict[str, int] = {}
    for name, _, _ in (*STREAMS, *FUNCTIONS):
        metrics[name] = metrics.get(name, 0) + 1
    parts.append("### Metrics\n\nStreams of batches, in two dtypes, with and without weights.\n")
    parts.append(_wrapped([f"`{name}` {count}" for name, count in sorted(metrics.items())]))
    return "\n".join(parts)


def _differences() -> str:
    """The table of deliberate differences; names that share a reason have one row."""
    names: dict[str, set[str]] = {}
    for case in (case for cases in all_cases().values() for case in cases if case.differs):
        names.setdefault(case.differs, set()).add(short(case.op))
    for name, why in ARGUMENTS_DIFFER.items():
        names.setdefault(f"Arguments: {why}", set()).add(short(name))
    for name, why in {**DIFFERS, **CALLBACKS_DIFFER, **LAYERS_DIFFER}.items():
        names.setdefault(why, set()).add(name)
    for name, why in OBJECTS_DIFFER.items():
        names.setdefault(f"Arguments: {why}", set()).add(name)
    for name, why in SAVING_DIFFERS.items():
        names.setdefault(why, set()).add(name)
    rows = sorted((sorted(ops), why) for why, ops in names.items())
    rows = [f"| {', '.join(f'`{op}`' for op in ops)} | {why} |" for ops, why in rows]
    return "\n".join(["| Name | Difference, and why |", "| --- | --- |", *rows]) + "\n"


def _wrapped(words: list[str]) -> str:
    """The words with commas, in lines of at most 100 characters."""
    lines, line = [], ""
    for word in [f"{w}," for w in words[:-1]] + words[-1:]:
        if len(line) + len(word) >= 100:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line]) + "\n"
