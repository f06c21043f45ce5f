"""Overridden methods that Keras calls: those that are not called here are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, callbacks, layers, losses, metrics, ops, optimizers
from dlnative.utils import overrides

X, Y = np.ones((4, 2), dtype="float32"), np.zeros((4, 1), dtype="float32")


def with_method(base, name, **more):
    """A subclass of `base` that overrides `name`."""
    return type("Mine", (base,), {name: lambda self, *args, **kwargs: None, **more})


class Plain(Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


@pytest.mark.parametrize("name", overrides.MODEL)
@pytest.mark.parametrize("base", [Plain, Sequential])
def test_compile_refuses_a_step_of_ones_own(name, base):
    model = with_method(base, name)()
    with pytest.raises(NotImplementedError, match=rf"Mine\.{name} is overridden, but it would"):
        model.compile("sgd", "mse")
    assert not model.compiled


def test_through_a_functional_model_and_a_class_between():
    class Between(Model):
        def make_train_function(self, force=False):
            return None

    class Mine(Between):
        pass

    x = Input((2,))
    with pytest.raises(NotImplementedError, match=r"Mine\.make_train_function .*train_step"):
        Mine(x, layers.Dense(1)(x)).compile("sgd", "mse")


@pytest.mark.parametrize("name", ["train_function", "make_train_function"])
def test_a_function_set_on_the_model(name):
    model = Plain()
    with pytest.raises(NotImplementedError, match=rf"Plain\.{name} is overridden"):
        setattr(model, name, lambda data: None)


@pytest.mark.parametrize("name", overrides.LAYER)
def test_layers(name):
    with pytest.raises(NotImplementedError, match=rf"Mine\.{name} is overridden"):
        with_method(layers.Dense, name)(3)


@pytest.mark.parametrize("name", overrides.LAYER)
def test_models_as_layers(name):
    with pytest.raises(NotImplementedError, match=rf"Mine\.{name} is overridden"):
        with_method(Plain, name)()


def test_a_loss_that_overrides_the_call():
    loss = with_method(losses.MeanSquaredError, "__call__")()
    for given in (loss, [loss], {"dense": loss}):
        with pytest.raises(NotImplementedError, match=r"Mine\.__call__ .*override call\(y_true"):
            Plain().compile("sgd", given)


@pytest.mark.parametrize("name", overrides.FITTING_OPTIMIZER)
def test_optimizers_whose_apply_training_does_not_call(name):
    optimizer = with_method(optimizers.SGD, name)()
    with pytest.raises(NotImplementedError, match=rf"Mine\.{name} .*training does not call it"):
        Plain().compile(optimizer, "mse")


def test_what_works_goes_on_working():
    """Every method here is called, which its trace shows."""
    called = set()

    class MyLayer(layers.Layer):
        input_spec = layers.InputSpec(ndim=2)

        def build(self, shape):
            called.add("layer.build")
            self.w = self.add_weight((shape[-1], 1), name="w")

        def add_weight(self, *args, **kwargs):
            called.add("layer.add_weight")
            return super().add_weight(*args, **kwargs)

        def compute_output_shape(self, shape):
            return (shape[0], 1)

        def call(self, x, mask=None, training=None):
            called.add("layer.call")
            return ops.matmul(x, self.w)

    class MyModel(Model):
        def __init__(self):
            super().__init__()
            self.mine = MyLayer()

        def compile(self, *args, **kwargs):
            called.add("compile")
            super().compile(*args, **kwargs)

        def fit(self, *args, **kwargs):
            called.add("fit")
            return super().fit(*args, **kwargs)

        def call(self, x):
            called.add("model.call")
            return self.mine(x)

    class MyLoss(losses.Loss):
        def call(self, y_true, y_pred):
            called.add("loss.call")
            return losses.mean_squared_error(y_true, y_pred)

    class MyMetric(metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            called.add("metric.update_state")
            super().update_state(y_pred)

        def result(self):
            called.add("metric.result")
            return super().result()

        def reset_state(self):
            called.add("metric.reset_state")
            super().reset_state()

    class MyOptimizer(optimizers.SGD):
        def build(self, variables):
            called.add("optimizer.build")
            super().build(variables)

        def update_step(self, gradient, variable, learning_rate):
            called.add("optimizer.update_step")
            super().update_step(gradient * 0.5, variable, learning_rate)

        def scale_loss(self, loss):
            called.add("optimizer.scale_loss")
            return super().scale_loss(loss)

        def finalize_variable_values(self, var_list):
            called.add("optimizer.finalize_variable_values")
            super().finalize_variable_values(var_list)

    class MyCallback(callbacks.Callback):
        pass

    hooks = [name for name in vars(callbacks.Callback) if name.startswith("on_")]
    for hook in hooks:
        setattr(MyCallback, hook, lambda self, *args, hook=hook, **kwargs: called.add(hook))
    model = MyModel()
    model.compile(MyOptimizer(0.1), MyLoss(), metrics=[MyMetric()])
    watch = [MyCallback()]
    model.fit(X, Y, validation_data=(X, Y), callbacks=watch, verbose=0)
    model.predict(X, callbacks=watch, verbose=0)
    expected = {*hooks} - {"on_batch_begin", "on_batch_end"}  # those of train batches are theirs
    for methods in (
        "layer.build layer.add_weight layer.call model.call compile fit loss.call",
        "metric.update_state metric.result metric.reset_state optimizer.build",
        "optimizer.update_step optimizer.scale_loss optimizer.finalize_variable_values",
    ):
        expected |= set(methods.split())
    assert called == expected
    with pytest.raises(ValueError, match="ndim|dimensions|rank"):
        MyLayer()(np.ones((2, 2, 2)))


def test_an_optimizer_reads_the_variable_when_it_updates():
    class Decayed(optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 0.0 + variable * 2.0, variable, learning_rate)

    model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(Decayed(0.25), "mse")
    for step in range(1, 4):
        model.train_on_batch(X, Y)
        np.testing.assert_array_equal(model.layers[0].kernel.numpy(), 0.5**step)


def test_no_class_of_the_package_is_refused():
    for cls in vars(layers).values():
        if isinstance(cls, type) and issubclass(cls, layers.Layer):
            assert overrides.overridden(cls, tuple(overrides.LAYER)) == ()
    assert overrides.overridden(dlnative.Model, tuple(overrides.MODEL)) == ()
