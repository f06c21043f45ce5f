"""Answers cases with real Keras on JAX: `keras_worker.py answers.pickle`, keys on standard input.

The answers are a dict by key: {"results": [...], "gradients": [...]} or {"error": "..."}; under
"signatures" it has the parameters of all names: [(name, default as text or None), ...].
"""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import sys
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
warnings.simplefilter("ignore")

import jax  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from cases import Case, all_cases, arguments, leaves, weights  # noqa: E402
from names import find, functions  # noqa: E402


def plain(value):
    """A result as a NumPy array, or as it is where it is none."""
    return np.asarray(value) if isinstance(value, (jax.Array, np.ndarray, np.generic)) else value


def found(op):
    """Keras's function, or for names that this version of Keras does not have yet JAX's."""
    try:
        return find(keras, op)
    except AttributeError:
        return getattr(jax.numpy, op)


def is_float(value):
    return hasattr(value, "dtype") and "float" in str(value.dtype)


def answer(case: Case):
    """What Keras answers to a case."""
    args, kwargs = arguments(case, lambda array, static: jax.numpy.asarray(array))

    def function(*args, **kwargs):
        if case.call is not None:
            return case.call(keras, *args, **kwargs)
        return found(case.op)(*args, **kwargs)

    try:
        if not case.values:
            return {"results": abstract(function, args, kwargs), "gradients": []}
        results = leaves(function(*args, **kwargs))
        answer = {"results": [plain(r) for r in results], "gradients": []}
        if case.grad:
            answer["gradients"] = gradients(function, args, kwargs, case.grad)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    return answer


def abstract(function, args, kwargs):
    """Shapes and dtypes of the results, as arrays whose values mean nothing."""
    results = jax.eval_shape(lambda: function(*args, **kwargs))
    return [
        np.empty(r.shape, r.dtype) if isinstance(r, jax.ShapeDtypeStruct) else r
        for r in leaves(results)
    ]


def gradients(function, args, kwargs, chosen):
    """The gradients of the chosen arguments, one after another."""
    given = [args[c] if isinstance(c, int) else kwargs[c] for c in chosen]

    def restricted(*given):
        new_args, new_kwargs = list(args), dict(kwargs)
        for c, value in zip(chosen, given):
            (new_args if isinstance(c, int) else new_kwargs)[c] = value
        return [r for r in leaves(function(*new_args, **new_kwargs)) if is_float(r)]

    results, pullback = jax.vjp(restricted, *given)
    cotangents = [
        jax.numpy.asarray(weights(i, r.shape, str(r.dtype))) for i, r in enumerate(results)
    ]
    return [np.asarray(g) for g in leaves(list(pullback(cotangents)))]


def signatures():
    """The parameters of all functions: name, and the text of the default."""
    result = {}
    for name in functions():
        with contextlib.suppress(AttributeError):  # newer than this version of Keras
            function = find(keras, name.removeprefix("ops."))
            parameters = inspect.signature(function).parameters.values()
            result[name] = [
                (p.name, None if p.default is p.empty else repr(p.default)) for p in parameters
            ]
    return result


def main():
    keys = set(sys.stdin.read().split())
    answers = {}
    for cases in all_cases().values():
        for case in cases:
            if case.key in keys and case.key not in answers:
                answers[case.key] = answer(case)
    if "signatures" in keys:
        answers["signatures"] = signatures()
    with open(sys.argv[1], "wb") as file:
        pickle.dump(answers, file)


if __name__ == "__main__":
    main()
