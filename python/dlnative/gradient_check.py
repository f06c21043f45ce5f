"""Gradients of backpropagation compared with differences of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import engines
from .autodiff import evaluation_of

if TYPE_CHECKING:
    from .utils.serialization import Identifier


class GradcheckResult:
    """What gradcheck found.

    Attributes:
        max_error: The largest |numerical - analytic| / max(1, |numerical|, |analytic|).
        errors: The largest error per variable path.
        evaluations: How often the loss was evaluated for the numerical gradient.
        numerical, analytic: Gradients by variable path; NaN where an entry was not checked.
    """

    def __init__(
        self,
        max_error: float,
        errors: dict[str, float],
        evaluations: int,
        numerical: dict[str, np.ndarray],
        analytic: dict[str, np.ndarray],
    ) -> None:
        self.max_error = max_error
        self.errors = errors
        self.evaluations = evaluations
        self.numerical = numerical
        self.analytic = analytic

    def __repr__(self) -> str:
        return f"<GradcheckResult max_error={self.max_error:.3g} evaluations={self.evaluations}>"


def gradcheck(
    model: Any,
    x: Any,
    y: Any,
    loss: Identifier | None = None,
    mode: str = "central",
    epsilon: float | None = None,
    max_params: int | None = None,
    seed: int = 0,
    training: bool = False,
) -> GradcheckResult:
    """Compares backpropagation with numerical gradients, in float64.

    Forward differences, (L(w + h e_i) - L(w)) / h, take N + 1 evaluations of the loss for N
    parameters; central ones, (L(w + h e_i) - L(w - h e_i)) / 2h, take 2 N and are more accurate.
    The model's variables are not changed.

    Args:
        model: A built or buildable model.
        x, y: One batch.
        loss: A loss as in value_and_grad; the compiled one by default.
        mode: "central" or "forward".
        epsilon: The step h; 1e-6 (central: 1e-5) by default.
        max_params: Check this many randomly chosen parameters at most; all by default.
        seed: Seed of that choice.
        training: What the layers see as `training`.

    Returns:
        A GradcheckResult.

    Raises:
        ValueError: Unknown mode, or no loss is given and the model has none.
    """
    from . import losses

    if mode not in ("central", "forward"):
        raise ValueError(f"gradcheck: expected mode 'central' or 'forward', received {mode!r}")
    known = losses.as_loss(loss if loss is not None else getattr(model, "loss", None))
    if known is None:
        raise ValueError("gradcheck: no loss was given, and the model is not compiled with one")
    evaluation = evaluation_of(engines.ProgramCache(1), model, known, x, y, "float64", training)
    _, *analytic = evaluation.run(True)
    values = [np.array(v.live, dtype="float64") for v in evaluation.fed]
    h = epsilon or (1e-5 if mode == "central" else 1e-6)
    entries = [(i, j) for i, v in enumerate(evaluation.variables) for j in range(v.size)]
    if max_params is not None and max_params < len(entries):
        chosen = np.random.default_rng(seed).choice(len(entries), max_params, replace=False)
        entries = [entries[c] for c in sorted(chosen)]
    evaluations = 0

    def value_at(i: int, j: int, shift: float) -> float:
        nonlocal evaluations
        evaluations += 1
        flat = values[i].reshape(-1)
        before = flat[j]
        flat[j] = before + shift
        result = evaluation.run(False, values)[0].item()
        flat[j] = before
        return result

    base = value_at(0, 0, 0.0) if mode == "forward" and entries else 0.0
    numerical = [np.full(v.shape, np.nan) for v in evaluation.variables]
    checked = [np.zeros(v.shape, dtype=bool) for v in evaluation.variables]
    for i, j in entries:
        if mode == "forward":
            slope = (value_at(i, j, h) - base) / h
        else:
            slope = (value_at(i, j, h) - value_at(i, j, -h)) / (2 * h)
        numerical[i].reshape(-1)[j] = slope
        checked[i].reshape(-1)[j] = True
    errors, paths = {}, evaluation.paths
    for path, n, a, chosen in zip(paths, numerical, analytic, checked):
        scale = np.maximum(1.0, np.maximum(np.abs(n), np.abs(a)))
        finite = np.isfinite(a) & np.isfinite(n)
        error = np.where(finite, np.abs(n - a) / scale, np.inf)[chosen]
        errors[path] = float(error.max()) if error.size else 0.0
    return GradcheckResult(
        max(errors.values(), default=0.0),
        errors,
        evaluations,
        dict(zip(paths, numerical)),
        dict(zip(paths, analytic)),
    )
