"""Steps over batches that come one by one, each of which may have a shape of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import FeedError
from ..utils import nest
from ..utils.warn import warn_user
from .batch import flat_arrays
from .checks import Check, FiniteCheck
from .loop import PAUSE, Feed, HeldStep
from .predictions import Predictions
from .reading import END, Reader, closing
from .sources import BETWEEN, DatasetSource, Source
from .step import Step

KEPT = 64  # layouts


class Layout:
    """What is known of batches of one structure and of these shapes and dtypes.

    Args:
        rows: The Rows of the first of them.
        remake: Function from a batch to the arrays of its Rows, in the order of `flat_arrays`.
        value_checks: (which of these arrays, function that raises where its values do not fit).
        finite_checks: Those that look for NaN and infinity.
        outputs: (shape of a row, dtype) of each output of the step: none for training and testing,
            None where only a run of the step tells.

    Attributes:
        order: Which leaf of a batch each of these arrays is; None where they are made of others.
        checks: The checks before a step, which may do some of them itself.
        step: The Step; None until `use`.
        run: Function of the arrays of a batch, its number and arrays for outputs that runs it.
        made: What the step depends on, when it was got.
    """

    __slots__ = (
        "checks",
        "count",
        "finite_checks",
        "made",
        "order",
        "outputs",
        "remake",
        "rows",
        "run",
        "step",
        "value_checks",
    )

    def __init__(
        self,
        rows: Any,
        remake: Callable[[Any], list[Any]],
        value_checks: list[Check],
        finite_checks: list[tuple[int, FiniteCheck]],
        outputs: list[tuple[tuple[int, ...], Any]] | None,
    ) -> None:
        self.rows = rows
        self.remake = remake
        self.value_checks = value_checks
        self.finite_checks = finite_checks
        self.checks: list[Check] = []
        self.outputs = outputs
        self.count = rows.count
        self.order: list[int | None] | None = None
        self.step: Any = None
        self.run: Any = None
        self.made: Any = None

    def use(self, step: Step, made: Any) -> None:
        """Takes the Step that runs the batches."""
        self.step = step
        self.made = made
        function = step.function
        looked_at = set(zip(step.sources, function.finite_dtypes, strict=False))
        left = [(i, c) for i, c in self.finite_checks if (i, c.dtype) not in looked_at]
        self.checks = [*self.value_checks, *left]
        if len(left) < len(self.finite_checks):
            self.run = function.run_finite
        else:
            # The rows of every batch are numbered from 0: the number of the step stands for the
            # epoch, or all batches would be augmented in the same way.
            self.run = lambda arrays, number, out: function.run(
                arrays, None, 0, 1, number, None, out, number
            )

    def find_order(self, leaves: list[Any]) -> None:
        """Looks which leaf each array is."""
        places = {id(leaf): i for i, leaf in enumerate(leaves)}
        arrays = flat_arrays(self.rows)
        if all(a is None or id(a) in places for a in arrays):
            self.order = [None if a is None else places[id(a)] for a in arrays]


class Stream(Feed):
    """Runs the batches of a Source.

    Args:
        source: The Source.
        layout_of: Function from a batch, a tuple of nested arrays, to a Layout; it raises where
            shapes or dtypes do not fit the model.
        get_step: Function from a Rows to a Step.
        current: Function that tells what Steps depend on beside their arguments.
        predictions: Where outputs go, or None.
    """

    def __init__(
        self,
        source: Source,
        layout_of: Callable[[Any], Layout],
        get_step: Callable[[Any], Step],
        current: Callable[[], Any],
        predictions: Predictions | None = None,
    ) -> None:
        super().__init__(source.batches)
        self.source = source
        self.kind = source.kind
        self.ends = source.ends
        self._layout_of = layout_of
        self._get_step = get_step
        self._current = current
        self._predictions = predictions
        self._reader = Reader(source)
        self._pending: deque[Any] = deque()
        self._rows = 0
        self._layouts: dict[Any, Layout] = {}
        self._nesting: Any = None
        self._first = ""
        self._hooks = ""  # "b" and "e" for each beginning and end of an epoch that was called
        self._keeps = False  # whether the source is asked for its state
        self._passes: list[int] = []  # batches of each pass, the last of which may go on

    @property
    def structure(self) -> Any:
        return None if self._predictions is None else self._predictions.structure

    @property
    def rows(self) -> int:
        return self._rows

    # --- epochs ----------------------------------------------------------------------------------

    def peek(self) -> None:
        """Checks the first batch before the first epoch, for which it begins one, as Keras does."""
        self.source.on_epoch_begin()
        self.open(0)
        with closing(self._reader):
            self._reader.begin_epoch(1)
            batch = self._reader.next()
            if batch is END:
                raise ValueError(f"x: expected at least one batch, received an empty {self.kind}")
            self._arrays(batch, 0)

    def check_first(self) -> None:
        """Checks the first batch where it is known without asking for it."""
        if self.source.first is not None:
            self._arrays(self.source.first, 0)

    def reset(self) -> None:
        """Keras ends an epoch before the first one of `fit` and `evaluate`."""
        self._call("e")

    def _call(self, hook: str) -> None:
        """Tells the source that an epoch begins ("b") or ends ("e")."""
        self._hooks += hook
        if hook == "b":
            self.source.on_epoch_begin()
        else:
            self.source.on_epoch_end()

    def open(self, number: int) -> None:
        self._note_position()
        self._passes.append(0)
        self._pending.clear()
        self._reader.open(number)
        self.batches = self.source.batches
        self.position = 0

    def _note_position(self) -> None:
        if self._passes:
            self._passes[-1] = self.position

    def skip(self, count: int) -> None:
        try:
            self._reader.skip(count)
        except StopIteration:
            raise ValueError(
                f"resume: expected a {self.kind} of at least {count} batches, as before, received "
                "one of fewer"
            ) from None
        self.position = count

    def go_on(self, first: int, rows: int) -> None:
        super().go_on(first, rows)
        self._rows = rows

    def keep_states(self) -> None:
        self._keeps = self.source.remembers
        self.source.keep_states()

    def get_state(self, within: bool) -> dict[str, Any]:
        self._note_position()
        state = self.source.get_state(self.position if within else BETWEEN)
        return {"hooks": self._hooks, "passes": self._passes[:], "source": state}

    def set_state(self, state: dict[str, Any], within: bool) -> None:
        source, passes = self.source, state["passes"]
        if source.remembers:
            source.set_state(state["source"])
            self._hooks = state["hooks"]
        elif not isinstance(source, DatasetSource):
            again = sum(passes[len(self._passes) :])
            if again:
                warn_user(
                    f"resume: a {self.kind} without get_state and set_state cannot go to a batch: "
                    f"{again} batches are read again and left out"
                )
            for count in passes[len(self._passes) : len(passes) - within]:
                self.open(len(self._passes))
                self.skip(count)
        self._passes = passes[: len(passes) - within]
        for hook in state["hooks"][len(self._hooks) :]:
            self._call(hook)

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "batches": self.source.batches}

    def on_epoch_begin(self) -> None:
        self._call("b")

    def limit(self, count: int | None) -> None:
        super().limit(count)
        self._rows = 0
        self._reader.begin_epoch(count)

    def on_epoch_end(self) -> None:
        self._reader.end_epoch()
        self._call("e")

    def close(self, patience: float) -> None:
        self._reader.close(patience)

    # --- batches ---------------------------------------------------------------------------------

    def ready(self, count: int) -> int:
        while len(self._pending) < count:
            batch = self._reader.next()
            if batch is END:
                break
            self._pending.append(batch)
        return len(self._pending)

    def run(
        self, limit: int | None, step: int = 0, progress: Callable[[], None] | None = None
    ) -> int:
        done = 0
        shown = time.perf_counter() if progress is not None else 0.0
        pending = self._pending
        while limit is None or done < limit:
            batch = pending.popleft() if pending else self._reader.next()
            if batch is END:
                break
            layout, arrays = self._arrays(batch, self.position)
            if not self._run_batch(layout, arrays, step + done):
                break
            done += 1
            self.position += 1
            self._rows += layout.count
            if self._keeps:
                self.source.forget(self.position)
            if progress is not None and time.perf_counter() - shown >= PAUSE:
                progress()
                shown = time.perf_counter()
        return done

    def _run_batch(self, layout: Layout, batch: list[Any], number: int) -> bool:
        """Runs one step, or leaves it out; False where the epoch ends before it."""
        arrays = layout.step.pick(batch)
        layout.step.show()
        predictions = self._predictions
        out = None
        if predictions is not None:
            if layout.outputs is None:
                predictions.add(layout.step.function(*arrays, step=number), batch)
                predictions.structure = layout.step.recipe.structure
                return True
            out = predictions.next(layout.outputs, layout.count, batch)
        self._arm(True)
        try:
            while not layout.run(arrays, number, out):
                held = HeldStep(layout.step, layout.rows, batch, number, number, None)
                if self._after_held(held) or self.ended:
                    break
        except FeedError as error:
            self._check(layout.finite_checks, batch, self.position)
            raise self.source.error(self.position, ValueError(str(error))) from error
        self._arm(False)
        return not self.ended

    def outputs(self, count: int | None = None) -> list[np.ndarray]:
        assert self._predictions is not None
        return self._predictions.last(count)

    def _arrays(self, batch: Any, number: int) -> tuple[Layout, list[Any]]:
        """The Layout of a batch and its arrays, as `Layout.rows` has them, their values checked.

        Args:
            batch: A tuple of nested arrays.
            number: Its position, for messages.
        """
        leaves: list[Any] = []
        key = _key(batch, leaves)
        layout = self._layouts.get(key)
        try:
            if layout is None:
                layout = self._learn(key, batch, leaves)
            order = layout.order
            if order is None:
                arrays = layout.remake(batch)
            else:
                arrays = [None if i is None else leaves[i] for i in order]
        except (TypeError, ValueError) as error:
            raise self.source.error(number, error) from error
        if layout.made == self._current():
            if layout.checks:
                self._check(layout.checks, arrays, number)
        else:
            self._check([*layout.value_checks, *layout.finite_checks], arrays, number)
            layout.use(self._get_step(layout.rows), self._current())
        return layout, arrays

    def _check(self, checks: Sequence[Check], arrays: list[Any], number: int) -> None:
        """Looks at the values of a batch."""
        try:
            for index, check in checks:
                check(arrays[index])
        except (TypeError, ValueError) as error:
            raise self.source.error(number, error) from error

    def _learn(self, key: Any, batch: Any, leaves: list[Any]) -> Layout:
        """The Layout of the first batch of its kind."""
        structure = nest.map_structure(lambda a: a is None, batch)
        if not self._layouts:
            self._nesting, self._first = structure, _describe(batch)
        elif structure != self._nesting:
            raise ValueError(
                f"expected {self._first}, as in the first batch, received {_describe(batch)}"
            )
        layout = self._layout_of(batch)
        layout.find_order(leaves)
        if len(self._layouts) >= KEPT:
            self._layouts.pop(next(iter(self._layouts)))
        self._layouts[key] = layout
        return layout


def _key(value: Any, leaves: list[Any]) -> Any:
    """What a layout depends on: how arrays are nested, their shapes and dtypes.

    Args:
        value: A nested structure of arrays and None.
        leaves: The arrays are appended to it.
    """
    if type(value) is tuple and all(type(item) is np.ndarray for item in value):
        leaves.extend(value)  # most batches, quicker
        return tuple([(item.shape, item.dtype) for item in value])
    if isinstance(value, np.ndarray):
        leaves.append(value)
        return value.shape, value.dtype
    if value is None:
        return None
    if isinstance(value, dict):
        return tuple([(name, _key(value[name], leaves)) for name in sorted(value)])
    return type(value), *[_key(item, leaves) for item in value]


def _describe(value: Any) -> str:
    """A structure of arrays for messages: their dtypes and shapes."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_describe(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(_describe(item) for item in value) + ("," * (len(value) == 1)) + ")"
    return repr(value)
