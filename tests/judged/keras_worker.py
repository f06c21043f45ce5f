"""Answers cases with real Keras on JAX: `keras_worker.py answers.pickle`, keys on standard input.

The answers are a dict by key: {"results": [...], "gradients": [...]} or {"error": "..."}; under
"signatures-..." it has the parameters of all names: [(name, default as text or None), ...].

All cases of an op are compiled as one program, which takes a fraction of the time of one program
for each primitive. What cannot be traced, or raises, is computed by itself.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import sys
import time
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
warnings.simplefilter("ignore")

import jax  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from cases import Call, Case, all_cases, weights  # noqa: E402
from keras.src.backend.common import dtypes  # noqa: E402
from names import find, functions  # noqa: E402

if jax.config.jax_enable_x64:  # Keras promotes to 32 bits also where JAX has 64
    dtypes.BIT64_TO_BIT32_DTYPE.clear()

SECONDS = 20  # between two times at which the answers are saved


class KerasCall(Call):
    """The call of a case as a function of its tensors, with arrays as results.

    Results that are no arrays, such as shapes, are kept in `plain`.
    """

    def __init__(self, case: Case):
        super().__init__(case)
        self.plain: list[tuple | None] = []

    def __call__(self, *tensors):
        """(the results, the gradients)."""
        results = self.results(tensors)
        self.plain = [None if _is_array(r) else (r,) for r in results]
        found = self.gradients(tensors) if self.case.grad else []
        return [r for r in results if _is_array(r)], found

    def results(self, tensors):
        function = None
        if self.case.call is None:
            try:
                function = find(keras, self.case.op)
            except AttributeError:  # newer than this version of Keras
                function = getattr(jax.numpy, self.case.op)
        return self.run(keras, function, tensors)

    def gradients(self, tensors):
        """The gradients of the chosen tensors, one after another."""
        chosen = self.chosen()

        def restricted(*given):
            replaced = dict(zip(chosen, given))
            results = self.results([replaced.get(i, t) for i, t in enumerate(tensors)])
            return [r for r in results if _is_array(r) and "float" in str(r.dtype)]

        results, pullback = jax.vjp(restricted, *(tensors[i] for i in chosen))
        cotangents = [weights(i, r.shape, str(r.dtype)) for i, r in enumerate(results)]
        return list(pullback([jax.numpy.asarray(c) for c in cotangents]))

    def answer(self, arrays, gradients):
        """The answer, from what the call has returned."""
        arrays = iter(arrays)
        results = [np.asarray(next(arrays)) if p is None else p[0] for p in self.plain]
        return {"results": results, "gradients": [np.asarray(g) for g in gradients]}


def _is_array(value):
    return isinstance(value, (jax.Array, np.ndarray, np.generic))


def answers_of(cases: list[Case]) -> dict[str, dict]:
    """The answers to the cases of one op."""
    answers, traced = {}, {}
    for case in cases:
        call = KerasCall(case)
        try:
            arrays, _ = jax.eval_shape(call, *call.tensors)
        except Exception:  # it raises, or its results depend on values: see alone
            answers[case.key] = alone(call)
        else:
            if case.values:
                traced[case.key] = call
            else:
                answers[case.key] = call.answer([np.empty(a.shape, a.dtype) for a in arrays], [])
    try:
        given = {key: call.tensors for key, call in traced.items()}
        results = jax.jit(lambda given: {k: traced[k](*given[k]) for k in traced})(given)
        answers.update({k: traced[k].answer(*results[k]) for k in traced})
    except Exception:
        answers.update({k: alone(call) for k, call in traced.items()})
    jax.clear_caches()
    return answers


def alone(call):
    """The answer to one case, computed at once."""
    try:
        return call.answer(*call(*(jax.numpy.asarray(t) for t in call.tensors)))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:300]}"}


def signatures():
    """The parameters of all functions: name, and the text of the default."""
    result = {}
    for name in functions():
        with contextlib.suppress(AttributeError):  # newer than this version of Keras
            function = find(keras, name)
            parameters = inspect.signature(function).parameters.values()
            result[name] = [
                (p.name, None if p.default is p.empty else repr(p.default)) for p in parameters
            ]
    return result


def save(answers):
    partial = Path(sys.argv[1]).with_suffix(".part")
    partial.write_bytes(pickle.dumps(answers))
    partial.replace(sys.argv[1])


def main():
    keys = set(sys.stdin.read().split())
    answers = {key: signatures() for key in keys if key.startswith("signatures")}
    asked = {c.key: c for cases in all_cases().values() for c in cases if c.key in keys}
    saved, parent = time.monotonic(), os.getppid()
    for op in dict.fromkeys(c.op for c in asked.values()):
        if os.getppid() != parent:
            return  # nobody waits any more
        answers.update(answers_of([c for c in asked.values() if c.op == op]))
        if time.monotonic() - saved > SECONDS:
            save(answers)
            saved = time.monotonic()
    save(answers)


if __name__ == "__main__":
    main()
