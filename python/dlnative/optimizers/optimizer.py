"""The base class of optimizers: learning rate, slots, clipping, and updates as graph nodes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..changes import Tracked, note
from ..graph.tensor import Tracing, apply
from ..hyperparameters import Number
from ..naming import auto_name
from ..utils import overrides
from ..variables import Variable, place
from .scalar import Scalar


class _LearningRate(Number):
    """The learning rate: a number-like Variable that is set by assignment."""

    def __get__(self, instance, owner=None):
        return self if instance is None else instance._learning_rate

    def __set__(self, instance, value):
        value = float(value) if isinstance(value, (Scalar, np.ndarray)) else value
        instance._learning_rate.assign(self.check(instance, self.name, value))


class Optimizer(Tracked):
    """Base class of optimizers.

    A subclass names its `slots` (arrays like the parameter, kept between updates) and gives
    `update`, which emits the op that changes one parameter. Every option may be set at any time
    between batches, `optimizer.learning_rate = 0.01`, and counts from the next update on; a slot
    that an option needs for the first time starts anew.

    Args:
        learning_rate: A number, 0 or greater.
        weight_decay: Decoupled decay (Loshchilov and Hutter 2019, "Decoupled Weight Decay
            Regularization"): p -= p * weight_decay * learning_rate before each update.
        clipnorm: Shrinks the gradient of each parameter to at most this norm.
        clipvalue: Cuts each element of the gradients to [-clipvalue, clipvalue].
        global_clipnorm: Shrinks all gradients together to at most this norm. At most one of the
            three may be given.
        name: Name; the class's in snake case by default.

    Differs from Keras: `use_ema`, `ema_momentum`, `ema_overwrite_frequency`, `loss_scale_factor`
    and `gradient_accumulation_steps` are not available and raise TypeError; `learning_rate` is a
    number (no schedule, no function). The learning rate is kept in float64, and a gradient of None
    leaves its parameter alone without a warning.
    """

    slots: tuple[str, ...] = ()

    learning_rate = _LearningRate(0.0)
    weight_decay = Number(0.0, optional=True)
    clipnorm = Number(0.0, optional=True)
    clipvalue = Number(0.0, optional=True)
    global_clipnorm = Number(0.0, optional=True)

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        name=None,
    ):
        overrides.refuse_overrides(self, overrides.OPTIMIZER)
        self.name = name or auto_name(type(self).__name__)
        self.built = False
        self._hyper = _make([0.0], "float64", "learning_rate", self.name)
        self._counter = _make([0], "int64", "iteration", self.name)
        self._learning_rate = Scalar(self._hyper)
        self._iterations = Scalar(self._counter)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self._check_clipping()
        self._trainable = []  # the parameters, in the order of `build`
        self._state = {}  # id of a parameter -> {slot name: Variable}
        self._no_decay: Any = (frozenset(), None)
        self._programs = None  # for `apply` on arrays
        self._wrapped = {}  # id of a bare array -> (the array, its Variable)

    def __getstate__(self):
        """For copies and pickles: without programs, and without keys that are addresses."""
        state = dict(self.__dict__)
        for name in ("_programs", "_wrapped", "_learning_rate", "_iterations", "_state"):
            del state[name]
        return {**state, "_slots": [self._state[id(v)] for v in self._trainable]}

    def __setstate__(self, state):
        slots = state.pop("_slots")
        self.__dict__.update(state, _programs=None, _wrapped={})
        self._learning_rate = Scalar(self._hyper)
        self._iterations = Scalar(self._counter)
        self._state = {id(v): kinds for v, kinds in zip(self._trainable, slots, strict=True)}

    def _attribute_changed(self, name, before):
        """An option has a new value: it counts from the next update on."""
        if name == "built":
            return
        try:
            self._check_clipping()
        except ValueError:
            self.__dict__[name] = before
            raise
        note()
        if self.built:
            self.build(self._trainable)

    def _check_clipping(self):
        limits = (self.clipnorm, self.clipvalue, self.global_clipnorm)
        if sum(limit is not None for limit in limits) > 1:
            raise ValueError(
                f"{type(self).__name__}: only one of clipnorm, clipvalue and global_clipnorm can "
                f"be set, received clipnorm={self.clipnorm}, clipvalue={self.clipvalue}, "
                f"global_clipnorm={self.global_clipnorm}"
            )

    @property
    def iterations(self):
        """The number of updates so far, a number-like Variable."""
        return self._iterations

    @property
    def variables(self):
        """All state, in Keras's order: iteration, learning rate, then the slots."""
        return [self._iterations, self._learning_rate, *self._slot_variables()]

    def _slot_variables(self):
        """Slots, parameter by parameter; a subclass changes the order where Keras's is another."""
        return [self._state[id(p)][name] for p in self._trainable for name in self.active_slots()]

    def set_weights(self, weights):
        """Overwrites all state; `weights` in the order of `variables`.

        Raises:
            ValueError: Number or shapes do not fit; nothing has been written.
        """
        variables = self.variables
        weights = [np.asarray(w) for w in weights]
        if [w.shape for w in weights] != [v.shape for v in variables]:
            raise ValueError(
                f"Optimizer '{self.name}': expected arrays of shapes "
                f"{[v.shape for v in variables]}, received {[w.shape for w in weights]}"
            )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def build(self, variables):
        """Makes the slots of parameters that have none yet.

        Args:
            variables: Parameters, as Variables. More can be added by a later call.
        """
        place(variables)
        known = {id(v) for v in self._trainable}
        self._trainable += [v for v in variables if id(v) not in known]
        for v in self._trainable:
            self._state.setdefault(id(v), {})
        for name in self.active_slots():
            self._make_slots(name, [v for v in self._trainable if name not in self._state[id(v)]])
        self.built = True

    def _make_slots(self, name, variables):
        """Gives each of `variables` a slot, all in one buffer, laid out as the parameters are."""
        made = [
            _make(
                self.initial(name),
                v.dtype,
                f"{v.path.replace('/', '_')}_{name}",
                self.name,
                v.shape,
            )
            for v in variables
        ]
        place(made)
        for v, slot in zip(variables, made, strict=True):
            self._state[id(v)][name] = slot

    def active_slots(self):
        """Names of the slots that these options need."""
        return self.slots

    def initial(self, slot):
        """The first value of a slot's elements."""
        return 0.0

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Leaves parameters out of weight decay.

        Args:
            var_list: Variables to leave out.
            var_names: Regular expressions; a Variable is left out where one is found in its name.
        """
        pattern = re.compile("|".join(var_names)) if var_names else None
        self._no_decay = (frozenset(id(v) for v in var_list or ()), pattern)
        note()

    def _decay(self, variable):
        ids, pattern = self._no_decay
        if (
            self.weight_decay is None
            or id(variable) in ids
            or (pattern and pattern.search(variable.name))
        ):
            return 0.0
        return self.weight_decay

    def apply_nodes(self, graph, variables, grads):
        """Emits the nodes of one update: clipping, one op per parameter, constraints, the count.

        Args:
            graph: Graph of the gradients.
            variables: Parameters, Variables that `build` has seen.
            grads: Tensors like the parameters, or None where a parameter is not to change.

        Raises:
            ValueError: No gradient is given for any parameter.
        """
        pairs = [(v, g) for v, g in zip(variables, grads, strict=True) if g is not None]
        if not pairs:
            raise ValueError(
                f"Optimizer '{self.name}': no parameter has a gradient, so nothing can be trained"
            )
        clipped = self._clip([g for _, g in pairs])
        for (variable, _), grad in zip(pairs, clipped, strict=True):
            state = self._state[id(variable)]
            slots = {name: state[name] for name in self.active_slots()}
            with Tracing(graph):
                self.update(variable, slots, grad, self._decay(variable))
        for variable, _ in pairs:
            if variable.constraint is not None:
                with Tracing(graph):
                    value = variable.constraint(graph.variable(variable))
                    what = f"the constraint of '{variable.path}'"
                    variable.assign(graph.result(value, what))
        graph_counter = graph.variable(self._counter)
        apply("increment", graph_counter)

    def _clip(self, grads):
        if self.clipnorm:
            return [apply("clip_by_norm", g, limit=self.clipnorm) for g in grads]
        if self.clipvalue:
            return [apply("clip_by_value", g, limit=self.clipvalue) for g in grads]
        if self.global_clipnorm:
            norm = apply("global_norm", *grads)
            limit = self.global_clipnorm
            return [apply("scale_by_global_norm", g, norm, limit=limit) for g in grads]
        return grads

    def update(self, variable, slots, grad, weight_decay):
        """Emits the op that changes one parameter.

        Args:
            variable: The parameter.
            slots: {slot name: Variable} of the active slots.
            grad: Its clipped gradient, a tensor.
            weight_decay: The decay of this parameter, 0 where there is none.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement update")

    def _emit(self, op, variable, slots, grad, **attributes):
        """The update op with its fixed places: slots that are not active are absent."""
        arrays = [slots.get(name) for name in self.slots]
        apply(op, variable, *arrays, grad, self._hyper, self._counter, **attributes)

    def apply(self, grads, trainable_variables=None):
        """One update of Variables or of bare NumPy arrays, in place, as one compiled program.

        Args:
            grads: One array per parameter, of its shape, or None to leave that parameter alone.
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
        from .apply import apply_update

        apply_update(self, grads, trainable_variables)

    def apply_gradients(self, grads_and_vars):
        """`apply` on pairs (gradient, parameter); returns the number of updates so far."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self.iterations

    def get_config(self):
        return {
            "name": self.name,
            "learning_rate": float(self.learning_rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
            "global_clipnorm": self.global_clipnorm,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        return (
            f"<{type(self).__name__} name={self.name} learning_rate={float(self.learning_rate):g}>"
        )


def _make(value, dtype, name, owner, shape=None):
    """A state Variable of `value`, or with `shape` one that is filled with it.

    Slots are as large as the model: their one number is only spread out when `place` gives them
    their memory, so that they are written once.
    """
    variable = Variable(value, dtype=dtype, name=name, trainable=False, path=f"{owner}/{name}")
    if shape is not None:
        variable._value = np.broadcast_to(variable.value, shape)
        variable.shape = shape
    return variable
