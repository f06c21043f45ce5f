"""Writes what TensorBoard shows."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..utils.numbers import whole_number
from ..utils.warn import warn_user
from . import event_file
from .callback import Callback, Logs, state_values
from .log_file import batches_between


class TensorBoard(Callback):
    """Writes events for TensorBoard, `tensorboard --logdir logs`, under the names that Keras gives.

    In the folder "train" are the curves "epoch_<name>" and "epoch_learning_rate", in the folder
    "validation" the same of the validation, by epoch, and "evaluation_<name>_vs_iterations" of each
    evaluation, by step. A value that is an array has no curve. tensorboardX writes them, which
    `pip install 'dlnative[tensorboard]'` installs.

    Args:
        log_dir: The folder.
        histogram_freq: Every how many epochs the distributions of weights are written; 0 for never.
        write_graph: Whether to write the graph of layers, of a Sequential or functional model.
        write_images: Whether weights are written as images, too, with the histograms: kernels of
            convolutions as tables of their filters.
        write_steps_per_second: Whether to write the speed, by epoch and, with `update_freq`, batch.
        update_freq: "epoch"; or a number of batches, of which "batch" is 1, after which
            "batch_<name>" are written, the means of their epoch so far. Then Python has its turn at
            each batch.
        profile_batch: 0; `model.profile` shows where the time of a step goes.
        embeddings_freq: 0.
        embeddings_metadata: None.

    Raises:
        ImportError: By `fit` and `evaluate`: tensorboardX is not installed.
        TypeError: An argument of a wrong type.
        ValueError: A number out of its range, or an unknown `update_freq`.
        NotImplementedError: `profile_batch`, `embeddings_freq` or `embeddings_metadata` is set.

    Example:
        >>> import dlnative
        >>> board = dlnative.callbacks.TensorBoard("runs/1", histogram_freq=1, update_freq=100)

    Differs from Keras: no TensorFlow is needed. Traces of the profiler and embeddings are refused.
    Images are scaled to the range of the weights. The graph is written where training begins.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(log_dir, (str, os.PathLike)):
            raise TypeError(
                f"TensorBoard: expected log_dir to be text or a path, received {log_dir!r}"
            )
        if profile_batch:
            raise NotImplementedError(
                "TensorBoard: expected profile_batch=0, as there are no traces for its profiler, "
                f"received {profile_batch!r}; model.profile shows where the time of a step goes"
            )
        if embeddings_freq or embeddings_metadata is not None:
            raise NotImplementedError(
                "TensorBoard: expected embeddings_freq=0 and embeddings_metadata=None, as the "
                f"projector is not written for, received {embeddings_freq!r} and "
                f"{embeddings_metadata!r}"
            )
        self.log_dir = os.fsdecode(log_dir)
        self.histogram_freq = whole_number("TensorBoard", "histogram_freq", histogram_freq, 0)
        if write_images and not histogram_freq:
            warn_user("TensorBoard: write_images has an effect with histogram_freq only")
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self._every = batches_between("TensorBoard", update_freq)
        self._train = event_file.EventFile(os.path.join(self.log_dir, "train"))
        self._validation = event_file.EventFile(os.path.join(self.log_dir, "validation"))
        self._seen = 0  # calls of the hook of batches in this `fit`
        self._begun = (0, 0.0)  # steps before the epoch, and when it began
        self._batch_begun = 0.0
        self._goes_on = False  # whether the state of another process has been set for the next fit
        if self._every is not None:
            # Not methods of the class: a hook that is there costs time at every batch.
            self.on_train_batch_end = self._end_batch  # type: ignore[method-assign]
            if write_steps_per_second:
                self.on_train_batch_begin = self._begin_batch  # type: ignore[method-assign]

    def get_state(self) -> dict[str, Any]:
        """The files of events with their lengths in bytes, and the number of batches."""
        files = {"train": self._train.get_state(), "validation": self._validation.get_state()}
        return {**files, "seen": self._seen}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on in the files as they were: cuts off the events that came later."""
        train, validation, seen = state_values(self, state, "train", "validation", "seen")
        self._train.set_state("TensorBoard.set_state", train)
        self._validation.set_state("TensorBoard.set_state", validation)
        self._seen = seen
        self._goes_on = True

    def _check_logs(self, names: Sequence[str], complete: bool) -> None:
        event_file.require_writer()
        if self.write_images:
            import PIL  # noqa: F401

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._note_begin()  # of what is left of an epoch, where training goes on within one
        if self._goes_on:
            self._goes_on = False
            return
        self._seen = 0
        self._train.begin()
        self._validation.begin()
        graph = self._graph()
        if graph is not None:
            self._train.write([graph], 0)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._note_begin()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._goes_on = False
        logs = logs or {}
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        if self.model.optimizer is not None:
            train["learning_rate"] = float(self.model.optimizer.learning_rate)
        if self.write_steps_per_second:
            steps, then = self._begun
            train["steps_per_second"] = (self._steps() - steps) / (time.perf_counter() - then)
        self._write(self._train, "epoch_{}", train, epoch)
        validation = {n.removeprefix("val_"): v for n, v in logs.items() if n.startswith("val_")}
        self._write(self._validation, "epoch_{}", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        event_file.require_writer()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self.model.optimizer is not None:
            name = "evaluation_{}_vs_iterations"
            self._write(self._validation, name, logs or {}, int(self.model.optimizer.iterations))

    def _note_begin(self) -> None:
        self._begun = (self._steps(), time.perf_counter())

    def _begin_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batch_begun = time.perf_counter()

    def _end_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._seen += 1
        if self._every is None or self._seen % self._every:
            return
        values = dict(logs or {})
        if self.write_steps_per_second:
            values["steps_per_second"] = 1.0 / (time.perf_counter() - self._batch_begun)
        self._write(self._train, "batch_{}", values, self._seen)

    def _steps(self) -> int:
        optimizer = self.model.optimizer
        return 0 if optimizer is None else int(optimizer.iterations)

    def _write(self, file: event_file.EventFile, tag: str, logs: Logs, step: int) -> None:
        values = [
            event_file.scalar(tag.format(name), value)
            for name, value in logs.items()
            if not np.ndim(value)
        ]
        if values:
            file.write(values, step)

    def _write_weights(self, epoch: int) -> None:
        values = []
        for weight in self.model.weights:
            tag, array = weight.path.replace(":", "_"), weight.array
            values.append(event_file.histogram(f"{tag}/histogram", array))
            picture = event_file.picture_of(array) if self.write_images else None
            if picture is not None:
                values.append(event_file.image(f"{tag}/image", picture))
        self._train.write([value for value in values if value is not None], epoch)

    def _graph(self) -> Any:
        """The graph of layers; None of models that have none, or cannot write it down."""
        if not self.write_graph or getattr(self.model, "_graph", None) is None:
            return None
        try:
            return event_file.layers_graph("keras", self.model.to_json())
        except (NotImplementedError, TypeError, ValueError) as error:  # of a layer of the user's
            warn_user(f"TensorBoard: the graph of layers is left out: {error}")
            return None
