"""What `summary` prints, and that `profile` changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dlnative import Input, Model, Sequential, layers


def stack():
    return Sequential(
        [
            Input((4, 4)),
            layers.Flatten(),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )


def nested():
    inner_in = Input((3,), name="inner_in")
    inner = Model(inner_in, layers.Dense(4, name="inner_dense")(inner_in), name="inner")
    pile = Sequential([Input((4,)), layers.Dense(3, name="piled")], name="pile")
    x = Input((3,), name="x")
    once = inner(x)
    twice = inner(pile(once))
    return Model(x, [layers.Add(name="sum")([once, twice]), inner(x)], name="nested")


class Net(Model):
    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(width, activation="relu")
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.head(self.drop(self.hidden(inputs), training=training))


def summary(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return "\n".join(lines)


def test_summary_of_a_stack():
    text = summary(stack())
    assert "hidden (Dense)" in text
    assert "(None, 8)" in text
    assert f"{16 * 8 + 8:,}" in text
    assert "Total params: 163 (652.00 B)" in text
    # two products of 16 x 8 and 8 x 3, biases, 8 ReLUs and a softmax of 3
    forward = 2 * 16 * 8 + 8 + 8 + 2 * 8 * 3 + 3 + 36
    assert f"FLOPs per sample, forward: {forward:,}" in text
    assert "Connected to" not in text
    assert "FLOPs" not in summary(stack(), flops=False)


def test_summary_of_a_graph():
    model = nested()
    text = summary(model, expand_nested=True, show_trainable=True)
    assert "Connected to" in text
    assert "once" not in text
    for name in ("inner", "inner_dense", "pile", "piled", "sum"):
        assert name in text
    # inner is called three times, pile once
    assert f"forward: {3 * (2 * 12 + 4) + (2 * 12 + 3) + 4:,}" in text
    model.get_layer("inner").trainable = False
    text = summary(model, show_trainable=True)
    assert "Non-trainable params: 16 (64.00 B)" in text
    assert any(line.rstrip(" |").endswith("N") for line in text.splitlines() if "inner (" in line)


def test_summary_before_the_model_is_built():
    text = summary(Sequential([layers.Dense(3)]))
    assert "0 (unbuilt)" in text
    assert "?" in text
    assert "Total params: 0" in text


def test_summary_of_a_subclassed_model():
    model = Net()
    model.build((None, 5))
    assert f"forward: {2 * 20 + 4 + 4 + 2 * 8 + 2:,}" in summary(model)


def test_summary_options(capsys):
    model = stack()
    assert model.summary() is None
    assert "Total params" in capsys.readouterr().out
    assert {len(line) for line in summary(model, line_length=90).splitlines()[1:7]} == {90}
    assert {len(line) for line in summary(model, line_length=60).splitlines()[1:7]} == {60}
    listed = summary(model, layer_range=("hidden", "dropout"))
    assert "hidden" in listed
    assert "flatten" not in listed
    with pytest.raises(ValueError, match="names no layer"):
        summary(model, layer_range=("none", "hidden"))
    with pytest.raises(ValueError, match="two names"):
        summary(model, layer_range=("hidden",))
    assert "hidden" in summary(model, positions=[0.4, 0.6, 0.8, 1.0], line_length=80)


def test_profile_puts_the_state_back(rng):
    pytest.importorskip("dlnative._core")
    model = Sequential([Input((6,)), layers.Dense(5), layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    x, y = rng.normal(size=(8, 6)), rng.normal(size=(8, 2))
    model.fit(x, y, epochs=2, batch_size=4, verbose=0)
    state = [*model.variables, *model.optimizer.variables]
    before = [v.numpy() for v in state]
    profile = model.profile(x, y, batch_size=4, steps=3)
    assert len(profile.rows) > 4
    for variable, value in zip(state, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
