"""Small problems with known answers: logic gates, parity, and points in the plane.

Every function returns `(x, y)`: x float32 of shape `(n, features)`, y int32 of shape
`(n,)`. Those that draw random numbers take a seed and use `Generator(PCG64(seed))`.
"""

from __future__ import annotations

import numpy as np

__all__ = ["and_", "blobs", "moons", "nand", "or_", "parity", "spirals", "xor"]

_Points = tuple[np.ndarray, np.ndarray]


def and_() -> _Points:
    """The four rows of AND: `y = x0 and x1`. One layer can learn it.

    Example:
        >>> x, y = and_()
        >>> x.tolist(), y.tolist()
        ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 0, 1])
    """
    return _gate([0, 0, 0, 1])


def or_() -> _Points:
    """The four rows of OR: `y = x0 or x1`. One layer can learn it."""
    return _gate([0, 1, 1, 1])


def nand() -> _Points:
    """The four rows of NAND: `y = not (x0 and x1)`. One layer can learn it."""
    return _gate([1, 1, 1, 0])


def xor() -> _Points:
    """The four rows of XOR: `y = x0 != x1`. No single layer can learn it; two can.

    Example:
        >>> xor()[1].tolist()
        [0, 1, 1, 0]

    Reference:
        M. Minsky and S. Papert, "Perceptrons", MIT Press, 1969.
    """
    return _gate([0, 1, 1, 0])


def parity(bits: int) -> _Points:
    """All rows of `bits` bits, labelled by whether the number of ones is odd.

    `y = (x_0 + ... + x_(bits-1)) mod 2`; `parity(2)` is XOR.

    Args:
        bits: Number of bits, 1 to 20.

    Returns:
        x of shape `(2**bits, bits)`, rows in the order of the binary numbers; y of shape
        `(2**bits,)`.

    Raises:
        ValueError: If `bits` is outside 1..20.

    Example:
        >>> x, y = parity(3)
        >>> x.shape, y.tolist()
        ((8, 3), [0, 1, 1, 0, 1, 0, 0, 1])
    """
    if not 1 <= bits <= 20:
        raise ValueError(f"toy.parity: expected 1 to 20 bits, received {bits!r}")
    numbers = np.arange(2**bits)[:, None]
    x = numbers >> np.arange(bits - 1, -1, -1) & 1
    return x.astype(np.float32), (x.sum(axis=1) % 2).astype(np.int32)


def moons(samples: int = 200, noise: float = 0.1, seed: int = 0) -> _Points:
    """Two interleaved half circles.

    Class 0 is `(cos t, sin t)`, class 1 is `(1 - cos t, 0.5 - sin t)`, t in [0, pi]; to every
    coordinate a normal number of standard deviation `noise` is added.

    Args:
        samples: Number of points, at least 2; the classes get equal shares, the first the odd one.
        noise: Standard deviation, not negative.
        seed: Seed of the noise and of the order of the points.

    Raises:
        ValueError: If there are fewer samples than classes, or `noise` is negative.

    Example:
        >>> x, y = moons(100)
        >>> x.shape, int(y.sum())
        ((100, 2), 50)
    """
    generator = _generator("moons", samples, 2, noise, seed)
    first, second = (np.linspace(0, np.pi, n) for n in _shares(samples, 2))
    x = np.concatenate(
        [
            np.stack([np.cos(first), np.sin(first)], axis=1),
            np.stack([1 - np.cos(second), 0.5 - np.sin(second)], axis=1),
        ]
    )
    return _shuffled(x, _shares(samples, 2), noise, generator)


def spirals(
    samples: int = 300,
    classes: int = 2,
    turns: float = 1.0,
    noise: float = 0.02,
    seed: int = 0,
) -> _Points:
    """Spiral arms around the origin, one per class.

    A point of class c is `r * (cos a, sin a)`, `a = 2 pi (turns * r + c / classes)`, with r
    from 0.05 to 1; to every coordinate a normal number of standard deviation `noise` is added.

    Args:
        samples: Number of points, at least one per class.
        classes: Number of arms, at least 2.
        turns: Turns of each arm around the origin.
        noise: Standard deviation, not negative.
        seed: Seed of the noise and of the order of the points.

    Raises:
        ValueError: If there are fewer samples than classes, fewer than two classes, or `noise`
            is negative.
    """
    generator = _generator("spirals", samples, classes, noise, seed)
    shares = _shares(samples, classes)
    arms = []
    for label, count in enumerate(shares):
        radius = np.linspace(0.05, 1, count)
        angle = 2 * np.pi * (turns * radius + label / classes)
        arms.append(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return _shuffled(np.concatenate(arms), shares, noise, generator)


def blobs(
    samples: int = 300,
    classes: int = 3,
    features: int = 2,
    spread: float = 1.0,
    seed: int = 0,
) -> _Points:
    """Normal clouds around centres that are uniform in [-10, 10].

    Args:
        samples: Number of points, at least one per class.
        classes: Number of clouds, at least 2.
        features: Number of coordinates, at least 1.
        spread: Standard deviation of a cloud in every coordinate, not negative.
        seed: Seed of the centres, the points and their order.

    Raises:
        ValueError: If there are fewer samples than classes, fewer than two classes, no feature,
            or `spread` is negative.

    Example:
        >>> x, y = blobs(90, classes=3, features=4)
        >>> x.shape, sorted(set(y.tolist()))
        ((90, 4), [0, 1, 2])
    """
    generator = _generator("blobs", samples, classes, spread, seed)
    if features < 1:
        raise ValueError(f"toy.blobs: expected at least 1 feature, received {features!r}")
    shares = _shares(samples, classes)
    centres = generator.uniform(-10, 10, (classes, features))
    return _shuffled(np.repeat(centres, shares, axis=0), shares, spread, generator)


def _gate(outputs: list[int]) -> _Points:
    return parity(2)[0], np.array(outputs, np.int32)


def _generator(
    name: str, samples: int, classes: int, noise: float, seed: int
) -> np.random.Generator:
    if classes < 2:
        raise ValueError(f"toy.{name}: expected at least 2 classes, received {classes!r}")
    if samples < classes:
        raise ValueError(
            f"toy.{name}: expected at least one sample for each of {classes} classes, "
            f"received {samples!r}"
        )
    if not noise >= 0:
        raise ValueError(
            f"toy.{name}: expected a standard deviation of at least 0, received {noise!r}"
        )
    return np.random.Generator(np.random.PCG64(seed))


def _shares(samples: int, classes: int) -> list[int]:
    """Numbers of samples per class, as equal as can be, the larger ones first."""
    return [(samples + classes - 1 - label) // classes for label in range(classes)]


def _shuffled(
    x: np.ndarray, shares: list[int], noise: float, generator: np.random.Generator
) -> _Points:
    y = np.repeat(np.arange(len(shares), dtype=np.int32), shares)
    x = x + generator.normal(0, noise, x.shape)
    order = generator.permutation(len(y))
    return x[order].astype(np.float32), y[order]
