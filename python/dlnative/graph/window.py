"""Windows that slide over images: the sizes and the padding of convolution and pooling.

One axis: a window of `w` taps with dilation `d` spans e = (w - 1) d + 1 pixels. Over n pixels with
`before` and `after` pixels of padding and stride `s` it stops at

    out = (n + before + after - e) // s + 1

places, and tap t of place o reads pixel o s + t d - before. Padding "valid" is (0, 0). Padding
"same" gives out = ceil(n / s) with a total of max((out - 1) s + e - n, 0) pixels, of which the odd
one comes after, as in Keras. Explicit padding is flat: (left, right) or (top, bottom, left, right).
A size may be open, None: then that of the output is, and the padding of that axis is given as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .types import Padding, Shape, Size

AXES = {1: ("length",), 2: ("height", "width")}


def check_sizes(op: str, name: str, values: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """`values` as a tuple of `rank` integers; ValueError unless each is at least `least`."""
    if (
        not isinstance(values, (tuple, list))
        or len(values) != rank
        or not all(isinstance(v, int) and not isinstance(v, bool) and v >= least for v in values)
    ):
        raise ValueError(
            f"{op}: expected '{name}' to be a tuple of {rank} integers of at least {least}, "
            f"received {values!r}"
        )
    return tuple(values)


def check_padding(op: str, padding: Any, rank: int) -> None:
    """ValueError unless `padding` is "valid", "same" or 2 rank non-negative integers."""
    if padding in ("valid", "same"):
        return
    if isinstance(padding, str) or padding is None:
        raise ValueError(
            f"{op}: expected padding 'valid', 'same' or a tuple of {2 * rank} integers, "
            f"received {padding!r}"
        )
    check_sizes(op, "padding", padding, 2 * rank, least=0)


def span(window: int, dilation: int) -> int:
    """Pixels from the first to the last tap of a window."""
    return (window - 1) * dilation + 1


def pads_of(
    sizes: Sequence[Size],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
) -> list[tuple[int, int]]:
    """The padding of `sizes` as one (before, after) per axis."""
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if not isinstance(padding, str):
        return list(zip(padding[::2], padding[1::2]))
    pads = []
    for n, w, s, d in zip(sizes, window, strides, dilation):
        total = max((-(-n // s) - 1) * s + span(w, d) - n, 0)
        pads.append((total // 2, total - total // 2))
    return pads


def slide(
    op: str,
    sizes: Sequence[Size],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int] | None = None,
    what: str = "kernel",
) -> tuple[Shape, tuple[int, ...]]:
    """Where a window stops on an image.

    Args:
        op: Name of the op, for messages.
        sizes: Spatial sizes of the input: (length,) or (height, width).
        window: Taps per axis.
        strides: Strides per axis.
        padding: "valid", "same", or a flat tuple of integers.
        dilation: Distances between taps per axis; None for 1.
        what: What the window is called in messages.

    Returns:
        (sizes of the output, flat tuple of explicit padding).

    Raises:
        ValueError: An attribute has a wrong length or range, a size is 0, or the window is larger
            than the padded input.
    """
    rank = len(sizes)
    dilation = check_sizes(op, "dilation_rate", (1,) * rank if dilation is None else dilation, rank)
    window = check_sizes(op, f"{what}_size", window, rank)
    strides = check_sizes(op, "strides", strides, rank)
    check_padding(op, padding, rank)
    for axis, n in zip(AXES[rank], sizes):
        if n == 0:
            raise ValueError(f"{op}: expected a {axis} of at least 1, received {tuple(sizes)}")
    known = [1 if n is None else n for n in sizes]
    pads = [
        (0, 0) if n is None else pair
        for n, pair in zip(sizes, pads_of(known, window, strides, padding, dilation))
    ]
    result: list[int | None] = []
    for axis, n, w, s, d, (before, after) in zip(
        AXES[rank], sizes, window, strides, dilation, pads
    ):
        if n is None:
            result.append(None)
            continue
        room = n + before + after - span(w, d)
        if room < 0:
            dilated = f" (dilated to {span(w, d)})" if d > 1 else ""
            padded = f" ({n + before + after} with padding)" if before + after else ""
            raise ValueError(
                f"{op}: the {what} of size {tuple(window)} is larger than the padded input: its "
                f"{axis} is {w}{dilated}, the input's is {n}{padded}. Use a smaller {what}, larger "
                f"images, or padding='same'."
            )
        result.append(room // s + 1)
    return tuple(result), tuple(p for pair in pads for p in pair)


def slide_transposed(
    op: str,
    sizes: Sequence[Size],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    output_padding: Sequence[int] | None = None,
    dilation: Sequence[int] | None = None,
) -> tuple[Shape, tuple[int, ...]]:
    """The image that a window writes to when convolution is run backwards: transposed convolution.

    Place i, tap t writes pixel i s + t d - before, so this is the adjoint of a convolution that
    maps `out` pixels to n with padding (before, after). As in Keras 3, with o the output padding:

        padding    o       out                       before
        "valid"    None    (n - 1) s + max(e, s)     0
        "valid"    o       (n - 1) s + e + o         0
        "same"     None    n s                       max((e - s) // 2, 0)
        "same"     o       (n - 1) s + e % 2 + o     max(e // 2 - (o + 1) // 2, 0)
        (b, a)     o       (n - 1) s + e + o - b - a   b, with o = 0 for None

    `after` is what that convolution needs to end at its last place, (n - 1) s + e - before - out,
    but no less than 0: pixels after the last tap are written by none.

    Returns:
        (sizes of the output, flat tuple of the convolution's explicit padding).

    Raises:
        ValueError: An attribute has a wrong length or range, or the output would be empty.
    """
    rank = len(sizes)
    dilation = check_sizes(op, "dilation_rate", (1,) * rank if dilation is None else dilation, rank)
    window = check_sizes(op, "kernel_size", window, rank)
    strides = check_sizes(op, "strides", strides, rank)
    check_padding(op, padding, rank)
    extra: tuple[int | None, ...] = (None,) * rank
    if output_padding is not None:
        extra = check_sizes(op, "output_padding", output_padding, rank, least=0)
        if any(o >= s for o, s in zip(extra, strides)):
            raise ValueError(
                f"{op}: expected output_padding to be smaller than the strides {tuple(strides)}, "
                f"received {tuple(output_padding)}"
            )
    result: list[int | None] = []
    pads: list[int] = []
    for i, (n, w, s, d, o) in enumerate(zip(sizes, window, strides, dilation, extra)):
        if n is None:
            result.append(None)
            pads += [0, 0]
            continue
        if n == 0:
            raise ValueError(
                f"{op}: expected a {AXES[rank][i]} of at least 1, received {tuple(sizes)}"
            )
        e = span(w, d)
        if padding == "valid":
            before, out = 0, (n - 1) * s + (max(e, s) if o is None else e + o)
        elif not isinstance(padding, str):
            before = padding[2 * i]
            out = (n - 1) * s + e + (o or 0) - before - padding[2 * i + 1]
        elif o is None:
            before, out = max((e - s) // 2, 0), n * s
        else:
            before, out = max(e // 2 - (o + 1) // 2, 0), (n - 1) * s + e % 2 + o
        if out < 1:
            raise ValueError(
                f"{op}: the output's {AXES[rank][i]} would be {out} for input sizes "
                f"{tuple(sizes)}, kernel size {tuple(window)}, strides {tuple(strides)} and "
                f"padding {padding!r}. Use less padding, larger strides or larger images."
            )
        result.append(out)
        pads += [before, max((n - 1) * s + e - before - out, 0)]
    return tuple(result), tuple(pads)
