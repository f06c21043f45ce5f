"""Checkpoints: a run goes on from any of them and ends with the bits of the whole run."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from resumed_runs import Batches, Counts, assert_goes_on, ending, whole_run  # noqa: F401
from trained_models import MODELS, X, Y

import dlnative
from dlnative import callbacks, layers

EPOCHS = 4


def used():
    return [
        callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True, min_delta=0.01),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        Counts(),
    ]


def fit_arrays(model, *added, **options):
    full_batch = getattr(model.optimizer, "full_batch", False)
    options = {"batch_size": len(X) if full_batch else 7, "epochs": EPOCHS, **options}
    mine = used() if model.loss else [Counts()]
    if isinstance(model.optimizer.get_config()["learning_rate"], dict):  # a schedule
        del mine[1]
    history = model.fit(X, Y, verbose=0, callbacks=[*mine, *added], **options)
    return ending(model, history, mine)


@pytest.mark.parametrize("case", MODELS)
def test_from_every_kind_of_state(case, whole_run, tmp_path):  # noqa: F811
    whole, checkpoints = whole_run(MODELS[case], fit_arrays)
    assert_goes_on(whole, checkpoints, MODELS[case], fit_arrays, tmp_path, some=3)


def image_net():
    model = dlnative.Sequential(
        [
            dlnative.Input((6, 6, 1)),
            layers.RandomFlip(),
            layers.RandomTranslation(0.2, 0.2),
            layers.Conv2D(3, 3, activation="relu"),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(2, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


IMAGES = np.random.default_rng(5).normal(size=(40, 6, 6, 1)).astype("float32")
OPTIONS = {
    "validation": {"validation_split": 0.2},
    "batches of hooks": {"hooks": True},
    "batches together": {"hooks": True, "together": 2},
    "shuffled batches": {"shuffle": "batch"},
    "not shuffled": {"shuffle": False},
    "epochs of 4 steps": {"steps_per_epoch": 4, "batch_size": 7},
    "epochs of 11 steps": {"steps_per_epoch": 11, "batch_size": 7},
    "class weights": {"class_weight": {0: 2.0}},
    "validation at times": {"validation_data": (IMAGES[:5], Y[:5]), "validation_freq": 2},
    "later": {"initial_epoch": 1},
    "one step": {"batch_size": 64},
}


@pytest.mark.parametrize("case", OPTIONS)
def test_with_all_options(case, whole_run, tmp_path):  # noqa: F811
    options = {"batch_size": 7, "epochs": EPOCHS, **OPTIONS[case]}
    hooks, together = options.pop("hooks", False), options.pop("together", 1)

    def fit(model, *added):
        model.steps_per_execution = together
        mine = [Batches() if hooks else Counts()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that data run out
            history = model.fit(IMAGES, Y, verbose=0, callbacks=[*mine, *added], **options)
        return ending(model, history, mine)

    whole, checkpoints = whole_run(image_net, fit, 1 if case == "one step" else 2)
    assert_goes_on(whole, checkpoints, image_net, fit, tmp_path, some=4)


@pytest.mark.filterwarnings("ignore:fit. ")
@pytest.mark.parametrize("policy", ["warn", "skip", "rollback", "stop"])
def test_steps_that_are_not_finite(policy, whole_run, tmp_path):  # noqa: F811
    images = IMAGES.copy()
    images[17] = 3e38
    held = []

    def fit(model, *added):
        mine = [Counts()]
        history = model.fit(
            images,
            Y,
            batch_size=7,
            epochs=EPOCHS,
            verbose=0,
            on_nonfinite=policy,
            callbacks=[*mine, *added],
        )
        found = ending(model, history, mine)
        held.append(len(history.nonfinite))
        return *found[:2], repr(found[2]), found[3]  # NaN is not equal to itself

    def make():
        model = image_net()
        rate = dlnative.optimizers.SGD(1e-3, momentum=0.9)
        model.compile(rate, "sparse_categorical_crossentropy")
        return model

    whole, checkpoints = whole_run(make, fit)
    assert held[0] == (EPOCHS if policy in ("skip", "rollback") else 1)
    if len(checkpoints) > 4:
        assert_goes_on(whole, checkpoints, make, fit, tmp_path, some=4)
