"""A step that was not finite, as a folder: it can be run again from there.

The folder is that of a compiled model with its training state (`folder`), as it was before the
step, and two files beside:

`batch.safetensors`
    The arrays of the batch: `0`, `1`, ... in the order of inputs, labels and weights.
`replay.json`
    What else the step depended on, and what was found::

        {"format": "dlnative-replay", "version": 1, "sha256": "<of batch.safetensors>",
         "x": ..., "y": ..., "sample_weight": ..., "step": 17, "pass": 2, "samples": [...] or null,
         "checks_all": false, "place": {...}, "finding": {...},
         "engine": "native", "isa": "avx2", "threads": 2}

    `x` is how the inputs are nested: an array is its number, a list `{"list": [...]}`, a tuple
    `{"tuple": [...]}`, a dict `{"dict": {...}}`, and null what is not there; so are `y` and
    `sample_weight`, which are lists with an entry for each output but where the step is the model's
    own. `step`, `pass` and `samples` are what random masks and augmentation depend on.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import config
from ..models.arrays import Rows
from ..models.divergence import Finding, examine
from ..models.loop import HeldStep
from ..models.nonfinite import NonFinite, Place, report_of
from ..models.step import resolve_constraints
from ..random import seeds
from ..tree import flatten
from .folder import load, save
from .output import atomic_write
from .strict_json import dumps, loads
from .weights import Weights, encode

__all__ = ["Replay", "replay", "write_replay"]

FORMAT, VERSION = "dlnative-replay", 1
BATCH, FACTS = "batch.safetensors", "replay.json"
_KEYS = {
    *("format", "version", "sha256", "x", "y", "sample_weight", "step", "pass", "samples"),
    *("checks_all", "place", "finding", "engine", "isa", "threads"),
}


@dataclass(frozen=True)
class Replay:
    """What a step that was run again gives.

    Attributes:
        report: What was found now.
        recorded: What was found when the folder was written.
        held_back: Whether the compiled step stopped before it wrote anything.
        engine, isa, threads: With which it was recorded.
    """

    report: NonFinite
    recorded: Finding
    held_back: bool
    engine: str
    isa: str
    threads: int

    @property
    def is_same(self) -> bool:
        """Whether the same op of the same layer is the first, in the same rows."""
        return _essence(self.report.finding) == _essence(self.recorded)


def _essence(finding: Finding | None) -> Any:
    return None if finding is None else finding._replace(value=None)


def write_replay(
    folder: str | os.PathLike[str], held: HeldStep, place: Place, finding: Finding
) -> None:
    """Writes a step that was held back to a folder.

    Args:
        folder: The folder, which is made if it does not exist; a model in it is replaced.
        held: The step, with the model as it was before it.
        place: Where in the training it is.
        finding: What was found.

    Raises:
        ValueError, TypeError: The model, or what it was compiled with, has no form in JSON.
        OSError: The folder cannot be written.
    """
    recipe, rows = held.step.recipe, held.rows
    recipe.model.get_compile_config()  # raises where `save` would leave it out
    arrays = [np.ascontiguousarray(a) for a in held.arrays if a is not None]
    parts, digest = encode({str(i): a for i, a in enumerate(arrays)})
    numbers = iter(range(len(arrays)))  # in this order below
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": digest,
        "x": _encoded(rows.structure, numbers),
        "y": _encoded(_nesting(rows.y_structure, rows.y), numbers),
        "sample_weight": _encoded(_nesting(rows.weight_structure, rows.weights), numbers),
        "step": held.number,
        "pass": held.epoch,
        "samples": None if held.samples is None else [int(n) for n in held.samples],
        "checks_all": recipe.state.checks_all,
        "place": asdict(place),
        "finding": finding._asdict(),
        "engine": config.current_engine(),
        "isa": config.isa(),
        "threads": config.num_threads(),
    }
    text = dumps(facts)
    Path(folder).mkdir(parents=True, exist_ok=True)
    atomic_write(Path(folder) / BATCH, b"".join(bytes(part) for part in parts))
    save(recipe.model, folder, files={FACTS: text})


def replay(folder: str | os.PathLike[str]) -> Replay:
    """Runs a step again that `fit(replay=folder)` has written.

    Nothing is written: the model that is loaded is thrown away.

    Args:
        folder: The folder.

    Raises:
        FileNotFoundError: If the folder or one of its files does not exist.
        ValueError: If a file is damaged, or names a layer, loss or metric that is not known here;
            those of the user's have to be registered, see `utils.custom_object_scope`.
    """
    folder = Path(folder)
    facts = _read(folder)
    model_and_state = load(folder)
    model, state = model_and_state.model, model_and_state.model._trainer
    if state is None or model_and_state.state is None or not model.compiled:
        raise ValueError(f"{folder}: not a step to be run again: the model is not compiled")
    with Weights(folder / BATCH) as file:
        found, digest = file.read()
    if digest != facts["sha256"]:
        raise ValueError(f"{folder / BATCH}: damaged, or not the batch that {FACTS} belongs to")
    with _refusing(folder / FACTS), _random_stream(model_and_state.state.values["random"]):
        rows = _rows(facts, found, "train" in state.own)
        place = Place(**facts["place"])
        recorded = Finding(**{**facts["finding"], "weights": tuple(facts["finding"]["weights"])})
        samples = None if facts["samples"] is None else np.array(facts["samples"], np.int64)
        if state.objectives.constraints:
            resolve_constraints(model, rows, state.objectives)
        with state.checking(bool(facts["checks_all"])):
            step = state.step(model, "train", rows.count, rows)
            arrays = [*rows.x, *rows.y, *rows.weights]
            held = HeldStep(step, rows, arrays, facts["step"], facts["pass"], samples)
            report = report_of(examine(held), place, samples)
            state.armed.array.fill(1)
            held_back = not _run(held)
    machine = facts["engine"], facts["isa"], facts["threads"]
    return Replay(report, recorded, held_back, *machine)


def _run(held: HeldStep) -> int:
    """Runs the compiled step; for augmentation its rows lie where they lay in the data."""
    arrays, samples = held.step.pick(held.arrays), held.samples
    if samples is not None:
        spread = []
        for array in arrays:
            # Untouched pages of zeros take no memory.
            wide = np.zeros((int(samples.max()) + 1, *array.shape[1:]), array.dtype)
            wide[samples] = array
            spread.append(wide)
        arrays = spread
    return held.step.function.run(arrays, samples, 0, 1, held.number, None, None, held.epoch)


def _read(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    path = folder / FACTS
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder}: not a step to be run again, it has no {FACTS}"
        ) from None
    with _refusing(path):
        facts = loads(content)
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ValueError(f"expected the format {FORMAT!r}")
        if facts.get("version") != VERSION:
            raise ValueError(f"expected version {VERSION}, received {facts.get('version')!r}")
        if facts.keys() != _KEYS:
            raise ValueError(f"expected the keys {sorted(_KEYS)}, received {sorted(facts)}")
        for name in ("step", "pass", "threads"):
            if type(facts[name]) is not int or facts[name] < 0:
                raise ValueError(f"expected {name!r} 0 or greater, received {facts[name]!r}")
    return facts


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """What a file makes go wrong is a ValueError that names it."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{path}: cannot run the step again: {error!s:.2000}") from error


@contextlib.contextmanager
def _random_stream(state: Any) -> Iterator[None]:
    """A `with` block in which the global random stream is another."""
    before = seeds.get_state()
    seeds.set_state(state)
    try:
        yield
    finally:
        seeds.set_state(before)


def _nesting(structure: Any, leaves: list[Any]) -> Any:
    """How labels or weights are nested: a list for the default step."""
    return list(leaves) if structure is None else structure


def _rows(facts: dict[str, Any], arrays: dict[str, np.ndarray], is_own: bool) -> Rows:
    nested = [_decoded(facts[name], arrays) for name in ("x", "y", "sample_weight")]
    x, y, weights = (flatten(each) for each in nested)
    count = len(next(a for a in x if a is not None))
    if not is_own:
        return Rows(x, y, weights, nested[0], count)
    x, y, weights = ([a for a in leaves if a is not None] for leaves in (x, y, weights))
    own = nested[1] if y else None, nested[2] if weights else None
    return Rows(x, y, weights, nested[0], count, *own)


def _encoded(structure: Any, numbers: Iterator[int]) -> Any:
    """A structure of arrays with their numbers, in the order of `flatten`."""
    if structure is None:
        return None
    if isinstance(structure, dict):
        return {"dict": {key: _encoded(structure[key], numbers) for key in sorted(structure)}}
    if isinstance(structure, (list, tuple)):
        kind = "tuple" if isinstance(structure, tuple) else "list"
        return {kind: [_encoded(item, numbers) for item in structure]}
    return next(numbers)


def _decoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if value is None:
        return None
    if type(value) is int:
        return arrays[str(value)]
    ((kind, items),) = value.items()
    if kind == "dict":
        return {key: _decoded(item, arrays) for key, item in items.items()}
    made = [_decoded(item, arrays) for item in items]
    if kind not in ("list", "tuple"):
        raise ValueError(f"expected a dict, list or tuple, received {kind!r}")
    return made if kind == "list" else tuple(made)
