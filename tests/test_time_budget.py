"""`fit(max_seconds=...)`: the run ends in time, and is that of as many steps without a budget."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest

import dlnative
from dlnative import callbacks
from dlnative.models import budget
from dlnative.optimizers import schedules

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6)).astype("float32")
Y = RNG.normal(size=(300, 2)).astype("float32")
TEST = (X[:90], Y[:90])


def make(optimizer="adam"):
    dlnative.utils.set_random_seed(3)
    model = dlnative.Sequential(
        [
            dlnative.Input((6,)),
            dlnative.layers.Dense(16, activation="relu"),
            dlnative.layers.BatchNormalization(),
            dlnative.layers.Dropout(0.5),
            dlnative.layers.Dense(2),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def everything(model):
    return [*model.get_weights(), *(np.array(v.value) for v in model.optimizer.variables)]


def same(a, b):
    for x, y in zip(everything(a), everything(b), strict=True):
        np.testing.assert_array_equal(x, y)


def of_length(monkeypatch, whole, rest):
    """From here on a budget is so many epochs and steps, whatever was measured."""
    monkeypatch.setattr(budget.Budget, "_count", lambda self, seconds: (whole, rest))


OPTIONS = [{}, {"validation_data": TEST}, {"shuffle": False}, {"on_nonfinite": "skip"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("whole", "rest"), [(3, 0), (2, 4), (0, 7)])
def test_the_same_bits_as_without_a_budget(monkeypatch, options, whole, rest):
    of_length(monkeypatch, whole, rest)
    model = make()
    fitted = model.fit(X, Y, verbose=0, max_seconds=1.0, **options)
    other = make()
    expected = other.fit(X, Y, verbose=0, epochs=whole, **options)
    if rest:
        more = other.fit(
            X, Y, verbose=0, epochs=whole + 1, initial_epoch=whole, steps_per_epoch=rest,
            batch_size=32, **options,
        )  # fmt: skip
        for name, values in more.history.items():
            expected.history.setdefault(name, []).extend(values)
    assert fitted.history == expected.history
    assert int(model.optimizer.iterations) == whole * 10 + rest
    same(model, other)
    same_after = [m.fit(X, Y, verbose=0).history for m in (model, other)]
    assert same_after[0] == same_after[1]


class OwnStep(dlnative.Model):
    """A step of its own, with an optimizer of its own."""

    def __init__(self):
        super().__init__()
        self.dense = dlnative.layers.Dense(2)
        self.noise = dlnative.layers.Dropout(0.3)
        self.other = dlnative.optimizers.Adam(0.01)

    def call(self, x, training=None):
        return self.dense(self.noise(x, training=training))

    def train_step(self, data):
        x, y = data

        def loss_of_batch():
            return dlnative.ops.mean((self(x, training=True) - y) ** 2)

        variables = self.trainable_variables
        loss, gradients = dlnative.value_and_grad(loss_of_batch, variables)()
        self.other.apply(gradients, variables)
        return {"loss": loss}


def own_step(**options):
    dlnative.utils.set_random_seed(3)
    model = OwnStep()
    model.compile("sgd", "mse", **options)
    return model


def frozen():
    model = make()
    model.layers[0].trainable = False
    return model


def constrained():
    model = make()
    limit = {"small": lambda model: dlnative.ops.max(model.layers[0].kernel) - 0.2}
    model.compile("sgd", "mse", inequality=limit, constraint_period=5)
    return model


PAIRS = {
    "averages": lambda: make(dlnative.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)),
    "accumulation": lambda: make(dlnative.optimizers.Adam(gradient_accumulation_steps=3)),
    "step of its own": own_step,
    "frozen": frozen,
    "constraints": constrained,
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name", PAIRS)
def test_what_is_measured_is_undone(monkeypatch, name, engine):
    """Slots, averages, multipliers, seeds and sums of metrics."""
    of_length(monkeypatch, 3, 0)
    with dlnative.config.engine(engine):
        model, other = PAIRS[name](), PAIRS[name]()
        fitted = model.fit(X, Y, verbose=0, max_seconds=0.5)
        expected = other.fit(X, Y, verbose=0, epochs=3)
    assert fitted.history == expected.history
    same(model, other)
    first, second = (m.predict(X, verbose=0) for m in (model, other))
    np.testing.assert_array_equal(first, second)


def test_a_step_that_runs_op_by_op():
    """What the code of users does there cannot be undone."""
    with pytest.raises(NotImplementedError, match="expected a compiled step, .* that of OwnStep"):
        own_step(run_eagerly=True).fit(X, Y, verbose=0, max_seconds=1.0)


def test_lbfgs(monkeypatch):
    of_length(monkeypatch, 4, 0)
    models = [make(dlnative.optimizers.LBFGS()) for _ in range(2)]
    models[0].fit(X, Y, batch_size=300, verbose=0, max_seconds=0.5)
    models[1].fit(X, Y, batch_size=300, verbose=0, epochs=4)
    same(*models)


SCHEDULES = {
    "cosine": (
        lambda n: schedules.CosineDecay(0.1, n, alpha=0.1),
        lambda n: 0.01,
    ),
    "cosine, warm-up": (
        lambda n: schedules.CosineDecay(0.0, n - 4, warmup_target=0.1, warmup_steps=4),
        lambda n: 0.0,
    ),
    "polynomial": (lambda n: schedules.PolynomialDecay(0.1, n, 0.02), lambda n: 0.02),
    "one cycle": (lambda n: schedules.OneCycle(0.1, n), lambda n: 0.1 / 25 / 1e4),
    "warm-up": (
        lambda n: schedules.LinearWarmup(schedules.PolynomialDecay(0.1, n - 5, 0.0), 5),
        lambda n: 0.0,
    ),
    "joined": (
        lambda n: schedules.Joined([0.1, schedules.CosineDecay(0.1, n - 3)], [3]),
        lambda n: 0.0,
    ),
    "without an end": (
        lambda n: schedules.ExponentialDecay(0.1, 10, 0.5),
        lambda n: 0.1 * 0.5 ** (n / 10),
    ),
    "again and again": (
        lambda n: schedules.PolynomialDecay(0.1, 15, 0.0, cycle=True),
        None,
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("begun", [0, 2])
def test_schedules_end_with_the_last_step(monkeypatch, name, begun):
    """As if they had been made for the number of steps; that of the user stays as it is."""
    make_schedule, last = SCHEDULES[name]
    of_length(monkeypatch, 2, 3)
    steps = 23 + begun
    given = make_schedule(500)
    before = given.get_config()
    model, other = (make(dlnative.optimizers.SGD(s)) for s in (given, make_schedule(steps)))
    for _ in range(begun):
        for each in (model, other):
            each.optimizer.learning_rate = make_schedule(steps)
            each.train_on_batch(X[:30], Y[:30])
    model.optimizer.learning_rate = given
    model.fit(X, Y, batch_size=30, verbose=0, max_seconds=1.0)
    other.fit(X, Y, batch_size=30, epochs=2, verbose=0)
    other.fit(X, Y, batch_size=30, epochs=3, initial_epoch=2, steps_per_epoch=3, verbose=0)
    same(model, other)
    assert given.get_config() == before
    if last is not None:
        assert float(model.optimizer.learning_rate) == pytest.approx(last(steps), abs=1e-9)


def test_a_schedule_that_is_too_long(monkeypatch):
    of_length(monkeypatch, 0, 3)
    schedule = schedules.CosineDecay(0.0, 100, warmup_target=0.1, warmup_steps=40)
    model = make(dlnative.optimizers.SGD(schedule))
    weights = everything(model)
    with pytest.raises(ValueError, match="enough for 3 steps, too few for the schedule"):
        model.fit(X, Y, verbose=0, max_seconds=1.0)
    assert model.optimizer._learning_rate is schedule
    for a, b in zip(weights, everything(model), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:fit. max_seconds:UserWarning")  # others share the machine
@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("validated", [False, True])
def test_the_run_ends_in_time(hooked, validated):
    seen = []
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    x, y = np.tile(X, (20, 1)), np.tile(Y, (20, 1))
    model = make()
    model.fit(x[:64], y[:64], verbose=0)  # so that compiling is no large share of the time
    begun = time.perf_counter()
    fitted = model.fit(
        x,
        y,
        verbose=0,
        max_seconds=1.5,
        validation_data=(x, y) if validated else None,
        callbacks=[note] if hooked else [],
    )
    seconds = time.perf_counter() - begun
    assert 0.1 < seconds < 2.0  # others share the machine, so that neither bound can be tight
    assert int(model.optimizer.iterations) > 20
    assert 0 < len(fitted.epoch) <= fitted.params["epochs"]
    if hooked:
        assert len(seen) == int(model.optimizer.iterations) - 2


@pytest.mark.parametrize("hooked", [False, True])
def test_steps_that_become_slower_end_in_time(hooked, monkeypatch):
    """With a warning, as a schedule has not come to its end."""
    of_length(monkeypatch, 100_000, 0)
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    model = make()
    begun = time.perf_counter()
    with pytest.warns(UserWarning, match=r"max_seconds=0.8 were over after \d+ of 1000000 steps"):
        fitted = model.fit(X, Y, verbose=0, max_seconds=0.8, callbacks=[note] * hooked)
    assert time.perf_counter() - begun < 1.3
    assert len(fitted.epoch) == len(fitted.history["loss"]) > 1


def test_an_epoch_that_takes_longer_than_the_budget(monkeypatch):
    """It ends within, and is not that of data that ran out."""
    of_length(monkeypatch, 1, 0)
    x, y = np.tile(X, (2000, 1)), np.tile(Y, (2000, 1))
    model = make()
    with pytest.warns(UserWarning, match=r"over after \d+ of 600000 steps") as said:
        fitted = model.fit(x, y, batch_size=1, verbose=0, max_seconds=0.5)
    assert len(said) == 1
    assert len(fitted.epoch) == 1 and 0 < int(model.optimizer.iterations) < 600_000


def test_callbacks_see_only_the_run(monkeypatch):
    of_length(monkeypatch, 1, 2)
    calls = []
    note = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: calls.append(epoch),
        on_train_batch_end=lambda batch, logs: calls.append(("batch", batch)),
        on_test_end=lambda logs: calls.append("test"),
    )
    model = make()
    fitted = model.fit(
        X, Y, batch_size=100, verbose=0, max_seconds=1.0, initial_epoch=4,
        callbacks=[note], validation_data=TEST,
    )  # fmt: skip
    batches = [("batch", n) for n in range(3)]
    assert calls == [4, *batches, "test", 5, *batches[:2], "test"]
    assert fitted.params["epochs"] == 6 and fitted.params["steps"] == 3
    assert model.history is fitted


@pytest.mark.parametrize("freq", [1, 2, 3, [1, 5, 6]])
@pytest.mark.parametrize("first", [0, 4])
def test_how_many_steps_there_is_time_for(freq, first):
    """Against a walk from epoch to epoch."""

    class Options:
        initial_epoch = first
        validation_freq = set(freq) if isinstance(freq, list) else freq

    planned = object.__new__(budget.Budget)
    planned._options, planned._tester, planned._length = Options, "there", 10
    planned._batches = 10
    planned._step, planned._epoch, planned._validation = 1.0, 2.0, 5.0

    def validates(epoch):
        return epoch + 1 in freq if isinstance(freq, list) else (epoch + 1) % freq == 0

    for seconds in np.arange(0.5, 120.0, 0.7):
        left, epoch = seconds, first
        while left >= 12.0 + 5.0 * validates(epoch):
            left -= 12.0 + 5.0 * validates(epoch)
            epoch += 1
        rest = max(0, min(9, int(left - 2.0 - 5.0 * validates(epoch))))
        assert planned._count(seconds) == (epoch - first, rest), seconds


@pytest.mark.parametrize("length", [3, 4, 10, 11])
@pytest.mark.parametrize("seconds", [40.0, 70.0, 91.0])
def test_epochs_that_do_not_divide_the_data(monkeypatch, length, seconds):
    """The last epoch of a pass is shorter, with Keras's warning; the number of steps is right."""
    count = budget.Budget._count

    def counted(self, left):
        self._step, self._epoch = 1.0, 2.0
        return count(self, seconds)

    monkeypatch.setattr(budget.Budget, "_count", counted)
    monkeypatch.setattr(budget, "LAST", -1e6)  # as if there were time for steps of a second
    schedule = schedules.PolynomialDecay(0.1, 7, 0.0)
    model = make(dlnative.optimizers.SGD(schedule))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* ran out of data")
        fitted = model.fit(X, Y, verbose=0, max_seconds=1.0, steps_per_epoch=length, batch_size=32)
    steps = int(model.optimizer.iterations)
    assert float(model.optimizer.learning_rate) == 0.0
    assert model.optimizer._learning_rate.decay_steps == steps
    assert steps + 2 * len(fitted.epoch) in (int(seconds), int(seconds) - 1, int(seconds) - 2)


def generator():
    while True:
        yield X[:10], Y[:10]


def test_what_is_refused():
    model = make()
    for value, error in (
        (0, ValueError),
        (-1.0, ValueError),
        (np.inf, ValueError),
        ("1", TypeError),
    ):
        with pytest.raises(error, match="max_seconds"):
            model.fit(X, Y, max_seconds=value, verbose=0)
    with pytest.raises(ValueError, match="expected epochs to be left out"):
        model.fit(X, Y, max_seconds=1.0, epochs=3, verbose=0)
    with pytest.raises(ValueError, match="expected x to be arrays"):
        model.fit(generator(), max_seconds=1.0, steps_per_epoch=3, verbose=0)
    with pytest.raises(ValueError, match="expected validation_data to be arrays"):
        model.fit(X, Y, max_seconds=1.0, validation_data=generator(), validation_steps=2, verbose=0)
    before = everything(model)
    with pytest.raises(ValueError, match="are not enough: compiling and measuring took"):
        model.fit(X, Y, max_seconds=1e-6, verbose=0)
    for a, b in zip(before, everything(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(model.optimizer.iterations) == 0


def test_it_says_how_long_it_is_going_to_be(monkeypatch, capsys):
    of_length(monkeypatch, 1, 2)
    make().fit(X, Y, max_seconds=2.0, verbose=2)
    text = capsys.readouterr().out.splitlines()
    assert text[0] == "12 steps in 2 s, in epochs of 10"
    assert [line.split(" - ")[0] for line in text[1:]] == ["Epoch 1/2", "Epoch 2/2"]
