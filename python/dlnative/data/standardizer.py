"""Features brought to mean 0 and standard deviation 1, by statistics that can be stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Standardizer"]


@dataclass(frozen=True, eq=False)
class Standardizer:
    """`y = (x - mean) / scale`, element by element over the last axes.

    Attributes:
        mean: float64, the shape of one sample.
        scale: float64, the shape of one sample; the standard deviation, and 1 where a feature
            is constant.

    Example:
        >>> standardizer = Standardizer.fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> standardizer.apply(np.array([[1.0, 5.0], [5.0, 6.0]])).tolist()
        [[-1.0, 0.0], [3.0, 1.0]]
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray) -> Standardizer:
        """Measures mean and standard deviation over the first axis, in float64.

        Args:
            x: Samples of shape `(n, ...)`, n at least 1, any numeric dtype.

        Raises:
            ValueError: If the sum of their squares is more than a float64 can be.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean = x.mean(axis=0, dtype=np.float64)
            deviation = x.std(axis=0, dtype=np.float64)
        if not np.isfinite(deviation).all():
            largest = np.abs(x).max(axis=0)[~np.isfinite(deviation)].flat[0]
            raise ValueError(
                f"numbers as large as {largest:g} have no deviation in float64; change their unit"
            )
        # Rounding of the mean lets a constant feature show a tiny deviation; squares underflow.
        constant = (x.min(axis=0) == x.max(axis=0)) | (deviation == 0)
        return cls(mean, np.where(constant, 1.0, deviation))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Returns `(x - mean) / scale` as float32.

        Raises:
            ValueError: If that is more than a float32 can be.
        """
        with np.errstate(over="ignore"):
            y = ((x - self.mean) / self.scale).astype(np.float32)
        if not np.isfinite(y).all():
            place = tuple(int(index) for index in np.argwhere(~np.isfinite(y))[0])
            raise ValueError(
                f"sample {place[0]} has {x[place]:g} where the training data have the mean "
                f"{self.mean[place[1:]]:g}: too far away for float32"
            )
        return y

    def invert(self, y: np.ndarray) -> np.ndarray:
        """Returns `y * scale + mean` as float64: the inverse of `apply`."""
        return y * self.scale + self.mean

    def get_config(self) -> dict[str, Any]:
        """Returns the statistics as lists, for JSON."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Standardizer:
        """Restores what `get_config` returned.

        Raises:
            ValueError: If it is something else.
        """
        mean, scale = (np.array(config[name], np.float64) for name in ("mean", "scale"))
        if mean.shape != scale.shape or not np.isfinite([mean, scale]).all() or not scale.all():
            raise ValueError(
                "expected finite means and as many scales that are not zero, received "
                f"{np.array2string(mean, threshold=4)} and {np.array2string(scale, threshold=4)}"
            )
        return cls(mean, scale)
