"""What a step does, as methods of a model that a subclass may override."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autodiff import run_at_once, value_and_grad
from ..graph.tensor import Tensor, Tracing, apply, traced_graph
from ..layers.extra_losses import attribute_metrics
from ..utils import nest, overrides, signatures
from ..utils.packing import unpack_x_y_sample_weight
from . import objectives as model_objectives
from .batch import GivenBatch

OWN = {
    "train": ("train_step", "compute_loss", "compute_metrics"),
    "test": ("test_step", "compute_loss", "compute_metrics"),
    "predict": ("predict_step",),
}


def own_steps(model: Any) -> frozenset[str]:
    """The kinds of step of which a class of the user's does a part itself."""
    return frozenset(
        kind
        for kind, names in OWN.items()
        if overrides.overridden(type(model), names) or any(name in vars(model) for name in names)
    )


class Steps:
    """The default steps, and what they are made of. `Model` inherits it.

    All of them see tensors of the step that is being made, and run once per shape of the data; the
    program that comes of it runs at every step. A step that needs the values of tensors, by
    `float`, `numpy()` or `if`, runs without a program, op by op; `run_eagerly=True` asks for that.
    """

    compiled: bool
    trainable_variables: list
    _trainer: Any
    optimizer: Any

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training: forward, loss, gradients and the update.

        Args:
            data: x, (x, y) or (x, y, sample_weight) of a batch, see
                `utils.unpack_x_y_sample_weight`.

        Returns:
            {name: number}: what logs show.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        optimizer = self.optimizer

        def loss_of_batch() -> tuple[Any, Any]:
            y_pred = self._forward(x, True)
            loss = self._loss_of(x, y, y_pred, sample_weight, True)
            return optimizer.scale_loss(loss), (loss, y_pred)

        variables = self.trainable_variables
        (_, (loss, y_pred)), grads = value_and_grad(loss_of_batch, variables, has_aux=True)()
        self._track_loss(loss, x)
        optimizer.apply(grads, variables)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of evaluation; see `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, False)
        self._track_loss(self._loss_of(x, y, y_pred, sample_weight, False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """What `predict` returns of a batch."""
        return self._forward(unpack_x_y_sample_weight(data)[0], False)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The total loss: that of `compile`, and `losses`.

        Args:
            x: Inputs.
            y: Labels, nested as the outputs are.
            y_pred: Outputs.
            sample_weight: Weights of the samples in the loss of `compile`.
            training: Whether it is a step of training.

        Returns:
            A scalar.
        """
        if traced_graph() is None:
            return run_at_once(self.compute_loss, x, y, y_pred, sample_weight, training)
        state = self._trainer
        total = None
        if state.objectives.loss is not None:
            batch = self._given_batch(x, y, y_pred, sample_weight)
            total = model_objectives.compiled_loss(batch, state.objectives)
        for term in self.losses:  # type: ignore[attr-defined]
            total = term if total is None else apply("add", total, term)
        if total is None:
            raise ValueError("There is no loss to compute: pass `loss` to compile()")
        return total

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates the metrics of `compile`; returns {name: result} of all metrics."""
        if traced_graph() is None:
            return run_at_once(self.compute_metrics, x, y, y_pred, sample_weight)
        if self._trainer.objectives.has_metrics:
            batch = self._given_batch(x, y, y_pred, sample_weight)
            model_objectives.update_metrics(batch, self._trainer.objectives)
        return self.get_metrics_result()

    # --- metrics ---------------------------------------------------------------------------------

    @property
    def metrics(self) -> list:
        """The Metrics: the mean loss, those of `compile` as one, those of layers and the model."""
        found = []
        if self.compiled:
            objectives = self._trainer.objectives
            found = [objectives.loss_tracker]
            if objectives.has_metrics:
                found.append(objectives.compile_metrics(self))
            found += [t.tracker for t in objectives.targets or () if t.tracker is not None]
            if objectives.constraints:
                found.append(objectives.constraints.violation)
        return [*found, *self._attribute_metrics()]

    def _attribute_metrics(self) -> list:
        return attribute_metrics(self)

    @property
    def metrics_names(self) -> list[str]:
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Forgets all batches so far in all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """{name: value} of all metrics as they stand."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            if isinstance(metric, model_objectives.CompileMetrics) or isinstance(value, dict):
                results.update(value)
            else:
                results[metric.name] = value
        return results

    def _update_compile_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        batch = self._given_batch(None, y, y_pred, sample_weight)
        model_objectives.update_metrics(batch, self._trainer.objectives)

    def _given_batch(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> GivenBatch:
        batch = GivenBatch(x, y, y_pred, sample_weight, getattr(self, "output_names", None))
        if self._trainer.objectives.targets is None:
            with Tracing(None):
                batch.resolve(self._trainer.objectives)
        return batch

    def _forward(self, x: Any, training: bool) -> Any:
        takes = self._takes_training  # type: ignore[attr-defined]
        return self(x, training=training) if takes else self(x)  # type: ignore[operator]

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """`compute_loss`, which of a user's class may have no argument `training`."""
        given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight}
        if "training" in signatures.parameters(self.compute_loss):
            given["training"] = training
        return self.compute_loss(**given)

    def _track_loss(self, loss: Any, x: Any) -> None:
        rows = next(t.shape[0] for t in nest.flatten(x) if isinstance(t, Tensor))
        tracker = self._trainer.objectives.loss_tracker
        tracker.update_state(loss, sample_weight=np.float64(rows))
