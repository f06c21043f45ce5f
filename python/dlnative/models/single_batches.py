"""The calls of a model on single batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..layers.tracking import Rollback
from ..utils import nest
from . import on_batch, predicting
from .state import inputs_only
from .steps import Steps


class SingleBatches(Steps):
    """`train_on_batch` and its kin. `Trainer` inherits it."""

    def train_on_batch(
        self: Any,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step of training on one batch.

        Args:
            x, y, sample_weight, class_weight: One batch, as for `fit`.
            return_dict: Whether to return {name: value}.

        Returns:
            The loss of the batch before the update, or a list of the loss and the metrics, or a
            dict.

        Raises:
            As `fit`, but NaN and infinity are not looked for.
        """
        if sample_weight is None and class_weight is None and not return_dict:
            call = on_batch.ready(self, "train", x, y)
            if call is not None:
                return call(x, y)
        state = self._training("train_on_batch()")
        return on_batch.run(self, state, "train", x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(
        self: Any, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch; arguments and results as `train_on_batch`."""
        if sample_weight is None and not return_dict:
            call = on_batch.ready(self, "test", x, y)
            if call is not None:
                return call(x, y)
        state = self._training("test_on_batch()")
        return on_batch.run(self, state, "test", x, y, sample_weight, None, return_dict)

    def predict_on_batch(self: Any, x: Any) -> Any:
        """The outputs for one batch, as arrays."""
        call = on_batch.ready_prediction(self, x)
        if call is not None:
            return call(x)
        state = self._prediction()
        with Rollback(self):
            rows = inputs_only(x)
            if "predict" not in state.own:
                probe = state.probe(self, rows.structure)
        if "predict" in state.own:
            return predicting.predict_one(self, state, rows)
        step = state.step(self, "predict", rows.count, rows)
        on_batch.keep_prediction(self, state, x, rows, probe)
        return nest.pack(probe.structure, step.function(*step.pick(rows.x)))
