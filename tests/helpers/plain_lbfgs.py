"""L-BFGS once more, as plain as can be: a dense inverse Hessian, made anew in each iteration."""

from __future__ import annotations

import numpy as np


def inverse_hessian(pairs, size):
    """The BFGS formula, (I - s y'/y's) H (I - y s'/y's) + s s'/y's, from (y's / y'y) I on."""
    if not pairs:
        return np.eye(size)
    s, y = pairs[-1]
    h = np.eye(size) * (s @ y) / (y @ y)
    for s, y in pairs:
        left = np.eye(size) - np.outer(s, y) / (s @ y)
        h = left @ h @ left.T + np.outer(s, s) / (s @ y)
    return h


def cubic(a, fa, ga, b, fb, gb):
    """The minimum of the cubic with these values and slopes at a and b."""
    coefficients = np.linalg.solve(
        [[1, a, a**2, a**3], [0, 1, 2 * a, 3 * a**2], [1, b, b**2, b**3], [0, 1, 2 * b, 3 * b**2]],
        [fa, ga, fb, gb],
    )
    _, c1, c2, c3 = coefficients
    return (-c2 + np.sqrt(c2**2 - 3 * c3 * c1)) / (3 * c3)


def strong_wolfe(phi, f0, g0, t, c1=1e-4, c2=0.9):
    """Algorithms 3.5 and 3.6 of Nocedal and Wright, without safeguards that no test needs."""
    before = (0.0, f0, g0)
    while True:
        f, g = phi(t)
        if f > f0 + c1 * t * g0 or (before[0] > 0 and f >= before[1]):
            low, high = before, (t, f, g)
            break
        if abs(g) <= -c2 * g0:
            return t
        if g >= 0:
            low, high = (t, f, g), before
            break
        longest = 10 * t
        with np.errstate(invalid="ignore"):
            longer = cubic(*before, t, f, g)
        if np.isnan(longer):
            longer = (t + 0.01 * (t - before[0]) + longest) / 2
        before = (t, f, g)
        t = min(max(longer, t + 0.01 * (t - before[0])), longest)
    while True:
        t = cubic(*low, *high)
        f, g = phi(t)
        if f > f0 + c1 * t * g0 or f >= low[1]:
            high = (t, f, g)
            continue
        if abs(g) <= -c2 * g0:
            return t
        if g * (high[0] - low[0]) >= 0:
            high = low
        low = (t, f, g)


def minimise(function, w, iterations, history=10):
    """The points of L-BFGS.

    Args:
        function: Function from weights to (value, gradient).
        w: Where to begin.
        iterations: How many points to return.
        history: How many pairs are kept.
    """
    pairs, points = [], []
    f, g = function(w)
    for _ in range(iterations):
        d = -inverse_hessian(pairs, w.size) @ g
        t = 1.0 if pairs else min(1.0, 1.0 / np.abs(g).sum())

        def phi(t, w=w, d=d):
            value, gradient = function(w + t * d)
            return value, gradient @ d

        new = w + strong_wolfe(phi, f, g @ d, t) * d
        f, gradient = function(new)
        pairs = [*pairs, (new - w, gradient - g)][-history:]
        w, g = new, gradient
        points.append(w)
    return points
