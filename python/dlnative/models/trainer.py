"""Trainer: compile, fit, evaluate and predict."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from .. import config, optimizers
from ..callbacks import CallbackList, History
from ..layers.tracking import Rollback
from ..random import next_seed
from ..utils import nest, overrides
from ..utils.warn import warn_user
from . import checks, compiling, feeds, fitting, on_batch, predicting, training_run
from .backup import backup_of
from .call_graph import CallGraph
from .epochs import Epochs
from .lagrangian import Constraints
from .objectives import Objectives
from .reading import closing
from .single_batches import SingleBatches
from .state import TrainerState
from .steps import own_steps

# Attributes of a model that say nothing about what it computes: setting one drops no programs.
ATTRIBUTES = frozenset(
    ("history", "loss", "optimizer", "_trainer")
    + ("stop_training", "stop_evaluating", "stop_predicting")
)


class Trainer(SingleBatches):
    """What every model can do with data. `Model` inherits it."""

    # What Layer gives, and what `compile` and `fit` set.
    built: bool
    trainable_variables: list
    _graph: CallGraph | None = None  # None where `call` says what is computed, or nothing yet
    compiled = False
    history: Any = None
    loss: Any = None
    optimizer: Any = None
    stop_training = stop_evaluating = stop_predicting = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "optimizer" and self.compiled:
            value = optimizers.get(value)
            self._trainer.use_optimizer(value)
        if name in ATTRIBUTES:
            self.__dict__[name] = value
        elif name in overrides.MODEL:
            overrides.refuse(self, name, overrides.MODEL[name])
        else:
            super().__setattr__(name, value)

    # --- compile ---------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        inequality: Any = None,
        equality: Any = None,
        constraint_period: int = 100,
        constraint_penalty: float = 1.0,
        constraint_growth: float = 2.0,
        constraint_penalty_max: float = 10.0,
    ) -> None:
        """Says how the model is to be trained.

        Args:
            optimizer: A name or an Optimizer, see `dlnative.optimizers`.
            loss: A name, a Loss or a function (y_true, y_pred), see `dlnative.losses`. For several
                outputs a list with one entry each, or a dict by their names; None for no loss.
            loss_weights: A number, or one per output as for `loss`: factors of the losses in the
                sum.
            metrics: List of names, Metrics or functions (y_true, y_pred). For several outputs a
                list of lists or a dict. "accuracy" becomes the accuracy that fits shapes of labels
                and predictions, as in Keras.
            weighted_metrics: The same, for metrics that use `sample_weight` and `class_weight`.
            run_eagerly: Whether a step is computed op by op, so that `print`, `numpy()` and a
                debugger see values in `call` and `train_step`; slow.
            steps_per_execution: How many batches are run between two calls of batch hooks.
            jit_compile: Accepted, and without effect: a step is a compiled program.
            auto_scale_loss: Has an effect in Keras for float16 only, which is not available.
            inequality: What must not be positive: a function of any of (model, y_true, y_pred), by
                these names of its parameters, that returns a tensor of any shape, each element of
                which is to be <= 0; or a list of functions, or a dict of them by name. For several
                outputs `y_true` and `y_pred` are lists. See docs/training.md.
            equality: The same for what must be 0.
            constraint_period: Steps between two updates of the multipliers.
            constraint_penalty: The first penalty parameter.
            constraint_growth: By how much it grows where the violation does not fall.
            constraint_penalty_max: The largest penalty parameter. The learning rate must suit it.

        Raises:
            ValueError: An unknown name (the nearest are offered), or a loss that has no gradient.
            TypeError: An argument of a wrong type.
            NotImplementedError: A class of the model, loss or optimizer overrides a method that
                Keras would call and that is not called here, such as `make_train_function`.

        Differs from Keras: `jit_compile` has no effect.
        `inequality` and `equality` and what belongs to them are new.
        Layers' `trainable` counts at the time of training. A loss of probabilities after a sigmoid
        or softmax is computed from that activation's input and clips nothing.
        """
        run_eagerly = checks.check_flag("run_eagerly", run_eagerly)
        steps = checks.check_count("steps_per_execution", steps_per_execution)
        overrides.refuse_overrides(self, overrides.MODEL)
        options = {
            "constraint_period": constraint_period,
            "constraint_penalty": constraint_penalty,
            "constraint_growth": constraint_growth,
            "constraint_penalty_max": constraint_penalty_max,
        }
        constraints = Constraints(inequality, equality, *options.values())
        objectives = Objectives(loss, loss_weights, metrics, weighted_metrics, constraints)
        if self._graph is not None:
            outputs = [tuple(t.shape) for t in self._graph.outputs]
            objectives.check_differentiable(self._graph.output_names, outputs)
        state = TrainerState()
        state.optimizer = optimizers.get(optimizer)
        overrides.refuse_overrides(state.optimizer, overrides.FITTING_OPTIMIZER)
        state.objectives = objectives
        state.steps_per_execution = steps
        state.run_eagerly = run_eagerly
        state.own = own_steps(self)
        if constraints and state.own & {"train", "test"}:
            raise ValueError(
                f"compile: inequality and equality belong to the default step; "
                f"{type(self).__name__} has a train_step, test_step or loss of its own, where such "
                "terms can be added"
            )
        state.seed = next_seed()
        state.arguments = {
            "optimizer": state.optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "steps_per_execution": steps,
        }
        if run_eagerly:
            state.arguments["run_eagerly"] = True
        if constraints:  # Keras reads the others
            state.arguments.update(inequality=inequality, equality=equality, **options)
        self._trainer = state
        self.optimizer = state.optimizer
        self.loss = loss
        self.stop_training = False
        self.__dict__["compiled"] = True

    @property
    def run_eagerly(self) -> bool:
        """Whether a step is computed op by op; see `compile`, after which it can be set."""
        return self.compiled and self._trainer.run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        state = self._training("setting run_eagerly")
        state.run_eagerly = checks.check_flag("run_eagerly", value)
        state.arguments.pop("run_eagerly", None)
        if value:
            state.arguments["run_eagerly"] = True

    @property
    def steps_per_execution(self) -> int:
        """Batches between two calls of batch hooks; see `compile`, after which it can be set."""
        return self._trainer.steps_per_execution if self.compiled else 1

    @steps_per_execution.setter
    def steps_per_execution(self, value: int) -> None:
        steps = checks.check_count("steps_per_execution", value)
        state = self._training("setting steps_per_execution")
        state.steps_per_execution = state.arguments["steps_per_execution"] = steps

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as plain values; None before it."""
        return compiling.compile_config(self._trainer.arguments) if self.compiled else None

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the arguments that `get_compile_config` returned.

        A class with a `compile` of its own is left as it is, with a warning, unless it has this
        method of its own, too.
        """
        if type(self).compile is Trainer.compile:
            compiling.compile_again(self, config)
        else:
            warn_user(
                f"`{type(self).__name__}.compile()` was not called, as it is not that of Model. "
                "Override get_compile_config() and compile_from_config(config), too, or call "
                "compile() after loading"
            )

    def _training(self, method: str) -> TrainerState:
        """The state of a compiled model; RuntimeError before `compile`."""
        if not self.compiled:
            raise RuntimeError(
                f"Call compile(optimizer, loss) before {method}: the model is not compiled"
            )
        state = self._trainer
        state.follow(own_steps(self))
        return state

    def _prediction(self) -> TrainerState:
        """The state that `predict` needs, which is there without `compile`."""
        state = self.__dict__.get("_trainer")
        if state is None:
            state = self.__dict__.setdefault("_trainer", TrainerState())
        state.follow(own_steps(self))
        return state

    def metric_direction(self, name: str) -> str | None:
        """Which way a name in the logs is better: "up", "down", or None where it is not known."""
        return self._trainer.objectives.direction(name)

    # --- data sets -------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Iterable[int] = 1,
        check_finite: bool = True,
        on_nonfinite: str = "warn",
        max_seconds: float | None = None,
        replay: Any = None,
        resume: Any = None,
    ) -> History:
        """Trains the model for a number of epochs.

        Everything is checked before the first step; if something raises, the model is as it was.
        One thread trains or evaluates a model at a time, others wait; `predict` of other threads
        runs beside it, and sees the weights of whole steps. What a callback changes, such as an
        option of the optimizer, counts from the next batch on. Ctrl-C stops within 200 ms and
        leaves the model as the last step made it (with the averages of `use_ema` as its weights),
        with the epochs so far in `model.history`. Where the loss is NaN or infinite it says so
        once, by a RuntimeWarning, and goes on; see `on_nonfinite`. `TerminateOnNaN` ends it.

        Args:
            x: Inputs, (samples, ...), of any numeric dtype, also a memory map or a DataFrame; a
                list or dict of them for several inputs. Nothing but a DataFrame is copied: batches
                are converted as they are read. Or what gives batches `(x,)`, `(x, y)` or
                `(x, y, sample_weight)`: a generator, an iterable such as a DataLoader of PyTorch,
                or a `dlnative.utils.PyDataset`; see docs/training.md.
            y: Labels, (samples, ...); a list or dict of them for several outputs. None where x
                gives batches, as `sample_weight`.
            batch_size: Samples per step; by default what the Input has fixed, or 32. None where x
                gives batches.
            epochs: The epoch to stop at, counted from 0 (so the number of epochs if `initial_epoch`
                is 0).
            verbose: 0 for nothing, 1 (and "auto") for a progress bar and a line per epoch, 2 for
                the line only.
            callbacks: List of `dlnative.callbacks.Callback`.
            validation_split: Share of the samples, from the end, that is kept for validation; of
                arrays only.
            validation_data: (x, y) or (x, y, sample_weight) for validation after each epoch, or
                what gives such batches.
            shuffle: Whether each epoch has an order of its own; "batch" keeps batches together. Of
                a PyDataset the batches are shuffled; others come as they come.
            class_weight: {class number: weight in the loss}; classes left out have 1.
            sample_weight: Weight of each sample in the loss, (samples,); one array per output also.
            initial_epoch: Number of the first epoch.
            steps_per_epoch: Steps that make an epoch, if it shall not be the whole set. The next
                epoch goes on where one has stopped. A generator without end needs it.
            validation_steps: Steps of a validation, if it shall not be the whole set.
            validation_batch_size: Samples per step of the validation, `batch_size` by default.
            validation_freq: Validate every so many epochs, or after the epochs listed (from 1).
            check_finite: Whether a NaN or an infinity in the data raises; the message has the
                sample. What an integer input does not have raises in any case.
            on_nonfinite: What follows a step whose loss or gradients are NaN or infinite, of which
                a RuntimeWarning says the epoch, the batch, the op, the layer and the rows. "warn":
                it is done, as in Keras, and nothing more is said. "stop": training ends with the
                model as it was before that step. "skip": it is left out. "rollback": the model
                becomes what it was at the begin of the epoch, half its learning rate is set where
                that is a number, and training goes on with the next batch. The last three look at
                all gradients and at all that would be written, and copy that: a step takes up to
                1.5 times as long; see docs/training.md.
            max_seconds: A time budget in the place of `epochs`: the first steps are measured and
                undone, and then there are as many epochs, and steps of a last one, as there is time
                for. A schedule of the learning rate that has an end comes to it with the last
                step. Of arrays only; see docs/training.md.
            replay: The path of a folder to which the first such step is written, with the model,
                its state and the batch, for `dlnative replay` and `dlnative.replay`.
            resume: A folder for checkpoints, which are written while it trains. Where it has some,
                training goes on from the newest and ends with the bits of a run that was not
                interrupted; where the run has ended, nothing more is done. See docs/training.md.

        Returns:
            A `History`: `history.history["loss"]` is the list of the epochs' mean losses, and
            `history.nonfinite` a list of the steps that were not finite.

        Raises:
            RuntimeError: The model is not compiled.
            ValueError: Shapes, values or numbers that do not fit; the message says what would.
            TypeError: Data that are not arrays of numbers.
            OSError: The folder of `resume` cannot be written.

        Differs from Keras: `check_finite`, `on_nonfinite`, `max_seconds`, `replay` and `resume` are
        new. Any iterable of batches is taken, `class_weight` for all of them; that `shuffle` has no
        effect on generators is no warning, a `batch_size` for them an error. Batches may be read
        ahead in a thread.
        """
        state = self._training("fit()")
        options = fitting.FitOptions(
            batch_size,
            epochs,
            initial_epoch,
            verbose,
            shuffle,
            validation_split,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
            on_nonfinite,
            max_seconds,
            replay,
        )
        backup = backup_of(resume, callbacks)
        if backup is not None and max_seconds is not None:
            raise ValueError(
                "fit: expected no max_seconds where there are checkpoints, as its time is that of "
                f"one process, received {max_seconds!r}"
            )
        with (
            state.programs.training,
            state.checking(on_nonfinite != "warn"),
            contextlib.nullcontext() if backup is None else backup.opened(state),
        ):
            with Rollback(self):
                train, validation = feeds.load(
                    self,
                    state,
                    (x, y, sample_weight),
                    options,
                    class_weight,
                    validation_data,
                    check_finite,
                )
            return training_run.fit(self, state, train, validation, callbacks, options, backup)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The mean loss and metrics on a data set.

        Args:
            x, y, sample_weight, batch_size, verbose, callbacks: As for `fit`.
            steps: Number of batches, if it shall not be the whole set.
            return_dict: Whether to return {name: value}.

        Returns:
            The loss, or a list of the loss and the metrics, or a dict.

        Raises:
            As `fit`.
        """
        state = self._training("evaluate()")
        batch_size = checks.check_count("batch_size", batch_size, optional=True)
        steps = checks.check_count("steps", steps, optional=True)
        checks.check_verbose(verbose)
        with state.programs.training:
            with Rollback(self):
                feed = feeds.test_feed(self, state, x, y, sample_weight, batch_size, steps)
            epochs = Epochs(feed, steps)
            callbacks = self._callbacks_of_pass(callbacks, verbose, epochs)
            with closing(feed):
                logs = fitting.test(self, state, epochs, callbacks, in_fit=False)
            return logs if return_dict else state.objectives.in_order(logs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        out: Any = None,
    ) -> Any:
        """The outputs for all samples.

        Args:
            x: Inputs as for `fit`; of batches `(x, y)` the inputs are taken.
            batch_size: Samples per step. Outputs for another size are equal up to rounding, as
                convolutions and large products choose their algorithm by it. For one size they
                have the same bits in every call, wherever a sample stands in a batch and for any
                number of threads; a smaller last batch is another size.
            verbose: 0 for nothing, 1 for a progress bar and a line, 2 for the line; "auto" shows a
                bar if it takes longer than half a second.
            steps: Number of batches, if it shall not be the whole set.
            callbacks: List of `dlnative.callbacks.Callback`.
            out: An array that receives the outputs, such as a memory map for more than fits in
                memory; nested arrays where the model has several outputs. Their shapes and dtypes
                are those of the outputs; where x gives batches they may have more rows.

        Returns:
            An array (samples, ...), or as many as the model has outputs, nested as it returns them;
            the rows of `out` that were written where that is given.

        Raises:
            ValueError: Shapes that do not fit the model, values that an integer input has not,
                or an `out` that overlaps `x` otherwise than row by row.
            TypeError: Data that are not arrays of numbers.

        Differs from Keras: `verbose="auto"` shows nothing for short runs; `out` is new.
        """
        if steps is None and callbacks is None and out is None and verbose in (0, "auto"):
            call = on_batch.ready_prediction(self, x)
            limit = fitting.DEFAULT_BATCH if batch_size is None else batch_size
            if call is not None and type(limit) is int and x.shape[0] <= limit:
                return call(x)
        checks.check_verbose(verbose)
        batch_size = checks.check_count("batch_size", batch_size, optional=True)
        steps = checks.check_count("steps", steps, optional=True)
        state = self._prediction()
        plain = steps is None and callbacks is None and config.max_steps_per_epoch() is None
        feed = predicting.make_feed(self, state, x, batch_size, steps, plain, out)
        epochs = Epochs(feed, steps)
        callbacks = self._callbacks_of_pass(callbacks, verbose, epochs)
        predicting.predict(self, state, epochs, callbacks)
        return nest.pack(feed.structure, feed.outputs())

    def _callbacks_of_pass(self, callbacks: Any, verbose: Any, epochs: Epochs) -> CallbackList:
        """The CallbackList of `evaluate` and `predict`, which may be given one."""
        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=epochs.length,
            samples=epochs.samples,
        )
