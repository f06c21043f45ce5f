"""The programs in examples/, run by their own functions with dlnative or with Keras.

    python tests/helpers/example_runs.py FILE

writes to FILE what the runs give with Keras on its PyTorch backend. The source of an example is the
same but for the name in its imports; of the module `gradients` every backend has its own.
"""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SEEDS = range(5)

Result = dict[str, Any]


def load(name: str, library: str = "dlnative") -> ModuleType:
    """An example as a module, with another library in its imports."""
    path = EXAMPLES / f"{name}.py"
    source = path.read_text()
    if library != "dlnative":
        source = source.replace("import dlnative as keras", f"import {library} as keras")
        source = source.replace("from dlnative import", f"from {library} import")
        assert "dlnative" not in source, f"{path} differs from its twin in more than the import"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules["gradients"] = torch_gradients() if library == "keras" else own_gradients()
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    finally:
        del sys.modules["gradients"]
    return module


def own_gradients() -> ModuleType:
    path = EXAMPLES / "gradients.py"
    module = ModuleType("gradients")
    exec(compile(path.read_text(), path, "exec"), module.__dict__)
    return module


def torch_gradients() -> ModuleType:
    def gradients(loss_fn: Callable[[], Any], variables: list[Any]) -> tuple[Any, list[Any]]:
        for variable in variables:
            variable.value.grad = None
        loss = loss_fn()
        loss.backward()
        return loss.detach(), [variable.value.grad for variable in variables]

    module = ModuleType("gradients")
    module.gradients = gradients
    return module


# --- runs ----------------------------------------------------------------------------------------


def give_weights(model: Any, seed: int = 0) -> None:
    """Sets all weights but those of one dimension, in their order."""
    rng = np.random.default_rng(seed)
    values = model.get_weights()
    for i, w in enumerate(values):
        if w.ndim > 1:
            values[i] = rng.normal(size=w.shape) / np.sqrt(np.prod(w.shape[:-1]))
    model.set_weights(values)


def result(model: Any, *histories: Any, **more: Any) -> Result:
    logs = [history.history for history in histories]
    return {"history": logs, "weights": model.get_weights(), **more}


FIT = {"epochs": 2, "batch_size": 32, "shuffle": False, "verbose": 0}


def mnist_convnet(example: ModuleType) -> Result:
    x, y, x_test, y_test = example.load_data()
    model = example.make_model((8, 8, 1), dropout=0.0)
    give_weights(model)
    history = model.fit(x[:256], y[:256], validation_data=(x_test, y_test), **FIT)
    return result(model, history)


def inputs_and_outputs(example: ModuleType) -> Result:
    x, y = example.load_data(days=256)
    model = example.make_model()
    give_weights(model)
    history = model.fit(x, y, validation_split=0.25, **FIT)
    evaluated = model.evaluate(x, y, verbose=0, return_dict=True)
    return result(model, history, evaluated=evaluated, predicted=model.predict(x, verbose=0))


def autoencoder(example: ModuleType) -> Result:
    noisy, clean = example.load_data()
    model = example.make_model()
    model.predict(noisy[:1], verbose=0)  # makes the weights
    give_weights(model)
    history = model.fit(noisy[:256], clean[:256], **FIT)
    return result(model, history, code=model.encoder.predict(noisy[:20], verbose=0))


def siamese(example: ModuleType) -> Result:
    x, y = example.load_data()
    pairs, differ = example.make_pairs(x[:200], y[:200])
    model = example.make_model()
    give_weights(model)
    history = model.fit(pairs, differ, validation_split=0.25, **FIT)
    return result(model, history, predicted=model.predict(pairs, verbose=0))


def transfer_learning(example: ModuleType) -> Result:
    many, few, rest = example.load_data()
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    base = example.make_base()
    first = example.make_classifier(base)
    give_weights(first)
    logs = [example.train(first, [a[:256] for a in many], 0.001, **options)]
    base.trainable = False
    model = example.make_classifier(base)
    give_weights(model.layers[-1])
    logs.append(example.train(model, few, 0.01, validation_data=rest, **options))
    example.unfreeze(base)
    logs.append(example.train(model, few, 0.0003, validation_data=rest, **options))
    return {"history": logs, "weights": [*first.get_weights(), *model.get_weights()]}


def custom_layer(example: ModuleType) -> Result:
    x, y = example.load_data()
    model = example.make_model(penalty=0.5)
    give_weights(model)
    history = model.fit(x[:256], y[:256], validation_split=0.25, **FIT)
    weight = np.linspace(0, 2, 128)
    weighted = model.evaluate(x[:128], y[:128], sample_weight=weight, verbose=0, return_dict=True)
    return result(model, history, weighted=weighted)


def pytorch_data(example: ModuleType) -> Result:
    train = example.DataLoader(example.Digits(slice(0, 200)), batch_size=32)
    test = example.DataLoader(example.Digits(slice(200, 300)), batch_size=30)
    model = example.make_model()
    give_weights(model)
    history = model.fit(train, epochs=2, validation_data=test, verbose=0)
    return result(model, history, predicted=model.predict(test, verbose=0))


def images_of_several_sizes(example: ModuleType) -> Result:
    model = example.make_model()
    give_weights(model)
    history = model.fit(example.batches(), steps_per_epoch=6, epochs=2, verbose=0)
    new = example.make_images(10, 48, 17, np.random.default_rng(2))
    return result(model, history, evaluated=model.evaluate(*new, verbose=0))


# In float64, as Adam makes steps of one size out of the rounding errors of a gradient that is 0.
EXACT = (
    mnist_convnet,
    inputs_and_outputs,
    autoencoder,
    siamese,
    transfer_learning,
    custom_layer,
    images_of_several_sizes,
    pytorch_data,
)

# --- runs that draw: the last logs of each seed ---------------------------------------------------


def dropout_of_mnist_convnet(seed: int) -> Iterator[Any]:
    example = yield "mnist_convnet"
    x, y, *_ = example.load_data()
    example.keras.utils.set_random_seed(seed)
    model = example.make_model((8, 8, 1))
    give_weights(model)
    yield model.fit(x[:512], y[:512], **FIT)


def vae(seed: int) -> Iterator[Any]:
    example = yield "vae"
    x = example.load_data()[:512]
    model = example.make_model(seed)
    model.predict(x[:1], verbose=0)
    give_weights(model)
    yield model.fit(x, x, validation_split=0.25, **FIT)


def gan(seed: int) -> Iterator[Any]:
    example = yield "gan"
    model = example.make_model(seed)
    give_weights(model)
    yield model.fit(example.load_data(512), **{**FIT, "epochs": 8})


DRAWING = (dropout_of_mnist_convnet, vae, gan)


def run_exact(run: Callable[[ModuleType], Result], library: str) -> Result:
    example = load(run.__name__, library)
    # PyTorch fails at a gradient of the autoencoder's convolutions in float64.
    set_dtype(example.keras, "float32" if run is autoencoder else "float64")
    try:
        return run(example)
    finally:
        set_dtype(example.keras, "float32")


def set_dtype(library: Any, dtype: str) -> None:
    library.config.set_floatx(dtype)
    if library.__name__ == "keras":  # it keeps the policy of the first layer that was ever made
        library.config.set_dtype_policy(dtype)


def run_drawing(run: Callable[[int], Iterator[Any]], library: str) -> list[dict[str, float]]:
    """The last logs of each seed."""
    logs = []
    for seed in SEEDS:
        steps = run(seed)
        history = steps.send(load(next(steps), library)).history
        logs.append({name: values[-1] for name, values in history.items()})
    return logs


def main(path: str) -> None:
    import torch

    torch.set_num_threads(1)  # the networks are small
    results: dict[str, Any] = {}
    for runs, how in ((EXACT, run_exact), (DRAWING, run_drawing)):
        for run in runs:
            try:
                results[run.__name__] = how(run, "keras")
            except Exception:
                results[run.__name__] = traceback.format_exc()
    Path(path).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
