"""Which pixels the taps of a kernel meet: what all convolutions of the oracle share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ._arrays import Array

Padding = str | Sequence[int]
Pads = list[tuple[int, int]]


class Taps:
    """Which pixels of a padded image the taps of a kernel meet.

    Attributes:
        pads: (before, after) per axis; "same" gives ceil(size / stride) places and puts the odd
            pixel after the image, as in Keras.
        places: How often the kernel fits into the padded image, per axis.
    """

    def __init__(
        self,
        op: str,
        sizes: Sequence[int],
        kernel_size: Sequence[int],
        strides: Sequence[int] | None,
        padding: Padding,
        dilation_rate: Sequence[int] | None,
    ) -> None:
        rank = len(sizes)
        self.sizes = tuple(sizes)
        self.kernel_size = tuple(kernel_size)
        self.strides = (1,) * rank if strides is None else tuple(strides)
        self.dilation = (1,) * rank if dilation_rate is None else tuple(dilation_rate)
        extents = [d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation)]
        if padding == "valid":
            self.pads: Pads = [(0, 0)] * rank
        elif padding == "same":
            self.pads = []
            for size, extent, stride in zip(sizes, extents, self.strides):
                covered = (size - 1) // stride * stride + extent
                missing = max(covered - size, 0)
                self.pads.append((missing // 2, missing - missing // 2))
        else:
            numbers = [int(p) for p in padding]
            self.pads = [(numbers[2 * i], numbers[2 * i + 1]) for i in range(rank)]
        self.places = tuple(
            (size + before + after - extent) // stride + 1
            for size, (before, after), extent, stride in zip(
                sizes, self.pads, extents, self.strides
            )
        )
        if min(self.places) < 1:
            raise ValueError(
                f"{op}: expected a kernel that fits into the padded image, received kernel size "
                f"{self.kernel_size} for sizes {self.sizes} and padding {padding!r}."
            )

    def pad(self, x: Array) -> Array:
        """The images with a border of zeros."""
        return np.pad(x, [(0, 0), *self.pads, (0, 0)])

    def crop(self, padded: Array) -> Array:
        """The images without their border: the adjoint of `pad`."""
        inside = tuple(
            slice(before, before + size) for size, (before, _) in zip(self.sizes, self.pads)
        )
        region = (slice(None), *inside)
        return np.array(padded[region])

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Each tap's index in the kernel, and the slice of a padded batch that it meets."""
        for tap in np.ndindex(self.kernel_size):
            met = tuple(
                slice(t * d, t * d + (places - 1) * s + 1, s)
                for t, d, places, s in zip(tap, self.dilation, self.places, self.strides)
            )
            yield tap, (slice(None), *met)
