"""`fit(on_nonfinite=...)`: what becomes of the model, with everything that steps may have."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dlnative
from dlnative import layers, ops

ROWS, BATCH, BAD = 48, 8, 2  # the batch that is not finite, from 0
X = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
CLASSES = np.random.default_rng(1).integers(0, 3, ROWS).astype("int32")
SPOILED = X.copy()
SPOILED[BAD * BATCH + 5, 1] = np.inf
GOOD = np.delete(np.arange(ROWS), np.arange(BAD * BATCH, (BAD + 1) * BATCH))
SGD, Adam = dlnative.optimizers.SGD, dlnative.optimizers.Adam


def net(optimizer, *middle, **options):
    dlnative.utils.set_random_seed(5)
    stack = [layers.Input((4,)), layers.Dense(7, "relu"), *(m() for m in middle), layers.Dense(3)]
    model = dlnative.Sequential(stack)
    loss = dlnative.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **options)
    return model


def several_outputs():
    dlnative.utils.set_random_seed(5)
    x = layers.Input((4,))
    hidden = layers.Dense(5, "tanh")(x)
    model = dlnative.Model(
        x, [layers.Dense(3, name="a")(hidden), layers.Dense(1, name="b")(hidden)]
    )
    loss = dlnative.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(Adam(0.01), [loss, "mae"], loss_weights=[1.0, 0.3])
    return model


class OwnStep(dlnative.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)
        self.mean = dlnative.metrics.Mean(name="mean")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y, _ = dlnative.utils.unpack_x_y_sample_weight(data)

        def loss_of_batch():
            y_pred = self(x)
            return ops.mean(
                dlnative.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
            )

        loss, grads = dlnative.value_and_grad(loss_of_batch, self.trainable_variables)()
        self.optimizer.apply(grads, self.trainable_variables)
        self.mean.update_state(loss)
        return {"mean": self.mean.result()}


def own_step():
    dlnative.utils.set_random_seed(5)
    model = OwnStep()
    model.compile(SGD(0.1, momentum=0.9))
    return model


MODELS = {
    "sgd": lambda: net(SGD(0.1)),
    "momentum, clipnorm": lambda: net(SGD(0.1, momentum=0.9, nesterov=True, global_clipnorm=1.0)),
    "clipvalue": lambda: net(Adam(0.01, clipvalue=0.1)),
    "batch norm": lambda: net(Adam(0.01), layers.BatchNormalization),
    "accumulation": lambda: net(SGD(0.1, gradient_accumulation_steps=2)),
    "EMA": lambda: net(Adam(0.01, use_ema=True, ema_overwrite_frequency=3)),
    "decay": lambda: net(dlnative.optimizers.AdamW(0.01, weight_decay=0.1)),
    "penalty": lambda: net(SGD(0.1), lambda: layers.Dense(4, kernel_regularizer="l2")),
    "constraint": lambda: net(SGD(0.1), lambda: layers.Dense(4, kernel_constraint="max_norm")),
    "schedule": lambda: net(SGD(dlnative.optimizers.schedules.CosineDecay(0.1, 20))),
    "several outputs": several_outputs,
    "own step": own_step,
    "op by op": lambda: net(Adam(0.01), run_eagerly=True),
}
WEIGHTS = np.linspace(0.5, 2.0, ROWS)


def labels(model, rows):
    y = CLASSES[rows]
    return [y, X[rows, :1]] if len(getattr(model, "outputs", None) or [0]) > 1 else y


def fitted(model, rows=slice(None), x=SPOILED, epochs=1, **options):
    given = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "check_finite": False, **options}
    if "class_weight" in given:
        weights = {}
    else:
        weights = {"sample_weight": WEIGHTS[rows]}
    if isinstance(model, OwnStep):
        weights = {}
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        return model.fit(x[rows], labels(model, rows), epochs=epochs, **weights, **given)


def same(a, b):
    state = dlnative.models.training_state.variables_of
    for (name, first), (_, second) in zip(state(a).items(), state(b).items(), strict=True):
        np.testing.assert_array_equal(first.numpy(), second.numpy(), err_msg=name)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", MODELS)
def test_skip_is_training_without_that_batch(case, threads):
    before = dlnative.config.num_threads()
    dlnative.config.set_num_threads(threads)
    try:
        one, other = MODELS[case](), MODELS[case]()
        left = fitted(one, on_nonfinite="skip", epochs=2)
        history = fitted(other, GOOD, epochs=2).history
    finally:
        dlnative.config.set_num_threads(before)
    same(one, other)
    assert left.history == history
    assert [(r.epoch, r.batch) for r in left.nonfinite] == [(1, BAD + 1), (2, BAD + 1)]


@pytest.mark.parametrize("case", MODELS)
def test_stop_is_training_on_the_batches_before(case):
    one, other = MODELS[case](), MODELS[case]()
    stopped = fitted(one, on_nonfinite="stop", epochs=3)
    history = fitted(other, slice(0, BAD * BATCH)).history
    same(one, other)
    assert stopped.history == history and one.stop_training
    one.fit(X, labels(one, slice(None)), verbose=0)  # it can go on


@pytest.mark.parametrize("case", MODELS)
def test_rollback_is_training_from_the_begin_of_the_epoch(case):
    one, other = MODELS[case](), MODELS[case]()
    given = {"on_nonfinite": "rollback"}
    assert len(fitted(one, **given).nonfinite) == 1
    optimizer = other.optimizer
    if optimizer.has_plain_rate:
        optimizer.learning_rate = 0.5 * float(optimizer.learning_rate)
    fitted(other, slice((BAD + 1) * BATCH, None))
    same(one, other)


@pytest.mark.parametrize("case", MODELS)
def test_policies_change_nothing_where_all_is_finite(case):
    results = []
    for policy in ("warn", "stop", "skip", "rollback"):
        model = MODELS[case]()
        history = fitted(model, x=X, epochs=2, shuffle=True, on_nonfinite=policy)
        assert history.nonfinite == []
        results.append((model, history.history))
    for model, history in results[1:]:
        same(model, results[0][0])
        assert history == results[0][1]


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_class_weight_dropout_generators_and_engines(engine):
    with dlnative.engine(engine):
        model = net(Adam(0.01), lambda: layers.Dropout(0.3))
        given = {"class_weight": {0: 2.0, 2: 0.5}, "on_nonfinite": "skip"}
        assert [r.batch for r in fitted(model, epochs=2, **given).nonfinite] == [BAD + 1] * 2
        assert all(np.isfinite(w).all() for w in model.get_weights())

        def batches():
            for i in range(0, ROWS, BATCH):
                yield SPOILED[i : i + BATCH], CLASSES[i : i + BATCH], WEIGHTS[i : i + BATCH]

        given = {"steps_per_epoch": ROWS // BATCH, "verbose": 0, "check_finite": False}
        by_arrays, by_batches = (net(Adam(0.01), layers.BatchNormalization) for _ in range(2))
        fitted(by_arrays, on_nonfinite="skip")
        with pytest.warns(RuntimeWarning, match=f"batch {BAD + 1} of epoch 1"):
            by_batches.fit(batches(), on_nonfinite="skip", **given)
        same(by_arrays, by_batches)
        for policy, done in (("stop", BAD), ("rollback", ROWS // BATCH - BAD - 1)):
            model = net(Adam(0.01))
            with pytest.warns(RuntimeWarning):
                model.fit(batches(), on_nonfinite=policy, **given)
            assert int(model.optimizer.iterations) == done


def test_dropout_has_the_same_bits_for_any_number_of_threads():
    before = dlnative.config.num_threads()
    models = []
    for threads in (1, 2):
        dlnative.config.set_num_threads(threads)
        models.append(net(Adam(0.01), lambda: layers.Dropout(0.4), layers.BatchNormalization))
        fitted(models[-1], epochs=2, on_nonfinite="skip")
    dlnative.config.set_num_threads(before)
    same(*models)


@pytest.mark.parametrize("together", [1, 4])
def test_batch_hooks_are_called_for_steps_that_are_left_out(together):
    class Count(dlnative.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.begun, self.done = [], []

        def on_train_batch_begin(self, batch, logs=None):
            self.begun.append(batch)

        def on_train_batch_end(self, batch, logs=None):
            self.done.append(batch)

    hooked, plain = (net(SGD(0.1), steps_per_execution=together) for _ in range(2))
    count = Count()
    fitted(hooked, on_nonfinite="skip", callbacks=[count])
    fitted(plain, on_nonfinite="skip")
    same(hooked, plain)
    assert len(count.begun) == len(count.done) == -(-(ROWS // BATCH) // together)
    stopped = net(SGD(0.1), steps_per_execution=together)
    fitted(stopped, on_nonfinite="stop", callbacks=[count])
    assert int(stopped.optimizer.iterations) == BAD and len(count.begun) == len(count.done)


def test_an_epoch_without_a_step_has_no_loss():
    for policy in ("skip", "rollback", "stop"):
        x = np.full_like(X, np.inf)
        history = fitted(net(SGD(0.1)), x=x, on_nonfinite=policy, epochs=2).history
        assert np.isnan(history["loss"]).all() and np.isnan(history["accuracy"]).all()


def test_a_partial_last_batch_and_what_comes_after_fit():
    x = X[:43].copy()
    x[42] = np.nan
    model = net(SGD(0.1))
    fitted(model, slice(0, 43), x=x, on_nonfinite="skip", epochs=1)
    assert int(model.optimizer.iterations) == 5
    # Only `fit` holds steps back.
    assert np.isnan(model.train_on_batch(x[40:43], CLASSES[40:43])[0])
    assert np.isnan(model.get_weights()[0]).all()


def test_validation_and_early_ends_work_together():
    model = net(SGD(0.1))
    given = {"validation_data": (X, CLASSES), "on_nonfinite": "stop"}
    history = fitted(model, epochs=4, **given)
    assert len(history.history["val_loss"]) == 1 and np.isfinite(history.history["val_loss"]).all()


def test_one_report_and_one_count():
    model = net(SGD(0.1))
    given = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "check_finite": False}
    with pytest.warns(RuntimeWarning) as caught:
        history = model.fit(SPOILED, CLASSES, epochs=3, on_nonfinite="skip", **given)
    first, count = (str(w.message) for w in caught)
    assert "That step is left out" in first and "sample 21" in first
    assert "3 steps were not finite and were left out, from batch 3 of epoch 1" in count
    assert [bool(r.message) for r in history.nonfinite] == [True, False, False]


def test_rollback_halves_a_rate_that_is_a_number():
    model = net(SGD(0.1))
    fitted(model, on_nonfinite="rollback", epochs=2)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)
    model = MODELS["schedule"]()
    fitted(model, on_nonfinite="rollback", epochs=2)
    assert not model.optimizer.has_plain_rate


@pytest.mark.parametrize("wrong", ["halt", None, True])
def test_other_words_are_refused(wrong):
    with pytest.raises(
        ValueError, match="on_nonfinite: expected one of 'warn', 'stop', 'skip', 'r"
    ):
        net(SGD(0.1)).fit(X, CLASSES, on_nonfinite=wrong)


class Two(dlnative.Model):
    """Two optimizers of its own; that of `compile` is not used."""

    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(5, "tanh"), layers.Dense(3)]

    def build(self, shape):
        self.parts[0].build(shape)
        self.parts[1].build((None, 5))
        self.built = True

    def call(self, x):
        return self.parts[1](self.parts[0](x))

    def compile(self):
        super().compile()
        self.one, self.two = Adam(0.01), SGD(0.1, momentum=0.9)

    def train_step(self, data):
        x, y, _ = dlnative.utils.unpack_x_y_sample_weight(data)
        for optimizer, part in zip((self.one, self.two), self.parts, strict=True):

            def loss_of_batch():
                return ops.mean(
                    dlnative.losses.sparse_categorical_crossentropy(y, self(x), from_logits=True)
                )

            loss, grads = dlnative.value_and_grad(loss_of_batch, part.trainable_variables)()
            optimizer.apply(grads, part.trainable_variables)
        return {"loss": loss}


def two():
    dlnative.utils.set_random_seed(5)
    model = Two()
    model.compile()
    return model


def test_several_optimizers():
    plain = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "check_finite": False}
    models = [two() for _ in range(3)]
    models[0].fit(X[GOOD], CLASSES[GOOD], **plain)
    for model, policy in zip(models[1:], ("skip", "rollback"), strict=True):
        with pytest.warns(RuntimeWarning, match="learning rate 0.01"):
            model.fit(SPOILED, CLASSES, on_nonfinite=policy, **plain)
    same(models[0], models[1])
    assert float(models[2].one.learning_rate) == pytest.approx(0.005)
    assert float(models[2].two.learning_rate) == pytest.approx(0.05)


def test_callbacks_that_train_hold_nothing_back():
    inner = net(SGD(0.1))

    class Inside(dlnative.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                assert np.isnan(self.model.train_on_batch(SPOILED[16:24], CLASSES[16:24])[0])
                self.model.set_weights(self.weights)
                fitted(inner, on_nonfinite="skip")

        def on_train_begin(self, logs=None):
            self.weights = self.model.get_weights()

    model = net(SGD(0.1))
    reports = fitted(model, on_nonfinite="skip", callbacks=[Inside()]).nonfinite
    assert [r.batch for r in reports] == [BAD + 1]
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_list_of_callbacks_without_a_history():
    model = net(SGD(0.1))
    callbacks = dlnative.callbacks.CallbackList([], model=model)
    with pytest.warns(RuntimeWarning):
        model.fit(SPOILED, CLASSES, callbacks=callbacks, check_finite=False, verbose=0)


def test_what_was_found_before_an_interruption_is_in_the_history():
    class Ends(dlnative.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    model = net(SGD(0.1))
    with pytest.warns(RuntimeWarning), pytest.raises(KeyboardInterrupt):
        model.fit(SPOILED, CLASSES, callbacks=[Ends()], check_finite=False, verbose=0)
    assert len(model.history.nonfinite) == 1
    assert not int(model._trainer.armed)


@pytest.mark.parametrize("policy", ["skip", "stop", "rollback"])
def test_state_of_layers_is_held_back_too(policy):
    """A variance that overflows, while loss and gradients stay finite."""
    rng = np.random.Generator(np.random.PCG64(0))
    x = rng.standard_normal((128, 5)).astype("float32")
    y = x.sum(axis=1)
    x[70] *= 1e30
    model = dlnative.Sequential(
        [
            dlnative.Input((5,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    with pytest.warns(RuntimeWarning, match="a new weight is not finite in batch 5.*batch_norm"):
        history = model.fit(x, y, batch_size=16, shuffle=False, on_nonfinite=policy, verbose=0)
    assert len(history.nonfinite) == 1
    assert all(np.isfinite(w).all() for w in model.get_weights())
