"""Optimizers of one's own, written as Keras documents it: in `fit`, in `apply`, on both engines."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, layers, ops, optimizers
from dlnative.hyperparameters import StepNumber
from dlnative.variables import Variable

X = np.random.default_rng(1).standard_normal((20, 3)).astype("float32")
Y = np.random.default_rng(2).standard_normal((20, 2)).astype("float32")


def momentum_of(library):
    class Momentum(library.optimizers.Optimizer):
        """SGD with momentum, in functions of Keras."""

        def __init__(self, learning_rate=0.01, momentum=0.9, **kwargs):
            super().__init__(learning_rate=learning_rate, **kwargs)
            self.momentum = momentum

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.momentums = [
                self.add_variable_from_reference(v, name="momentum") for v in variables
            ]

        def update_step(self, gradient, variable, learning_rate):
            learning_rate = ops.cast(learning_rate, variable.dtype)
            gradient = ops.cast(gradient, variable.dtype)
            m = self.momentums[self._get_variable_index(variable)]
            momentum = ops.cast(self.momentum, variable.dtype)
            self.assign(
                m, ops.subtract(ops.multiply(m, momentum), ops.multiply(gradient, learning_rate))
            )
            self.assign_add(variable, m)

        def get_config(self):
            return {**super().get_config(), "momentum": self.momentum}

    ops = library.ops
    return Momentum


def adam_of(library):
    class Adam(library.optimizers.Optimizer):
        """Adam, with `iterations` and two lists of slots; `build` without asking for `built`."""

        def build(self, variables):
            super().build(variables)
            self.m, self.v = [], []
            for variable in variables:
                self.m.append(self.add_variable_from_reference(variable, "momentum"))
                self.v.append(self.add_variable_from_reference(variable, "velocity"))

        def update_step(self, gradient, variable, learning_rate):
            step = ops.cast(self.iterations + 1, variable.dtype)
            powers = [ops.power(ops.cast(b, variable.dtype), step) for b in (0.9, 0.999)]
            alpha = (
                ops.cast(learning_rate, variable.dtype) * ops.sqrt(1 - powers[1]) / (1 - powers[0])
            )
            index = self._get_variable_index(variable)
            m, v = self.m[index], self.v[index]
            self.assign_add(m, ops.multiply(ops.subtract(gradient, m), 1 - 0.9))
            self.assign_add(v, ops.multiply(ops.subtract(ops.square(gradient), v), 1 - 0.999))
            self.assign_sub(
                variable, ops.divide(ops.multiply(m, alpha), ops.add(ops.sqrt(v), 1e-7))
            )

    ops = library.ops
    return Adam


class Alternating(optimizers.Optimizer):
    """In even steps along the gradient, in odd ones along its sign; counts by a Variable."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.count = self.add_variable((), initializer="ones", dtype="float32", name="count")
        self.first = [self.add_variable_from_reference(v, "a") for v in variables]
        self.second = [self.add_variable_from_reference(v, initializer="ones") for v in variables]
        self.third = [self.add_variable_from_reference(v) for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        if i == 0:
            self.assign_add(self.count, 1.0)
        is_odd = self.iterations % 2 == 1
        self.assign(self.first[i], ops.where(is_odd, ops.sign(gradient), gradient))
        self.second[i].assign(self.second[i] * 0.5)
        self.third[i].assign_add(self.second[i])
        self.assign_sub(variable, learning_rate * self.first[i] * self.third[i])


def alternating(w, g, s, t, lr):
    s["b"] = 0.5 * s.get("b", 1.0)
    s["c"] = s.get("c", 0.0) + s["b"]
    return w - lr * s["c"] * (np.sign(g) if t % 2 == 0 else g)


SAME = [
    (momentum_of, optimizers.SGD, {"momentum": 0.9}),
    (adam_of, optimizers.Adam, {}),
]
OPTIONS = [
    {},
    {"weight_decay": 0.1, "clipnorm": 0.5},
    {"use_ema": True, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 2},
]


def trained(optimizer):
    model = Sequential([Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)])
    rng = np.random.default_rng(4)
    model.set_weights([rng.standard_normal(v.shape) for v in model.weights])
    model.compile(optimizer, "mse")
    for epochs in (2, 1):
        model.fit(X, Y, epochs=epochs, batch_size=8, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "decay", "average"])
@pytest.mark.parametrize(("own", "builtin", "settings"), SAME)
def test_as_the_builtin_in_fit(own, builtin, settings, options, engine):
    with dlnative.engine(engine):
        ours, theirs = (
            trained(own(dlnative)(0.05, **options)),
            trained(builtin(0.05, **settings, **options)),
        )
    state = [[v.numpy() for v in model.optimizer.variables] for model in (ours, theirs)]
    assert [a.shape for a in state[0][:3]] == [b.shape for b in state[1][:3]]
    assert len(state[0]) == len(state[1])
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-6)
    by_size = [sorted(each[2:], key=lambda a: (a.shape, a.sum())) for each in state]
    for a, b in zip(*by_size, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("own", [momentum_of, adam_of])
def test_as_keras_runs_it(keras, own, rng):
    shapes = [(3, 2), (2,)]
    values = [rng.normal(size=s).astype("float32") for s in shapes]
    ours, theirs = own(dlnative)(0.05), own(keras)(0.05)
    a = [Variable(v, name=f"v{i}") for i, v in enumerate(values)]
    b = [keras.Variable(v, name=f"v{i}") for i, v in enumerate(values)]
    for _ in range(5):
        grads = [rng.normal(size=s).astype("float32") for s in shapes]
        ours.apply(grads, a)
        theirs.apply([keras.ops.convert_to_tensor(g) for g in grads], b)
    for x, y in zip([*a, *ours.variables], [*b, *theirs.variables], strict=True):
        np.testing.assert_allclose(x.numpy(), np.asarray(y), rtol=1e-5, atol=1e-6)
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]


def test_one_of_its_own_by_its_formula(rng):
    arrays = [rng.normal(size=s) for s in [(3, 2), (2,)]]
    expected, slots = [a.copy() for a in arrays], [{}, {}]
    optimizer = Alternating(0.05)
    for step in range(6):
        grads = [rng.normal(size=a.shape) for a in arrays]
        optimizer.apply(grads, arrays)
        for i, g in enumerate(grads):
            expected[i] = alternating(expected[i], g, slots[i], step + 1, 0.05)
            np.testing.assert_allclose(arrays[i], expected[i], rtol=1e-12)
    assert optimizer.count.numpy() == 7


def test_state_stays_where_build_runs_again(rng):
    """After an option has changed and with more parameters; two slots of one name stay two."""
    first, second = Variable(rng.normal(size=2), name="a"), Variable(rng.normal(size=3), name="b")
    optimizer = Alternating(0.5)
    optimizer.apply([np.ones(2)], [first])
    state = [(v, v.numpy()) for v in optimizer.variables]
    optimizer.use_ema = True
    optimizer.prepare([first, second])
    assert [v.name for v in optimizer.variables] == [
        *("iteration", "learning_rate", "a_average", "b_average", "count"),
        *("a_a", "b_a", "a_var", "b_var", "a_var", "b_var"),
    ]
    for variable, value in state:
        assert any(v is variable for v in optimizer.variables)
        np.testing.assert_array_equal(variable.numpy(), value)
    assert optimizer.second[0] is not optimizer.third[0]
    optimizer.apply([np.ones(2), np.ones(3)], [first, second])
    np.testing.assert_array_equal(optimizer.third[0].numpy(), [0.75, 0.75])
    np.testing.assert_array_equal(optimizer.third[1].numpy(), [0.5, 0.5, 0.5])


def test_an_average_that_begins_later_begins_at_the_parameters():
    w = Variable(np.ones(2), dtype="float64", name="w")
    optimizer = optimizers.SGD(1.0)
    optimizer.apply([np.full(2, -1.0)], [w])
    optimizer.use_ema = True
    optimizer.ema_momentum = 0.5
    optimizer.apply([np.full(2, -1.0)], [w])
    np.testing.assert_array_equal(optimizer.variables[-1].numpy(), [2.5, 2.5])
    optimizer.finalize_variable_values([w])
    np.testing.assert_array_equal(w.numpy(), [2.5, 2.5])


def test_a_build_that_does_not_call_the_base_class():
    class Bad(optimizers.Optimizer):
        def build(self, variables):
            self.slots = []

    with pytest.raises(RuntimeError, match=r"Bad: its build\(variables\) must call super"):
        Bad(0.1).apply([np.ones(2)], [np.ones(2)])


class Bounded(optimizers.Optimizer):
    """Two numbers of the step, of which one must be less than the other."""

    low = StepNumber(0.0)
    high = StepNumber(0.0)

    def __init__(self, learning_rate=1.0, low=0.25, high=0.5, **options):
        super().__init__(learning_rate, **options)
        self.low = low
        self.high = high

    def _check_options(self):
        super()._check_options()
        low, high = self.__dict__.get("low"), self.__dict__.get("high")
        if low is not None and high is not None and low >= high:
            raise ValueError(f"expected low < high, received {low} and {high}")

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * self.low * gradient)


def test_an_option_that_is_refused_is_what_it_was_in_programs_too():
    optimizer, w = Bounded(), np.array([1.0])
    optimizer.apply([np.ones(1)], [w])
    with pytest.raises(ValueError, match="low < high"):
        optimizer.low = 4.0
    assert optimizer.low == 0.25
    optimizer.apply([np.ones(1)])
    assert w.tolist() == [0.5]
