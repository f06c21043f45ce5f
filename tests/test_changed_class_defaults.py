"""What is set on an instance counts, also where it hides a value of the class or is new."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import changes, layers, ops

X = np.arange(16, dtype="float32").reshape(8, 2) / 8
Y = np.zeros((8, 1), "float32")


class OfClass:
    """A number that the class has."""

    factor = 1.0

    def number(self):
        return self.factor


class Asked:
    """A number that need not be there."""

    def number(self):
        return getattr(self, "factor", 1.0)


class Behind:
    """A number behind a property."""

    _factor = 1.0

    @property
    def factor(self):
        return self._factor

    @factor.setter
    def factor(self, value):
        self._factor = value

    def number(self):
        return self.factor


class Called:
    """A number that a method gives, which an instance may have another one of."""

    def number(self):
        return 1.0


class Loss(dlnative.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1) * self.number()


class Optimizer(dlnative.optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, gradient * learning_rate * self.number())


class Schedule(dlnative.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1 * self.number() / (step + 1)


class Regularizer(dlnative.regularizers.Regularizer):
    def __call__(self, w):
        return ops.sum(ops.square(w)) * self.number()


class Constraint(dlnative.constraints.Constraint):
    def __call__(self, w):
        return w * self.number()


class Metric(dlnative.metrics.Metric):
    def __init__(self):
        super().__init__(name="total")
        self.total = self.add_weight(name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(ops.square(y_pred)) * self.number())

    def result(self):
        return self.total.numpy()


class Reported(dlnative.metrics.Metric):
    """A metric whose result has the number."""

    def __init__(self):
        super().__init__(name="total")
        self.total = self.add_weight(name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(ops.square(y_pred)))

    def result(self):
        return self.total * self.number()


class Stepped(dlnative.Sequential):
    """A model whose step uses the result of its metric."""

    def train_step(self, data):
        logs = super().train_step(data)
        (metric,) = (m for m in self.metrics if m.name == "compile_metrics")
        logs["doubled"] = 2.0 * metric.metrics[0].result()
        return logs


def optimizer_of(part):
    if isinstance(part, Optimizer):
        return part
    return dlnative.optimizers.SGD(part if isinstance(part, Schedule) else 0.1)


def model_with(part, eager=False, kind=dlnative.Sequential):
    def given(base, other=None):
        return part if isinstance(part, base) else other

    model = kind(
        [
            dlnative.Input((2,)),
            layers.Dense(
                1,
                use_bias=False,
                kernel_initializer="ones",
                kernel_regularizer=given(Regularizer),
                kernel_constraint=given(Constraint),
            ),
        ]
    )
    metrics = [part] if isinstance(part, dlnative.metrics.Metric) else None
    loss = given(Loss, "mse")
    model.compile(optimizer_of(part), loss, metrics=metrics, run_eagerly=eager)
    return model


def trained(part, change, **options):
    """Weights and logs after an epoch, a change, and another one."""
    model = model_with(part, **options)
    model.fit(X, Y, verbose=0)
    change(part)
    logs = model.fit(X, Y, verbose=0).history
    return [*model.get_weights(), *(logs[name] for name in sorted(logs))]


def set_number(part):
    if isinstance(part, Called):
        part.number = lambda: 0.25
    else:
        part.factor = 0.25


BASES = [Loss, Optimizer, Schedule, Regularizer, Constraint, Metric]


def made(number, base):
    kind = type(f"{number.__name__}{base.__name__}", (number, base), {})
    return kind(0.1) if base is Optimizer else kind()


@pytest.mark.parametrize("number", [OfClass, Asked, Behind, Called])
@pytest.mark.parametrize("base", BASES)
def test_what_is_set_after_training_counts(number, base):
    compiled = trained(made(number, base), set_number)
    eager = trained(made(number, base), set_number, eager=True)
    unchanged = trained(made(number, base), lambda part: None)
    for a, b in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert any(not np.allclose(a, b) for a, b in zip(compiled, unchanged, strict=True))


@pytest.mark.parametrize("base", BASES)
def test_what_is_deleted_is_that_of_the_class_again(base):
    def part_with(value):
        part = made(OfClass, base)
        part.factor = value
        return part

    def delete(part):
        del part.factor

    compiled = trained(part_with(0.25), delete)
    for a, b in zip(compiled, trained(part_with(0.25), delete, eager=True), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    kept = trained(part_with(0.25), lambda part: None)
    assert any(not np.allclose(a, b) for a, b in zip(compiled, kept, strict=True))


def test_a_number_of_a_result_that_a_step_uses_counts():
    results = [
        trained(made(OfClass, Reported), set_number, eager=eager, kind=Stepped)
        for eager in (False, True)
    ]
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_a_number_of_its_own(copied):
    loss = Kept()
    model = model_with(loss)
    model.fit(X, Y, verbose=0)
    other = copied(model)
    other.fit(X, Y, verbose=0)
    model.fit(X, Y, verbose=0)
    loss.factor = 0.0
    for each in (model, other):
        before = each.get_weights()[0]
        each.fit(X, Y, verbose=0)
        assert np.array_equal(each.get_weights()[0], before) == (each is model)


class Kept(OfClass, Loss):
    """A loss that a pickle finds."""


def test_what_is_new_before_the_first_program_is_no_change():
    before = changes.count()
    for base in BASES:
        part = made(OfClass, base)
        part.factor, part.other = 0.5, 1.0
    assert changes.count() == before
