"""The 1797 handwritten digits that come with scikit-learn: 8x8 pixels, ten classes."""

from __future__ import annotations

import numpy as np

__all__ = ["load_data"]


def load_data(
    test_fraction: float = 0.2, seed: int = 0
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns the digits, shuffled and split into a training and a test set.

    The images are part of scikit-learn, so nothing is downloaded. Pixels count ink from 0 to 16;
    `layers.Rescaling(1 / 16)` brings them to [0, 1] inside a model.

    Args:
        test_fraction: Share of the 1797 samples that become the test set, in (0, 1).
        seed: Seed of the shuffle, `Generator(PCG64(seed))`. The same seed gives the same split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 of shape `(n, 8, 8)` with values
        0..16, labels uint8 of shape `(n,)` with values 0..9.

    Raises:
        ValueError: If `test_fraction` leaves one of the two sets empty.
        ImportError: If scikit-learn is not installed.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_train.dtype, int(x_train.max())
        ((1438, 8, 8), dtype('uint8'), 16)

    Reference:
        C. Kaynak, "Methods of Combining Multiple Classifiers and Their Applications to
        Handwritten Digit Recognition", 1995.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "datasets.digits is the copy inside scikit-learn, which is not installed; "
            "pip install 'dlnative[examples]'"
        ) from error
    bunch = load_digits()
    total = len(bunch.target)
    test = round(total * test_fraction)
    if not 0 < test < total:
        raise ValueError(
            f"digits.load_data: expected test_fraction to leave samples on both sides of the "
            f"split of {total}, received {test_fraction!r}"
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(total)
    x = bunch.images.astype(np.uint8)[order]
    y = bunch.target.astype(np.uint8)[order]
    return (x[test:], y[test:]), (x[:test], y[:test])
