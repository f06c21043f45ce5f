"""Several callbacks as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .callback import Callback, Logs, overrides, state_values
from .history import History
from .lambda_callback import LambdaCallback
from .progress import ProgbarLogger

if TYPE_CHECKING:
    from ..models.trainer import Trainer

Callbacks: TypeAlias = Callback | Sequence[Any]  # one, or lists of them, nested or not
Kind = TypeVar("Kind", bound=Callback)

PLAIN_HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_test_begin",
    "on_test_end",
    "on_predict_begin",
    "on_predict_end",
)
NUMBERED_HOOKS = (
    "on_epoch_begin",
    "on_epoch_end",
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_predict_batch_begin",
    "on_predict_batch_end",
)
ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList(Callback):
    """Calls a hook of every callback, in the order of the list, with one copy of the logs.

    Args:
        callbacks: A Callback or a list of them.
        add_history: Whether to add a `History` where there is none.
        add_progbar: Whether to add a `ProgbarLogger` where there is none.
        model: The model they are used with.
        **params: What they get as `params`.

    Raises:
        TypeError: Something in the list is not a Callback.
    """

    def __init__(
        self,
        callbacks: Callbacks | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Trainer | None = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks = flatten(callbacks)
        self._history = _first(self.callbacks, History)
        self._progbar = _first(self.callbacks, ProgbarLogger)
        if add_history and self._history is None:
            self._history = History()
            self.callbacks.append(self._history)
        if add_progbar and self._progbar is None:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        self._hooks = {}
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def check_logs(self, names: Sequence[str]) -> None:
        """Raises where a callback cannot work with logs of these names; see `Callback`."""
        complete = True
        for callback in self.callbacks:
            callback._check_logs(names, complete)
            names = [*names, *callback._adds_logs]
            ours = type(callback).__module__.startswith(f"{__package__}.")
            complete = complete and ours and not isinstance(callback, LambdaCallback)

    def before_final_weights(self) -> None:
        """Tells all that the steps of `fit` have ended; see `Callback`."""
        for callback in self.callbacks:
            callback._before_final_weights()

    def note_nonfinite(self, reports: list[Any]) -> None:
        """Gives the History the list of the steps of this `fit` that were not finite."""
        if self._history is not None:
            self._history.nonfinite = reports

    def append(self, callback: Callback) -> None:
        """Adds a callback, called after the others."""
        self.callbacks.append(callback)
        self._hooks.clear()

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Trainer) -> None:
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def get_state(self) -> dict[str, Any]:
        """{"callbacks": the states of all, in their order}."""
        return {"callbacks": [callback.get_state() for callback in self.callbacks]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Gives each callback the state that it had; ValueError for another number of them."""
        (states,) = state_values(self, state, "callbacks")
        if len(states) != len(self.callbacks):
            raise ValueError(
                f"CallbackList.set_state: expected states of {len(self.callbacks)} callbacks, "
                f"received {len(states)}"
            )
        for callback, each in zip(self.callbacks, states, strict=True):
            callback.set_state(each)

    def has_batch_hooks(self, kind: str) -> bool:
        """Whether a callback has a hook for every batch of "train", "test" or "predict"."""
        return bool(self._bound(f"on_{kind}_batch_begin") or self._bound(f"on_{kind}_batch_end"))

    def on_progress(self, steps: int, samples: int, logs: Logs) -> None:
        """For the progress bar only: about ten times a second."""
        if self._progbar is not None:
            self._progbar.on_progress(steps, samples, logs)

    def note_samples(self, count: int) -> None:
        """For the progress bar, where the number of samples of an epoch was not known before it."""
        if self._progbar is not None and (self.params or {}).get("samples") is None:
            self._progbar.samples = count

    @property
    def shows_progress(self) -> bool:
        """Whether `on_progress` is to be called."""
        return self._progbar is not None and self._progbar.live

    def close(self) -> None:
        """Takes an unfinished progress bar from the screen."""
        if self._progbar is not None:
            self._progbar.close()

    def _bound(self, hook: str) -> list[Callable[..., None]]:
        """The hooks that do something, as bound methods."""
        bound = self._hooks.get(hook)
        if bound is None:
            alias = ALIASES.get(hook)
            bound = self._hooks[hook] = [
                getattr(callback, hook)
                for callback in self.callbacks
                if overrides(callback, hook) or (alias and overrides(callback, alias))
            ]
        return bound


def _copy(logs: Logs | None) -> Logs:
    """Logs of one hook, by name, as in Keras: what callbacks add is for those after them."""
    return dict(sorted(logs.items())) if logs else {}


def _plain(hook: str) -> Callable[..., None]:
    def call(self: CallbackList, logs: Logs | None = None) -> None:
        logs = _copy(logs)
        for method in self._bound(hook):
            method(logs)

    call.__name__ = hook
    return call


def _numbered(hook: str) -> Callable[..., None]:
    def call(self: CallbackList, index: int, logs: Logs | None = None) -> None:
        logs = _copy(logs)
        for method in self._bound(hook):
            method(index, logs=logs)

    def call_positional(self: CallbackList, index: int, logs: Logs | None = None) -> None:
        logs = _copy(logs)
        for method in self._bound(hook):
            method(index, logs)

    chosen = call_positional if "epoch" in hook else call  # as Keras passes them
    chosen.__name__ = hook
    return chosen


for _hook in PLAIN_HOOKS:
    setattr(CallbackList, _hook, _plain(_hook))
for _hook in NUMBERED_HOOKS:
    setattr(CallbackList, _hook, _numbered(_hook))


def flatten(callbacks: Callbacks | None) -> list[Callback]:
    """The callbacks of a list, nested or not; TypeError for what is none."""
    if callbacks is None:
        return []
    if not isinstance(callbacks, (list, tuple)):
        callbacks = [callbacks]
    flat = []
    for callback in callbacks:
        if isinstance(callback, (list, tuple)):
            flat.extend(flatten(callback))
        elif isinstance(callback, Callback):
            flat.append(callback)
        else:
            hint = " Call the class." if isinstance(callback, type) else ""
            raise TypeError(f"callbacks: expected Callback objects, received {callback!r}.{hint}")
    return flat


def _first(callbacks: list[Callback], cls: type[Kind]) -> Kind | None:
    return next((callback for callback in callbacks if isinstance(callback, cls)), None)
