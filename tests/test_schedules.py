"""Learning rate schedules: Keras's numbers and configurations, and what they do in training."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dlnative
from dlnative import callbacks, ops, optimizers
from dlnative.optimizers import schedules

STEPS = np.arange(200)

# class of Keras, arguments
KERAS = [
    ("ExponentialDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.9}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 2.0, "decay_steps": 30, "decay_rate": 0.5, "staircase": True},
    ),
    ("InverseTimeDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.9}),
    (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.3, "decay_steps": 8, "decay_rate": 2.5, "staircase": True},
    ),
    ("PiecewiseConstantDecay", {"boundaries": [10, 20, 150], "values": [1.0, 0.5, 0.7, 0.1]}),
    ("PiecewiseConstantDecay", {"boundaries": [0], "values": [0.125, 0.25], "name": "own"}),
    ("PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 64}),
    (
        "PolynomialDecay",
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 32,
            "end_learning_rate": 0.4,
            "power": 0.5,
            "cycle": True,
        },
    ),
    ("CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 150, "alpha": 0.25}),
    (
        "CosineDecay",
        {
            "initial_learning_rate": 0.1,
            "decay_steps": 100,
            "alpha": 0.1,
            "warmup_target": 0.7,
            "warmup_steps": 31,
        },
    ),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 100, "warmup_target": 0.7}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 16}),
    (
        "CosineDecayRestarts",
        {
            "initial_learning_rate": 0.3,
            "first_decay_steps": 32,
            "t_mul": 1.0,
            "m_mul": 0.5,
            "alpha": 0.125,
        },
    ),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.3, "first_decay_steps": 11, "t_mul": 1.7, "m_mul": 1.5},
    ),
]
IDS = [f"{name} {i}" for i, (name, _) in enumerate(KERAS)]

OWN = [
    schedules.LinearWarmup(schedules.CosineDecay(0.5, 100, alpha=0.1), 20, 0.05),
    schedules.LinearWarmup(0.25, 7.5),
    schedules.OneCycle(0.5, 150, anneal="linear", three_phase=True),
    schedules.OneCycle(0.5, 120),
    schedules.Joined([0.1, schedules.ExponentialDecay(0.5, 10, 0.5), 0.2], [10, 60], "own"),
]


@pytest.fixture(scope="module")
def rates_of_keras(keras):
    """The rates of KERAS at STEPS, (cases, steps), compiled at once: step by step takes minutes."""
    import jax

    theirs = [getattr(keras.optimizers.schedules, name)(**options) for name, options in KERAS]
    return np.array(jax.jit(jax.vmap(lambda step: [t(step) for t in theirs]))(STEPS))


@pytest.mark.parametrize("case", range(len(KERAS)), ids=IDS)
def test_numbers_and_configurations_are_those_of_keras(keras, rates_of_keras, case):
    name, options = KERAS[case]
    ours = getattr(schedules, name)(**options)
    theirs = getattr(keras.optimizers.schedules, name)(**options)
    rates = ours(STEPS)
    assert rates.dtype == np.float64
    np.testing.assert_allclose(rates, rates_of_keras[case], rtol=2e-6, atol=1e-6)
    assert [ours(int(step)) for step in STEPS] == rates.tolist()
    assert all(isinstance(ours(step), float) for step in (3, np.int64(3), np.array(3)))

    record = schedules.serialize(ours)
    assert record == keras.optimizers.schedules.serialize(theirs)
    assert keras.optimizers.schedules.deserialize(record).get_config() == theirs.get_config()
    back = schedules.deserialize(keras.optimizers.schedules.serialize(theirs))
    assert type(back) is type(ours)
    assert back.get_config() == ours.get_config()


def test_defaults_are_those_of_keras(keras):
    import inspect

    for name in {name for name, _ in KERAS}:
        ours = inspect.signature(getattr(schedules, name))
        theirs = inspect.signature(getattr(keras.optimizers.schedules, name))
        assert [(p.name, p.default) for p in ours.parameters.values()] == [
            (p.name, p.default) for p in theirs.parameters.values()
        ]


def test_optimizers_with_schedules_are_read_by_either_library(keras):
    ours = optimizers.Adam(schedules.CosineDecay(0.1, 50, warmup_target=0.2, warmup_steps=5))
    theirs = keras.optimizers.deserialize(optimizers.serialize(ours))
    record = keras.optimizers.serialize(theirs)
    assert (
        record["config"]["learning_rate"] == optimizers.serialize(ours)["config"]["learning_rate"]
    )
    back = optimizers.deserialize(record)
    assert back.get_config() == ours.get_config()
    assert float(back.learning_rate) == 0.1
    own = optimizers.SGD(OWN[4])
    same = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(own))))
    np.testing.assert_array_equal(same._learning_rate(STEPS), OWN[4](STEPS))


@pytest.mark.parametrize(
    "schedule", OWN, ids=[f"{type(s).__name__} {i}" for i, s in enumerate(OWN)]
)
def test_own_schedules_survive_their_configurations(schedule):
    record = json.loads(json.dumps(schedules.serialize(schedule)))
    same = schedules.deserialize(record)
    assert schedules.serialize(same) == schedules.serialize(schedule)
    np.testing.assert_array_equal(same(STEPS), schedule(STEPS))
    assert [schedule(int(step)) for step in STEPS] == schedule(STEPS).tolist()


def test_restarts_begin_at_their_step():
    """Also where log(1 + elapsed * (t_mul - 1)) / log(t_mul) is rounded below an integer."""
    for growth in (1.1, 1.5, 2.0, 3.0):
        rate = schedules.CosineDecayRestarts(1.0, 10.0, t_mul=growth, m_mul=0.5)
        starts = [10.0 * sum(growth**k for k in range(i)) for i in range(1, 12)]
        if growth in (1.5, 2.0, 3.0):  # the starts are exact
            assert rate(np.array(starts)).tolist() == [0.5**i for i in range(1, 12)]
        before = rate(np.array(starts) * (1 - 1e-12))
        np.testing.assert_allclose(before, 0.0, atol=1e-12)


def test_warm_up_and_joined_count_the_steps_of_their_parts():
    decay = schedules.PolynomialDecay(0.5, 40, 0.0)
    warm = schedules.LinearWarmup(decay, 20, initial_learning_rate=0.1)
    assert warm(0) == 0.1
    np.testing.assert_allclose(warm(STEPS[:20]), 0.1 + 0.4 * STEPS[:20] / 20, rtol=1e-15)
    np.testing.assert_array_equal(warm(STEPS[20:]), decay(STEPS[:180]))
    joined = schedules.Joined([decay, 0.25, decay], [10, 15])
    parts = [decay(STEPS[:10]), np.full(5, 0.25), decay(STEPS[:185])]
    np.testing.assert_array_equal(joined(STEPS), np.concatenate(parts))


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("anneal", ["cosine", "linear"])
def test_one_cycle_is_that_of_pytorch(anneal, three_phase):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.7,
        total_steps=120,
        pct_start=0.2,
        anneal_strategy={"cosine": "cos"}.get(anneal, anneal),
        div_factor=10.0,
        final_div_factor=50.0,
        three_phase=three_phase,
    )
    expected = [theirs.get_last_lr()[0]]
    for _ in range(119):
        optimizer.step()
        theirs.step()
        expected.append(theirs.get_last_lr()[0])
    ours = schedules.OneCycle(0.7, 120, 0.2, anneal, 10.0, 50.0, three_phase)
    np.testing.assert_allclose(ours(STEPS[:120]), expected, rtol=1e-12)
    assert ours(500) == pytest.approx(expected[-1])


S = schedules
REFUSED = [
    (lambda: S.ExponentialDecay(0.1, 0, 0.9), ValueError, "decay_steps greater than 0, received 0"),
    (lambda: S.InverseTimeDecay(0.1, -1, 0.9), ValueError, "decay_steps"),
    (lambda: S.PolynomialDecay(0.1, 0), ValueError, "decay_steps"),
    (lambda: S.CosineDecay(0.1, 0), ValueError, "decay_steps"),
    (lambda: S.CosineDecayRestarts(0.1, 0), ValueError, "first_decay_steps"),
    (lambda: S.CosineDecayRestarts(0.1, 5, t_mul=0.5), ValueError, "t_mul of at least 1"),
    (lambda: S.CosineDecay("0.1", 5), TypeError, "initial_learning_rate to be a number"),
    (lambda: S.CosineDecay(-0.1, 5), ValueError, "initial_learning_rate of at least 0"),
    (lambda: S.CosineDecay(0.1, 5, warmup_target=np.nan), ValueError, "warmup_target"),
    (lambda: S.PiecewiseConstantDecay([5], [1.0]), ValueError, "1 boundaries and 1 values"),
    (lambda: S.PiecewiseConstantDecay([5, 5], [1.0] * 3), ValueError, "increasing"),
    (lambda: S.PiecewiseConstantDecay([], [1.0]), ValueError, "increasing"),
    (lambda: S.PiecewiseConstantDecay([5], [1.0, -1.0]), ValueError, "values of at least 0"),
    (lambda: S.LinearWarmup("cosine", 5), TypeError, "a schedule or a number"),
    (lambda: S.LinearWarmup(-1.0, 5), ValueError, "schedule of at least 0"),
    (lambda: S.Joined([0.1, lambda step: step], [5]), TypeError, "a schedule or a number"),
    (lambda: S.Joined([0.1, 0.2], [5, 6]), ValueError, "2 schedules and 2 boundaries"),
    (lambda: S.OneCycle(0.1, 3), ValueError, "steps=3"),
    (lambda: S.OneCycle(0.1, 100, 0.6, three_phase=True), ValueError, "warmup_fraction=0.6"),
    (lambda: S.OneCycle(0.1, 100, anneal="cos"), ValueError, "'cosine' or 'linear'"),
    (lambda: S.deserialize({"class_name": "Cosine", "config": {}}), ValueError, "CosineDecay"),
]


@pytest.mark.parametrize(("make", "error", "words"), REFUSED, ids=[row[2] for row in REFUSED])
def test_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


# --- in training ----------------------------------------------------------------------------------


def small_model(learning_rate, optimizer=optimizers.SGD, **options):
    model = dlnative.Sequential(
        [dlnative.Input((3,)), dlnative.layers.Dense(2, kernel_initializer="ones")]
    )
    model.compile(optimizer(learning_rate, **options), "mse")
    return model


@pytest.fixture
def data(rng):
    x = rng.normal(size=(8, 3)).astype("float32")
    return x, rng.normal(size=(8, 2)).astype("float32")


class Rates(callbacks.Callback):
    """The learning rate of each step, as it reads before it."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


class Given(callbacks.Callback):
    """Sets the learning rate of each step."""

    def __init__(self, rates):
        super().__init__()
        self.rates = iter(rates)

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = next(self.rates)


class Halving(schedules.LearningRateSchedule):
    """A schedule of a user's: falls at every fifth step."""

    def __call__(self, step):
        return 0.1 * 0.5 ** ops.floor(step / 5)


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_fit_is_that_with_the_same_rates_set_by_hand(data, engine):
    x, y = 0.25 * data[0], data[1]
    every = [getattr(schedules, name)(**options) for name, options in KERAS]
    if engine == "numpy":
        every = every[::4]
    for schedule in (*every, *OWN, Halving()):
        with dlnative.engine(engine):
            model, by_hand = small_model(schedule), small_model(1.0)
            seen = Rates()
            options = {"batch_size": 4, "epochs": 20, "shuffle": False, "verbose": 0}
            model.fit(x, y, callbacks=[seen], **options)
            if isinstance(schedule, Halving):
                assert seen.rates == [0.1 * 0.5 ** (step // 5) for step in range(40)]
            else:
                assert seen.rates == [schedule(step) for step in range(40)]
            by_hand.fit(x, y, callbacks=[Given(seen.rates)], **options)
        for ours, expected in zip(model.get_weights(), by_hand.get_weights(), strict=True):
            assert np.isfinite(ours).all()
            np.testing.assert_array_equal(ours, expected, err_msg=repr(schedule))


def test_reading_and_setting_a_scheduled_rate(data):
    model = small_model(schedules.ExponentialDecay(0.5, 4, 0.25))
    optimizer = model.optimizer
    assert float(optimizer.learning_rate) == 0.5
    model.fit(*data, batch_size=2, verbose=0)
    assert float(optimizer.learning_rate) == 0.125
    assert [v.name for v in optimizer.variables][:1] == ["iteration"]
    with pytest.raises(TypeError, match="is a schedule and cannot be set to a number"):
        optimizer.learning_rate = 0.1
    assert float(optimizer.learning_rate) == 0.125
    before = model.get_weights()
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([3], [1.0, 0.0])
    model.fit(*data, batch_size=4, verbose=0)
    for after, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(after, old)


def test_a_changed_option_of_a_schedule_counts_from_the_next_step(data):
    schedule = schedules.ExponentialDecay(0.5, 4, 1.0)
    model = small_model(schedule)
    model.fit(*data, verbose=0)
    before = model.get_weights()
    schedule.initial_learning_rate = 0.0
    model.fit(*data, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_number_gives_way_to_a_schedule(data):
    model, other = small_model(0.5), small_model(schedules.ExponentialDecay(0.5, 4, 0.25))
    model.fit(*data, batch_size=4, shuffle=False, verbose=0)
    model.optimizer.learning_rate = schedules.ExponentialDecay(0.25, 2, 0.5)
    model.optimizer.iterations.assign(0)
    other.optimizer.learning_rate = schedules.Joined([0.5, model.optimizer._learning_rate], [2])
    model.fit(*data, batch_size=4, shuffle=False, verbose=0)
    other.fit(*data, batch_size=4, shuffle=False, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])


class Box:
    """A rate that a callback changes, as a function without arguments."""

    def __init__(self, rates):
        self.rates = list(rates)
        self.calls = 0
        self.change = callbacks.LambdaCallback(on_train_batch_begin=self._change)

    def __call__(self):
        self.calls += 1
        return self.rates[0]

    def _change(self, batch, logs=None):
        if batch:
            self.rates.pop(0)


def test_a_function_is_called_at_each_step(data):
    rates = [0.1, 0.25, np.float32(0.5), 0]
    box = Box(rates)
    model, by_hand = small_model(box), small_model(1.0)
    options = {"batch_size": 2, "shuffle": False, "verbose": 0}
    model.fit(*data, callbacks=[box.change], **options)
    by_hand.fit(*data, callbacks=[Given(rates)], **options)
    np.testing.assert_array_equal(model.get_weights()[0], by_hand.get_weights()[0])
    assert box.calls == 5  # once more when the program is made
    assert model.optimizer.learning_rate == 0


class BadAt(schedules.LearningRateSchedule):
    """0.1, and from a step on another number."""

    def __init__(self, bad, first):
        self.bad = bad
        self.first = first

    def __call__(self, step):
        return ops.where(step < self.first, step * 0.0 + 0.1, self.bad)


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("bad", [np.nan, -0.5, np.inf])
@pytest.mark.parametrize("kind", ["schedule", "function", "accumulating"])
def test_a_bad_rate_stops_the_step_before_anything_is_written(data, kind, bad, engine):
    box = Box([0.1, 0.1, bad])
    saved = []
    last = 3 if kind == "accumulating" else 2
    options = {"gradient_accumulation_steps": 2} if kind == "accumulating" else {}

    def save(batch, logs=None):
        if batch == last:
            saved.extend(v.numpy() for v in (*model.weights, *model.optimizer.variables))

    with dlnative.engine(engine):
        rate = box if kind == "function" else BadAt(bad, last)
        model = small_model(rate, optimizers.Adam, **options)
        watch = [box.change, callbacks.LambdaCallback(on_train_batch_begin=save)]
        with pytest.raises(ValueError, match=f"learning rate of '{model.optimizer.name}'.*{bad:g}"):
            model.fit(*data, batch_size=2, shuffle=False, verbose=0, callbacks=watch)
    assert model.optimizer._iterations == last
    after = [v.numpy() for v in (*model.weights, *model.optimizer.variables)]
    for old, new in zip(saved, after, strict=True):
        np.testing.assert_array_equal(old, new)


class Vector(schedules.LearningRateSchedule):
    def __call__(self, step):
        return ops.stack([step, step])


class Fixed(schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1


@pytest.mark.parametrize(
    ("rate", "error", "words"),
    [
        (lambda: "0.1", TypeError, "to be a number, received '0.1'"),
        (lambda step: 0.1, TypeError, "step"),
        (Vector(), ValueError, r"expected a scalar .* received shape \(2,\)"),
        (Fixed(), TypeError, "computed from `step`, received 0.1"),
    ],
    ids=["string", "argument", "vector", "no step"],
)
def test_rates_of_a_wrong_kind(data, rate, error, words):
    model = small_model(rate)
    before = model.get_weights()
    with pytest.raises(error, match=words):
        model.fit(*data, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


# --- LearningRateScheduler ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch: 0.1 / (epoch + 1),
        lambda epoch, rate: rate * 0.5,
        lambda epoch, rate=7.0: rate * (epoch + 0.5),
        lambda epoch: np.float32(0.25),
    ],
)
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's Variables with NumPy 2
def test_learning_rate_scheduler_is_that_of_keras(keras, data, schedule, capsys):
    x, y = data
    histories = []
    for library in (dlnative, keras):
        model = library.Sequential(
            [library.Input((3,)), library.layers.Dense(2, kernel_initializer="ones")]
        )
        model.compile(library.optimizers.SGD(0.125), "mse")
        setter = library.callbacks.LearningRateScheduler(schedule, verbose=1)
        fitted = model.fit(
            x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[setter]
        )
        histories.append(fitted.history)
        assert capsys.readouterr().out.count("LearningRateScheduler") == 3
    ours, theirs = histories
    assert list(ours) == list(theirs) == ["loss", "learning_rate"]
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5)


@pytest.mark.parametrize(
    ("schedule", "error", "words"),
    [
        (lambda epoch: 1, ValueError, "to return a float, it returned 1 of type int"),
        (lambda epoch: None, ValueError, "to return a float"),
        (lambda epoch: -0.1, ValueError, "learning_rate of at least 0"),
        (lambda epoch: float("nan"), ValueError, "learning_rate of at least 0"),
    ],
)
def test_learning_rate_scheduler_refuses(data, schedule, error, words):
    model = small_model(0.1)
    with pytest.raises(error, match=words):
        model.fit(*data, verbose=0, callbacks=[callbacks.LearningRateScheduler(schedule)])
    assert float(model.optimizer.learning_rate) == 0.1


def test_learning_rate_scheduler_and_others(data):
    for wrong in (0.5, lambda: 0.5, lambda a, b, c: 0.5):
        with pytest.raises(TypeError, match="expected schedule to be a function"):
            callbacks.LearningRateScheduler(wrong)
    setter = callbacks.LearningRateScheduler(lambda epoch: 0.1)
    with pytest.raises(TypeError, match="is a schedule"):
        small_model(Halving()).fit(*data, verbose=0, callbacks=[setter])
    stop = callbacks.EarlyStopping("learning_rate", mode="min", patience=2)
    fitted = small_model(0.2).fit(*data, epochs=9, verbose=0, callbacks=[setter, stop])
    assert fitted.history["learning_rate"] == [0.1] * 3
