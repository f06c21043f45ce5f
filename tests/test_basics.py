"""What an introduction to neural networks says, shown on this library."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers, optimizers
from dlnative.datasets import toy

# --- perceptrons ----------------------------------------------------------------------------------

GATES = {"AND": toy.and_, "OR": toy.or_, "NAND": toy.nand}


def train_on_gate(gate, hidden, seed, epochs, learning_rate):
    """Accuracy of a net on the four rows of a gate."""
    dlnative.utils.set_random_seed(seed)
    x, y = gate()
    model = dlnative.Sequential([layers.Input((2,))])
    if hidden:
        model.add(layers.Dense(hidden, activation="tanh"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(
        optimizers.Adam(learning_rate=learning_rate), "binary_crossentropy", metrics=["accuracy"]
    )
    model.fit(x, y, batch_size=4, epochs=epochs, verbose=0)
    return model.evaluate(x, y, verbose=0)[1]


@pytest.mark.parametrize("gate", GATES)
def test_one_layer_learns(gate):
    for seed in range(5):
        assert train_on_gate(GATES[gate], 0, seed, epochs=300, learning_rate=0.1) == 1.0


def test_one_layer_never_learns_xor():
    """No line separates it: at most three of the four rows are right (Minsky and Papert 1969)."""
    for seed in range(20):
        assert train_on_gate(toy.xor, 0, seed, epochs=300, learning_rate=0.1) <= 0.75


def test_two_layers_learn_xor():
    learned = [
        train_on_gate(toy.xor, 8, seed, epochs=400, learning_rate=0.05) == 1.0 for seed in range(20)
    ]
    assert sum(learned) >= 19


# --- depth ----------------------------------------------------------------------------------------


def first_to_last_gradient(activation, initializer):
    """How much of the gradient arrives at the first of ten layers: |dkernel_1| / |dkernel_10|."""
    dlnative.utils.set_random_seed(0)
    model = dlnative.Sequential([layers.Input((16,))])
    for i in range(10):
        model.add(
            layers.Dense(
                16, activation=activation, kernel_initializer=initializer, name=f"layer{i}"
            )
        )
    model.add(layers.Dense(1, name="output"))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 16)).astype("float32")
    _, grads = dlnative.value_and_grad(model, "mse")(x, rng.normal(size=(64, 1)).astype("float32"))
    norms = {
        path.split("/")[-2]: np.linalg.norm(g)
        for path, g in grads.items()
        if path.endswith("kernel")
    }
    return norms["layer0"] / norms["layer9"]


def test_ten_sigmoid_layers_lose_their_gradient():
    """sigmoid' is at most 1/4, so ten layers leave less than a millionth."""
    assert first_to_last_gradient("sigmoid", "glorot_uniform") < 1e-5


def test_ten_relu_layers_do_not():
    assert first_to_last_gradient("relu", "he_normal") > 0.05


# --- gradients ------------------------------------------------------------------------------------


def small_model():
    dlnative.utils.set_random_seed(2)
    model = dlnative.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.Dense(2, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(1)
    return model, rng.normal(size=(5, 3)), np.eye(2)[rng.integers(0, 2, 5)]


def test_numerical_gradients_take_one_evaluation_more_than_there_are_parameters():
    model, x, y = small_model()
    result = dlnative.gradcheck(model, x, y, loss="categorical_crossentropy", mode="forward")
    assert result.evaluations == model.count_params() + 1 == 27
    assert result.max_error < 1e-5


def test_numerical_gradients_agree_with_backpropagation():
    model, x, y = small_model()
    assert dlnative.gradcheck(model, x, y, loss="categorical_crossentropy").max_error < 1e-8


def test_the_gradient_of_the_input_is_not_computed():
    """Three layers have two products for gradients of their inputs: nobody needs the first's."""
    from dlnative.models.fitting import build_optimizer, labelled_rows

    model = dlnative.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, activation="relu"),
            layers.Dense(6, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    state = model._trainer
    rows, _ = labelled_rows(model, state, "train", np.zeros((8, 4)), np.zeros((8, 1)))
    build_optimizer(model, state)
    function = state.step(model, "train", 8, rows).function
    nodes = function.plan.schedule.nodes if hasattr(function, "plan") else function.nodes
    names = [node.op.name for node in nodes]
    assert names.count("dense_backward_input") == 2
    assert names.count("dense_backward_kernel") == 3


# --- optimizers -----------------------------------------------------------------------------------


def sgd(g, s, t, lr):
    return -lr * g


def momentum(g, s, t, lr):
    s["v"] = 0.9 * s.get("v", 0.0) - lr * g
    return s["v"]


def nesterov(g, s, t, lr):
    s["v"] = 0.9 * s.get("v", 0.0) - lr * g
    return 0.9 * s["v"] - lr * g


def adagrad(g, s, t, lr):
    s["a"] = s.get("a", 0.1) + g**2
    return -lr * g / np.sqrt(s["a"] + 1e-7)


def rmsprop(g, s, t, lr):
    s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g**2
    return -lr * g / np.sqrt(s["v"] + 1e-7)


def adam(g, s, t, lr):
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g**2
    return -lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["v"]) + 1e-7)


STEPS = [
    (sgd, optimizers.SGD, {}),
    (momentum, optimizers.SGD, {"momentum": 0.9}),
    (nesterov, optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    (adagrad, optimizers.Adagrad, {}),
    (rmsprop, optimizers.RMSprop, {}),
    (adam, optimizers.Adam, {}),
]


@pytest.mark.parametrize(
    ("change", "optimizer", "options"), STEPS, ids=lambda v: getattr(v, "__name__", "")
)
def test_training_follows_the_formula_of_the_optimizer(change, optimizer, options):
    """y = w x with one weight: dL/dw = mean(2 (w x - y) x), then the formula, for thirty steps."""
    x = np.array([[1.0], [2.0], [-1.0]])
    y = 3.0 * x
    model = dlnative.Sequential(
        [
            layers.Input((1,), dtype="float64"),
            layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype="float64"),
        ]
    )
    model.compile(optimizer(learning_rate=0.05, **options), "mse")
    w, slots = 1.0, {}
    for t in range(1, 31):
        model.train_on_batch(x, y)
        w += change(np.mean(2 * (w * x - y) * x), slots, t, 0.05)
        assert model.get_weights()[0].item() == pytest.approx(w, rel=1e-12)


# --- learning rates -------------------------------------------------------------------------------


def loss_curve(learning_rate):
    """Mean squared error of a linear model over forty steps of gradient descent.

    The curvature of the loss along the i-th input is 2 E[x_i^2], here 2 and 0.5: descent is fastest
    near 2 / (2 + 0.5) = 0.8 and diverges above 2 / 2 = 1.
    """
    x = np.array([[1.0, 0.5], [1.0, -0.5], [-1.0, 0.5], [-1.0, -0.5]])
    y = x @ np.array([[2.0], [-3.0]])
    model = dlnative.Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(learning_rate=learning_rate), "mse")
    return np.array(model.fit(x, y, batch_size=4, epochs=40, verbose=0).history["loss"])


def test_learning_rates_too_low_right_and_too_high():
    low, right, high = loss_curve(0.005), loss_curve(0.8), loss_curve(1.1)
    assert low[0] == right[0] == high[0]
    assert (np.diff(low) < 0).all()
    assert low[-1] > 0.5 * low[0]
    assert right[-1] < 1e-6 * right[0]
    assert high[-1] > 100 * high[0]
    assert (np.diff(high)[5:] > 0).all()
