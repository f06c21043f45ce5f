"""Evaluates with the moving averages of the weights."""

from __future__ import annotations

from typing import Any

from .callback import Callback, Logs, state_values


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the averages of `use_ema=True` in the place of the weights.

    Model and optimizer exchange their arrays. Where `fit` ends, the weights become the averages,
    as they do without this callback, however it ends.

    Args:
        swap_on_epoch: Whether the averages are in the model from the end of an epoch to the
            beginning of the next one, for callbacks after this one, such as one that saves it.

    Raises:
        ValueError: By `fit` before the first step, and by `evaluate` and `predict`: the optimizer
            has no averages.

    Example:
        >>> import numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile(dlnative.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
        >>> x, y = np.ones((4, 1)), np.zeros(4)
        >>> swap = dlnative.callbacks.SwapEMAWeights()
        >>> fitted = model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[swap])

    Differs from Keras: the weights are put back after `predict`, too, and by a `fit` that ends
    early. The averages of the last epoch stay exchanged until `fit` has ended. Averages of an
    optimizer that has made no step are an error, and not zeros.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    def get_state(self) -> dict[str, Any]:
        """Whether the model has the averages, and the optimizer the weights."""
        return {"ema_weights_in_model": self._ema_weights_in_model}

    def set_state(self, state: dict[str, Any]) -> None:
        (self._ema_weights_in_model,) = state_values(self, state, "ema_weights_in_model")

    def set_model(self, model: Any) -> None:
        if self._model is not None and model is not self._model:
            self._ema_weights_in_model = False
        super().set_model(model)

    def _before_final_weights(self) -> None:
        if self._ema_weights_in_model:
            self._swap()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._optimizer()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self._ema_weights_in_model:  # also where an evaluation was interrupted
            self._swap()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch and not self._ema_weights_in_model:
            self._swap()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._ema_weights_in_model:
            self._swap()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self._ema_weights_in_model:
            self._swap()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self.on_test_begin(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self.on_test_end(logs)

    def _optimizer(self) -> Any:
        """The optimizer of the model, which keeps averages."""
        optimizer = self.model.optimizer
        if optimizer is None or not optimizer.use_ema:
            has = "none" if optimizer is None else f"use_ema={optimizer.use_ema}"
            raise ValueError(
                "SwapEMAWeights: expected an optimizer that keeps averages of the weights "
                f"(use_ema=True), received {has}"
            )
        return optimizer

    def _swap(self) -> None:
        optimizer = self._optimizer()
        if not int(optimizer._iterations):
            raise ValueError(
                "SwapEMAWeights: expected an optimizer that has averaged weights, received one "
                "that has made no step yet"
            )
        for variable in optimizer._trainable_variables:
            (average,) = optimizer.slots_of(variable, "average")
            weights = variable.numpy()
            variable.write(average)
            average.write(weights)
        self._ema_weights_in_model = not self._ema_weights_in_model
