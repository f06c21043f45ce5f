"""Random shifts, rotations and zooms of images, in training only; see augmentation.py."""

from __future__ import annotations

from ..graph.ops.augmentation import FILL_MODES, INTERPOLATIONS
from . import messages
from .augmentation import RandomImageLayer


class _RandomAffineLayer(RandomImageLayer):
    """Base of shift, rotation and zoom: what lies outside of the image, and between its pixels."""

    def __init__(self, fill_mode, interpolation, seed, fill_value, data_format, **kwargs):
        super().__init__(seed, data_format, **kwargs)
        self.fill_mode = self._choice("fill_mode", fill_mode, FILL_MODES)
        self.interpolation = self._choice("interpolation", interpolation, INTERPOLATIONS)
        self.fill_value = float(fill_value)

    def _affine(self, images, **ranges):
        return self._apply(
            "random_affine",
            images,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            interpolation=self.interpolation,
            **ranges,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "fill_mode": self.fill_mode,
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }


def _plain(factor):
    """A factor as it is given, lists (out of JSON) as tuples."""
    return tuple(factor) if isinstance(factor, list) else factor


class RandomTranslation(_RandomAffineLayer):
    """In training each image is shifted by a random part of its size. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        height_factor: Range of the shift downwards as a share of the height, two numbers in
            [-1, 1]; f stands for (-f, f).
        width_factor: Range of the shift to the right as a share of the width, likewise.
        fill_mode: What lies outside of an image a b c: "reflect" b a|a b c|c b, "constant" for
            `fill_value`, "nearest" a a|a b c|c c, "wrap" b c|a b c|a b.
        interpolation: "bilinear" or "nearest".
        seed: An integer, or None for one from the global stream.
        fill_value: See `fill_mode`.
        data_format: None or "channels_last".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: A factor is not a number or two, `seed` not an integer.
        ValueError: A factor outside of [-1, 1], an unknown mode, or `data_format` is
            "channels_first".

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomTranslation
        >>> shift = RandomTranslation(0, (0.5, 0.5), fill_mode="constant")
        >>> shift(np.arange(4.0).reshape(1, 1, 4, 1), training=True).flatten().tolist()
        [0.0, 0.0, 0.0, 1.0]
    """

    def __init__(
        self,
        height_factor,
        width_factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = _plain(height_factor)
        self.width_factor = _plain(width_factor)
        self._height_range = self._pair("height_factor", height_factor, -1.0, 1.0)
        self._width_range = self._pair("width_factor", width_factor, -1.0, 1.0)

    def _draw(self, images):
        return self._affine(images, height_shift=self._height_range, width_shift=self._width_range)

    def get_config(self):
        return {
            **super().get_config(),
            "height_factor": self.height_factor,
            "width_factor": self.width_factor,
        }


class RandomRotation(_RandomAffineLayer):
    """In training each image is rotated about its middle by a random angle. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: Range of the angle in turns (0.25 is a right angle), two numbers in [-1, 1];
            positive is counter-clockwise; f stands for (-f, f).
        fill_mode, interpolation, seed, fill_value, data_format: See `RandomTranslation`.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `factor` is not a number or two, `seed` not an integer.
        ValueError: `factor` outside of [-1, 1], an unknown mode, or `data_format` is
            "channels_first".

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomRotation
        >>> turn = RandomRotation((0.25, 0.25))
        >>> turn(np.arange(4.0).reshape(2, 2, 1), training=True)[..., 0]
        array([[1., 3.],
               [0., 2.]], dtype=float32)
    """

    def __init__(
        self,
        factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = self._pair("factor", factor, -1.0, 1.0)

    def _draw(self, images):
        return self._affine(images, rotation=self.factor)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class RandomZoom(_RandomAffineLayer):
    """In training each image is made smaller or larger about its middle. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        height_factor: Range of f for rows, two numbers in (-1, 1]: the image shows 1 + f of its
            rows, so 0.5 zooms out and -0.5 zooms in; f stands for (-f, f).
        width_factor: Range for columns; None for the f of the rows, which keeps the aspect ratio.
        fill_mode, interpolation, seed, fill_value, data_format: See `RandomTranslation`.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: A factor is not a number or two, `seed` not an integer.
        ValueError: A factor outside of (-1, 1], an unknown mode, or `data_format` is
            "channels_first".

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomZoom
        >>> zoom = RandomZoom(0, (-0.5, -0.5))
        >>> zoom(np.arange(5.0).reshape(1, 1, 5, 1), training=True).flatten().tolist()
        [1.0, 1.5, 2.0, 2.5, 3.0]
    """

    def __init__(
        self,
        height_factor,
        width_factor=None,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = _plain(height_factor)
        self.width_factor = _plain(width_factor)
        self._height_range = self._zooms("height_factor", height_factor)
        self._width_range = (
            None if width_factor is None else self._zooms("width_factor", width_factor)
        )

    def _zooms(self, argument, factor):
        lower, upper = self._pair(argument, factor, -1.0, 1.0)
        if lower <= -1.0:
            raise ValueError(
                f"{messages.describe(self)}: expected {argument} in (-1, 1], received {factor!r}: "
                "-1 would enlarge the image without end"
            )
        return 1.0 + lower, 1.0 + upper

    def _draw(self, images):
        return self._affine(images, height_zoom=self._height_range, width_zoom=self._width_range)

    def get_config(self):
        return {
            **super().get_config(),
            "height_factor": self.height_factor,
            "width_factor": self.width_factor,
        }
