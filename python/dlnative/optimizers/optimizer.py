"""The base class of optimizers: learning rate, slots, and an update as nodes of a step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..changes import ABSENT, Tracked, note, note_new, used
from ..graph.graph import Graph
from ..graph.tensor import Tensor, Tracing, ValueTensor
from ..hyperparameters import Count, Flag, Option, StepNumber, is_on, set_of_step
from ..naming import auto_name, unknown
from ..placement import place
from ..scalar import Scalar
from ..utils.signatures import constructor_parameters
from ..variables import Variable
from .clipping import clip_gradients
from .learning_rate import LearningRate, Rate, current_rate, rate_config
from .slots import Slots, ValuesOf
from .weight_decay import WeightDecay

if TYPE_CHECKING:
    from ..engines import ProgramCache
    from ..graph.types import TensorLike
    from .schedules.base import LearningRateSchedule


class Optimizer(WeightDecay, Slots, Tracked):
    """Base class of optimizers.

    A subclass makes its slots (arrays like the parameters, kept between updates) in `build` and
    changes one parameter in `update_step`, with operators and `dlnative.ops`:

        class Momentum(dlnative.optimizers.Optimizer):
            def build(self, variables):
                super().build(variables)
                self.add_optimizer_variables(variables, "velocity")

            def update_step(self, gradient, variable, learning_rate):
                (velocity,) = self.slots_of(variable, "velocity")
                self.assign(velocity, 0.9 * velocity - learning_rate * gradient)
                self.assign_add(variable, velocity)

    The update becomes a part of the training program. Options may be set at any time between
    batches, `optimizer.learning_rate = 0.01`, and count from the next update on; a slot that an
    option needs for the first time starts anew.

    Args:
        learning_rate: A number, 0 or greater; a schedule of `optimizers.schedules`; or a function
            without arguments, which is called at each step, and once when a program is made.
        weight_decay: Decoupled decay (Loshchilov and Hutter 2019, "Decoupled Weight Decay
            Regularization"): p -= p * weight_decay * learning_rate before each update.
        clipnorm: Shrinks the gradient of each parameter to at most this norm.
        clipvalue: Cuts each element of the gradients to [-clipvalue, clipvalue].
        global_clipnorm: Shrinks all gradients together to at most this norm. At most one of the
            three may be given.
        use_ema: Whether to keep a moving average of the parameters,
            a = ema_momentum * a + (1 - ema_momentum) * p after each step. When training ends the
            parameters become their averages.
        ema_momentum: In [0, 1].
        ema_overwrite_frequency: None, or every how many updates the parameters become their
            averages.
        loss_scale_factor: None, or by how much the loss is multiplied before, and the gradients
            are divided after differentiation.
        gradient_accumulation_steps: None, or how many steps' gradients are averaged for one update.
        name: Name; the class's in snake case by default.

    Differs from Keras: the learning rate and all numbers of a step are kept and computed in
    float64, and rounded where they meet the parameters. A gradient of None leaves its parameter
    alone without a warning.
    """

    learning_rate = LearningRate()
    weight_decay = StepNumber(0.0, optional=True)
    clipnorm = StepNumber(0.0, optional=True, switch=True)
    clipvalue = StepNumber(0.0, optional=True, switch=True)
    global_clipnorm = StepNumber(0.0, optional=True, switch=True)
    use_ema = Flag()
    ema_momentum = StepNumber(0.0, 1.0)
    ema_overwrite_frequency = Count(1, optional=True)
    loss_scale_factor = StepNumber(0.0, above=True, optional=True)
    gradient_accumulation_steps = Count(2, optional=True)

    _learning_rate: Scalar | LearningRateSchedule | Callable[[], Any]

    decays_itself = False  # whether `update_step` applies weight decay
    full_batch = False  # whether a step must see all samples: `fit` wants them in one batch

    def __init__(
        self,
        learning_rate: Rate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for key in kwargs:
            kind = type(self).__name__
            raise unknown(f"argument of {kind}", key, constructor_parameters(type(self)))
        self.name = name or auto_name(type(self).__name__)
        self._scalars: dict[str, Scalar] = {}  # name of an option -> the Scalar that programs read
        super().__init__()
        self._programs: ProgramCache | None = None  # for `apply` on arrays
        self._wrapped: dict[
            int, tuple[Any, Variable]
        ] = {}  # id of a bare array -> (the array, its Variable)
        self.built = False
        self._iterations = self._tracked(Scalar(0, "int64", "iteration"))
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._check_options()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Writes the options out in the signature, for `help` and whoever asks for it."""
        super().__init_subclass__(**kwargs)
        if "__init__" not in vars(cls):
            return
        own = inspect.signature(cls.__init__)
        *parameters, last = own.parameters.values()
        if last.name != "options" or last.kind is not last.VAR_KEYWORD:
            return
        options = list(inspect.signature(Optimizer.__init__).parameters.values())[2:-1]
        given = {p.name for p in parameters}
        parameters += [p.replace(kind=p.KEYWORD_ONLY) for p in options if p.name not in given]
        vars(cls)["__init__"].__signature__ = own.replace(parameters=parameters)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_scalars" not in self.__dict__ and name not in ("name", "_scalars"):
            raise RuntimeError(
                f"{type(self).__name__}: call super().__init__(learning_rate, **kwargs) first in "
                "__init__"
            )
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without programs, and without keys that are addresses."""
        left = ("_programs", "_wrapped", "_indices", "_scalars")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _programs=None, _wrapped={}, _scalars={})
        self._indices = {id(v): i for i, v in enumerate(self._trainable_variables)}

    def _attribute_changed(self, name: str, before: Any) -> None:
        """An option has a new value: it counts from the next update on."""
        if name == "built":
            return
        try:
            self._check_options()
        except ValueError:
            if before is ABSENT:
                self.__dict__.pop(name, None)
            else:
                self.__dict__[name] = before
                set_of_step(self, name, before)
            raise
        note_new(self, name, before)
        option = getattr(type(self), name, None)
        rebuilds = isinstance(option, Option) and option.rebuilds(before, self.__dict__[name])
        if rebuilds and self.built:
            self._build_again(())

    def _check_options(self) -> None:
        names = ("clipnorm", "clipvalue", "global_clipnorm")
        limits = {name: self.__dict__.get(name) for name in names}
        if sum(limit is not None for limit in limits.values()) > 1:
            given = ", ".join(f"{name}={limit}" for name, limit in limits.items())
            raise ValueError(
                f"{type(self).__name__}: only one of clipnorm, clipvalue and global_clipnorm can "
                f"be set, received {given}"
            )

    def is_on(self, option: str) -> bool:
        """Whether an option is set to something else than None, False and 0; of use in `build` and
        `update_step`, where numbers are tensors of the program.
        """
        return is_on(self, option)

    # --- state ------------------------------------------------------------------------------------

    @property
    def iterations(self) -> Any:
        """The number of updates so far: a number-like Variable, or a tensor of the program."""
        steps = self.gradient_accumulation_steps
        return self._iterations if steps is None else self._iterations // steps

    @property
    def has_plain_rate(self) -> bool:
        """Whether the learning rate is a number that can be set, no schedule and no function."""
        return isinstance(self._learning_rate, Scalar)

    def build(self, variables: Sequence[Variable]) -> None:
        """Notes parameters and makes the slots that they do not have yet.

        A subclass calls this first and then makes its own slots. It is called again, with all
        parameters, when there are new ones and after an option has changed; state that it asks for
        in the same way as before is there still.

        Args:
            variables: Parameters, as Variables.
        """
        self._begin_asking()
        place(variables)
        for v in variables:
            if id(v) not in self._indices:
                self._indices[id(v)] = len(self._trainable_variables)
                self._trainable_variables.append(v)
        if self.use_ema:
            self._make_averages(variables)
        if self.gradient_accumulation_steps:
            self.add_optimizer_variables(variables, "gradient_accumulator")
        self.built = True

    def prepare(self, variables: Sequence[Variable]) -> None:
        """`build`, where it has not been called or there are parameters that it has not seen.

        They have the order of `variables` then, if all of them are among these.
        """
        new = [v for v in variables if id(v) not in self._indices]
        if new or not self.built:
            self._build_again(() if self._arrange(variables) else new)

    def prepare_in_order(self, variables: Sequence[Variable]) -> None:
        """`prepare`, and the order of the parameters becomes that of `variables` in any case."""
        self.prepare(variables)
        if list(map(id, variables)) != list(self._indices) and self._arrange(variables):
            self._build_again(())
            note(self)

    def _build_again(self, new: Sequence[Variable]) -> None:
        """`build` of all parameters, as if for the first time."""
        self._ask_again()
        self.built = False
        try:
            self.build([*self._trainable_variables, *new])
        finally:
            self._asked_again()
        if not self.built:
            raise RuntimeError(
                f"{type(self).__name__}: its build(variables) must call super().build(variables)"
            )

    def _make_averages(self, variables: Sequence[Variable]) -> None:
        """Averages that begin later than training do so at the present values."""
        begun = bool(self._iterations.array)
        for v in variables:
            initial = ValuesOf(v) if begun else "zeros"
            self.add_optimizer_variables([v], "average", initial)

    # --- updates ----------------------------------------------------------------------------------

    def apply_nodes(
        self, graph: Graph, variables: Sequence[Variable], grads: Sequence[Tensor | None]
    ) -> None:
        """Makes one update a part of a step.

        Args:
            graph: Graph of the gradients.
            variables: Parameters, Variables that `build` has seen.
            grads: Tensors like the parameters, or None where a parameter is not to change.

        Raises:
            ValueError: No gradient is given for any parameter.
        """
        used(self)
        pairs = self._with_gradients(variables, grads)
        graph.watched += [g for _, g in pairs]
        self._place_slots()
        variables, gradients = [v for v, _ in pairs], [g for _, g in pairs]
        with Tracing(graph):
            if self.is_on("loss_scale_factor"):
                gradients = [g / self.loss_scale_factor for g in gradients]
            steps = self.gradient_accumulation_steps
            if steps is None:
                self._update(graph, variables, gradients)
            else:
                is_last = (self._iterations + 1) % steps == 0
                (accumulators,) = zip(
                    *(self.slots_of(v, "gradient_accumulator") for v in variables), strict=True
                )
                totals = [g + a for g, a in zip(gradients, accumulators, strict=True)]
                for accumulator, total in zip(accumulators, totals, strict=True):
                    accumulator.assign(_where(is_last, 0.0, total))
                with graph.only_where(is_last):
                    self._update(graph, variables, [total / float(steps) for total in totals])
            self.average(graph)
            for variable in variables:
                if variable.constraint is not None:
                    value = variable.constraint(graph.variable(variable))
                    variable.assign(graph.result(value, f"the constraint of '{variable.path}'"))
            self._iterations.assign_add(1)

    def _with_gradients(
        self, variables: Sequence[Variable], grads: Sequence[Tensor | None]
    ) -> list[tuple[Variable, Tensor]]:
        """Pairs (parameter, gradient) of the parameters that have one; ValueError without any."""
        pairs = [(v, g) for v, g in zip(variables, grads, strict=True) if g is not None]
        if not pairs:
            raise ValueError(
                f"Optimizer '{self.name}': no parameter has a gradient, so nothing can be trained"
            )
        return pairs

    def train_nodes(
        self,
        graph: Graph,
        variables: Sequence[Variable],
        grads: Sequence[Tensor | None],
        loss: Tensor,
    ) -> Callable[[Any, Any], Any] | None:
        """Makes an update a part of a model's step, whose loss is known.

        Args:
            graph, variables, grads: See `apply_nodes`.
            loss: The scalar tensor whose gradients `grads` are, but for `loss_scale_factor`.

        Returns:
            None where running the step's Function is all. An optimizer that evaluates the loss
            several times a step returns a function that makes of this Function, and the arena on
            which it lies, the one that is run in its place.
        """
        self.apply_nodes(graph, variables, grads)
        return None

    def _update(self, graph: Graph, variables: Sequence[Variable], grads: Sequence[Tensor]) -> None:
        """Clipping, weight decay and `update_step`."""
        rate = current_rate(self, graph)
        self.begin_updates()
        for variable, grad in zip(variables, clip_gradients(self, grads), strict=True):
            factor = variable.learning_rate_factor
            if factor == 0.0:  # also for those that change parameters at a rate of 0
                continue
            own = rate if factor == 1.0 else rate * factor
            decay = None if self.decays_itself else self.decay_of(variable)
            if decay is not None:
                variable.assign(variable - variable * (decay * own))
            graph.scope = f"{self.name}/{variable.path}"
            self.update_step(grad, variable, own)
            graph.scope = None

    def begin_updates(self) -> None:
        """Called once per update before `update_step` of the parameters; does nothing by itself."""

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        """Changes one parameter by `assign`, `assign_add` or `assign_sub`.

        Args:
            gradient: Its clipped gradient, a tensor.
            variable: The parameter.
            learning_rate: A scalar.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not implement update_step(gradient, variable, "
            "learning_rate)"
        )

    def assign(self, variable: Variable, value: TensorLike) -> None:
        """variable = value"""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: TensorLike) -> None:
        """variable = variable + value"""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: TensorLike) -> None:
        """variable = variable - value"""
        variable.assign_sub(value)

    def average(self, graph: Graph) -> None:
        """With `use_ema`, makes the new averages a part of a step."""
        if not self.use_ema:
            return
        is_first = self.iterations == 0
        momentum = _where(is_first, 0.0, self.ema_momentum)
        for variable in self._trainable_variables:
            (average,) = self.slots_of(variable, "average")
            value = graph.variable(variable)
            average.assign(value + (average - value) * momentum)
        if self.ema_overwrite_frequency:
            now = (self.iterations + 1) % self.ema_overwrite_frequency == 0
            with graph.only_where(now):
                for variable in self._trainable_variables:
                    (average,) = self.slots_of(variable, "average")
                    variable.assign(average)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """With `use_ema`, the parameters become their averages; `fit` calls it at its end."""
        if not self.use_ema or not int(self._iterations):
            return
        for variable in var_list:
            if id(variable) in self._indices:
                variable.write(self.slots_of(variable, "average")[0])

    def scale_loss(self, loss: Any) -> Any:
        """The loss that is differentiated: times `loss_scale_factor`, where there is one."""
        return loss * self.loss_scale_factor if self.is_on("loss_scale_factor") else loss

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """One update of Variables or of bare NumPy arrays, in place, as one compiled program.

        Args:
            grads: One array per parameter, of its shape, or None to leave that parameter alone.
                Tensors of a program that is being made: the update becomes a part of it.
            trainable_variables: The parameters. The first call builds the optimizer on them, and
                later calls may leave them out.

        Raises:
            ValueError: Numbers or shapes do not fit, or a parameter is unknown to a built
                optimizer.
            TypeError: A bare array is not a writable, contiguous float32 or float64 array.

        Example:
            >>> import numpy as np, dlnative
            >>> w = np.array([1.0, 2.0])
            >>> dlnative.optimizers.SGD(learning_rate=0.5).apply([np.array([1.0, 1.0])], [w])
            >>> w
            array([0.5, 1.5])
        """
        from .apply import apply_update, parameters_of

        grads = list(grads)
        for grad in grads:
            if isinstance(grad, Tensor) and not isinstance(grad, ValueTensor):
                self.apply_nodes(grad.graph, parameters_of(self, grads, trainable_variables), grads)
                return
        apply_update(self, grads, trainable_variables)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> Variable:
        """`apply` on pairs (gradient, parameter); returns the number of updates so far."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def get_config(self) -> dict[str, Any]:
        """The name, the learning rate, and all options of its class and of those above."""
        config = {"name": self.name, "learning_rate": rate_config(self)}
        for cls in reversed(type(self).__mro__):
            for name, option in vars(cls).items():
                if isinstance(option, Option) and name not in config:
                    value = self.__dict__[name]
                    config[name] = list(value) if isinstance(value, tuple) else value
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Optimizer:
        """The optimizer of a configuration that `get_config` gave."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            from ..utils.serialization import deserialize_keras_object

            config["learning_rate"] = deserialize_keras_object(
                config["learning_rate"], custom_objects
            )
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _where(condition: Tensor, a: Any, b: Any) -> Tensor:
    from .. import ops

    return ops.where(condition, a, b)
