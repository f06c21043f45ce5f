"""Files of events, as TensorBoard reads them: records of protocol buffers with checksums."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import socket
import struct
import time
from typing import Any

import numpy as np

from .log_file import LogFile

PREFIX = "events.out.tfevents."
BINS = 30  # of histograms, as in Keras
SHOWN = 64  # filters and channels of a kernel that its image has
_numbers = itertools.count()


def require_writer() -> Any:
    """tensorboardX; ImportError where it is not installed."""
    try:
        import tensorboardX
    except ImportError as error:
        raise ImportError(
            "callbacks.TensorBoard needs tensorboardX: pip install 'dlnative[tensorboard]'"
        ) from error
    return tensorboardX


class EventFile:
    """A file of events in a folder.

    Args:
        folder: The folder, which is made if needed.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._file: LogFile | None = None

    def begin(self) -> None:
        """Events from here on are in a new file, which the first of them makes."""
        # Two runs that begin in the same second have files of their own.
        name = f"{PREFIX}{int(time.time()):010d}.{socket.gethostname()}"
        self._use(f"{name}.{os.getpid()}.{next(_numbers)}")

    def get_state(self) -> list[Any] | None:
        """[name, length in bytes], or None before `begin`."""
        if self._file is None:
            return None
        return [os.path.basename(self._file.path), self._file.position]

    def set_state(self, owner: str, state: list[Any] | None) -> None:
        """Goes on as when `get_state` was called: cuts off the events that came later."""
        self._file = None
        if state is None:
            return
        name, position = state
        if (
            not isinstance(name, str)
            or not name.startswith(PREFIX)
            or os.path.basename(name) != name
        ):
            raise ValueError(f"{owner}: expected the name of a file of events, received {name!r}")
        file = self._use(name)
        if position == 0:
            with contextlib.suppress(FileNotFoundError):
                os.remove(file.path)
        else:
            file.cut(owner, position)

    def write(self, values: list[Any], step: int) -> None:
        """Writes what `scalar` and its like have made, for one step."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        if self._file is None:
            self.begin()
        assert self._file is not None
        data = b""
        if self._file.position == 0:
            os.makedirs(self.folder, exist_ok=True)
            data = _record(Event(wall_time=time.time(), file_version="brain.Event:2"))
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self._file.write(data + _record(event))

    def _use(self, name: str) -> LogFile:
        self._file = LogFile(os.path.join(self.folder, name))
        self._file.position = 0
        return self._file


def _record(event: Any) -> bytes:
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    from tensorboardX.crc32c import crc32c

    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


# --- values of events -----------------------------------------------------------------------------


def scalar(tag: str, value: Any) -> Any:
    """A point of a curve."""
    from tensorboardX.proto.summary_pb2 import Summary

    return Summary.Value(tag=tag, simple_value=float(value))


def histogram(tag: str, array: np.ndarray) -> Any:
    """The distribution of the finite elements of an array; None where there are none."""
    from tensorboardX.proto.summary_pb2 import HistogramProto, Summary

    values = array[np.isfinite(array)].astype(np.float64)
    if not values.size:
        return None
    counts, edges = np.histogram(values, BINS)
    histo = HistogramProto(
        min=values.min(),
        max=values.max(),
        num=values.size,
        sum=values.sum(),
        sum_squares=values @ values,
        bucket_limit=edges[1:].tolist(),
        bucket=counts.tolist(),
    )
    return Summary.Value(tag=tag, histo=histo)


def image(tag: str, pixels: np.ndarray) -> Any:
    """A picture of (height, width) or (height, width, 3) bytes."""
    from PIL import Image
    from tensorboardX.proto.summary_pb2 import Summary

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    height, width, *channels = pixels.shape
    picture = Summary.Image(
        height=height,
        width=width,
        colorspace=channels[0] if channels else 1,
        encoded_image_string=file.getvalue(),
    )
    return Summary.Value(tag=tag, image=picture)


def layers_graph(tag: str, model_json: str) -> Any:
    """The graph of layers, of a model's configuration."""
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto
    from tensorboardX.proto.types_pb2 import DT_STRING

    plugin = SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
    tensor = TensorProto(dtype=DT_STRING, string_val=[model_json.encode()])
    return Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)


def picture_of(array: np.ndarray) -> np.ndarray | None:
    """Weights as bytes, black the smallest and white the largest of them.

    Args:
        array: A vector is a line, a matrix lies on its longer side. A kernel of convolutions,
            (height, width, channels, filters), is a table of its taps: a row for each filter, a
            column for each channel, or one in colours where there are three of them.

    Returns:
        (height, width) or (height, width, 3); None for arrays of other shapes, and of elements
        that are not finite.
    """
    if not array.size or not np.isfinite(array).all():
        return None
    low, high = float(array.min()), float(array.max())
    scaled = np.round((array - low) * (255.0 / ((high - low) or 1.0))).astype(np.uint8)
    if scaled.ndim == 1:
        return scaled[None]
    if scaled.ndim == 2:
        return scaled.T if scaled.shape[0] > scaled.shape[1] else scaled
    if scaled.ndim != 4:
        return None
    return _filters(scaled[..., :SHOWN, :SHOWN])


def _filters(kernel: np.ndarray) -> np.ndarray:
    """A table of the taps of a kernel, with a black line between them."""
    height, width, channels, filters = kernel.shape
    in_colours = channels == 3
    columns = 1 if in_colours else channels
    table = np.zeros((filters, height + 1, columns, width + 1, 3 if in_colours else 1), np.uint8)
    taps = kernel.transpose(3, 0, 1, 2)  # filter, y, x, channel
    table[:, :height, :, :width] = (
        taps[:, :, None] if in_colours else taps.transpose(0, 1, 3, 2)[..., None]
    )
    pixels = table.reshape(filters * (height + 1), columns * (width + 1), -1)[:-1, :-1]
    return pixels if in_colours else pixels[..., 0]
