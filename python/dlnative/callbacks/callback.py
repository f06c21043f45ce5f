"""The base class of callbacks: a hook for every moment of training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ..models.trainer import Trainer


Logs: TypeAlias = dict[str, Any]  # losses and metrics by name: numbers, and arrays of some metrics


class Callback:
    """Base class of callbacks: override the hooks of interest.

    The order of calls is Keras's. In `fit`: on_train_begin; for each epoch on_epoch_begin, for each
    batch on_train_batch_begin and on_train_batch_end, then for the validation set on_test_begin,
    its batches and on_test_end, then on_epoch_end; at last on_train_end. In `evaluate` and
    `predict` the test and predict hooks, without epochs.

    A hook of batches costs one call into Python per batch. Without one, many steps run in one call.

    Attributes:
        model: The model that is trained.
        params: {"verbose", "epochs", "steps", "samples"} of the run.

    Example:
        >>> import numpy as np, dlnative
        >>> class Losses(dlnative.callbacks.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, sorted(logs))
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.zeros((4, 1)), np.zeros(4), verbose=0, callbacks=[Losses()])
        0 ['loss']
    """

    _adds_logs: tuple[str, ...] = ()  # names that it puts into the logs of an epoch

    def __init__(self) -> None:
        self.params: Any = None
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model that the callback is used with; None before."""
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called with the parameters of a run, before its first hook."""
        self.params = params

    def set_model(self, model: Trainer) -> None:
        """Called with the model, before the first hook of a run."""
        self._model = model

    def get_state(self) -> dict[str, Any]:
        """What the callback has to remember to go on in another process, by `set_state`.

        Returns:
            Plain values that JSON can hold: numbers, strings, None, and lists and dicts of such. {}
            for a callback that remembers nothing.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Makes the callback remember what it did when `get_state` returned `state`.

        The next `fit` goes on from there, also where the callback otherwise begins anew with each.

        Raises:
            ValueError: It is no state of this callback.
        """
        state_values(self, state)

    def _check_logs(self, names: Sequence[str], complete: bool) -> None:
        """Raises, before the first step of `fit`, where the callback can tell that it cannot work.

        Args:
            names: Names that the logs of an epoch will have.
            complete: False where callbacks of the user's, called before this one, may add some.
        """

    def _before_final_weights(self) -> None:
        """Called when the steps of `fit` have ended, in whatever way.

        The optimizer makes averages the weights of the model afterwards.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch of `fit`."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch of `fit`; `logs` are those of that epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, numbered from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch; `logs` has its loss and metrics, those of the validation with "val_"."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """The same as `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """The same as `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of `fit`, numbered from 0 in its epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of `fit`; `logs` has the means of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before `evaluate`, or before the validation in `fit`."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After `evaluate`, or after the validation in `fit`; `logs` has its results."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of `evaluate`."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of `evaluate`; `logs` has the means so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before `predict`."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of `predict`; `logs` has its "outputs"."""


def overrides(callback: Callback, hook: str) -> bool:
    """Whether a callback has its own version of a hook, in its class or set on the object."""
    own = getattr(callback, hook)
    return getattr(own, "__func__", own) is not getattr(Callback, hook)


def state_values(callback: Callback, state: Any, *names: str) -> list[Any]:
    """The values of a state in the order of these names; ValueError if it has others."""
    if not isinstance(state, dict) or set(state) != set(names):
        raise ValueError(
            f"{type(callback).__name__}.set_state: expected a dict of "
            f"{', '.join(names) or 'nothing'}, as get_state returns it, received {state!r}"
        )
    return [state[name] for name in names]
