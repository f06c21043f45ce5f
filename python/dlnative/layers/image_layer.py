"""The base of layers that change images: what they are called on, and what users may override."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..graph.open_shapes import unless_open
from ..graph.tensor import Tensor
from ..hyperparameters import Option
from ..ops.image.layout import channel_axis, plane_axes
from ..random.seed_generator import Seed
from . import geometry, messages
from .layer import UnaryLayer

if TYPE_CHECKING:
    from ..graph.types import Shape

REFUSED = ("bounding_boxes", "segmentation_masks")


_PACKAGE = __name__.partition(".")[0] + "."
_SIZE = 16  # stands for an open one


def _is_open(shape: Shape) -> bool:
    return None in map(unless_open, shape)


class ImageLayer(UnaryLayer):
    """Base of the layers that change images, with or without a batch axis, alone or with labels.

    A layer is called on images, (batch, height, width, channels) or one image without the batch,
    or on a dict of "images" and "labels", of which it returns another dict. Subclasses give
    `transform_images`, or `_transformed`, which gets a batch of images in the layer's dtype.

    Args:
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.
    """

    data_format = Option(geometry.data_format)
    infers_by_sizes = True
    _casts_untrained = True  # whether images get the dtype of the layer outside of training, too

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}

    # --- what users may call and override --------------------------------------------------------

    def get_random_transformation(self, data: Any, training: bool = True, seed: Seed = None) -> Any:
        """What is drawn for images, or a dict with "images"; None outside of training."""
        return self._random_transformation(data, seed) if training else None

    def _random_transformation(self, data: Any, seed: Seed) -> Any:
        """What is drawn in training; None where there is nothing to draw."""
        return None

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """A batch of images after the transformation."""
        if training:
            return self._transformed(self._cast(images), transformation)
        return self._cast(images) if self._casts_untrained else images

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The labels of a batch after the transformation: most leave them alone."""
        return labels

    def transform_single_image(self, image: Any, transformation: Any, training: bool = True) -> Any:
        """One image without the batch axis."""
        y = self.transform_images(
            ops.expand_dims(image, 0), transformation=transformation, training=training
        )
        return ops.squeeze(y, 0)

    def transform_single_label(self, label: Any, transformation: Any, training: bool = True) -> Any:
        """The label of one image."""
        y = self.transform_labels(
            ops.expand_dims(label, 0), transformation=transformation, training=training
        )
        return ops.squeeze(y, 0)

    def _transformed(self, images: Any, transformation: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must implement transform_images")

    # --- calling ---------------------------------------------------------------------------------

    def call(self, data: Any, training: bool = True) -> Any:
        if not isinstance(data, dict):
            return self._call_on({"images": data}, data, training)["images"]
        for key in REFUSED:
            if key in data:
                raise NotImplementedError(
                    f"{messages.describe(self)}: {key} are not available, expected a dict of "
                    f"'images' and 'labels', received {sorted(data)}"
                )
        if "images" not in data:
            raise ValueError(
                f"{messages.describe(self)}: expected a dict with 'images', received {sorted(data)}"
            )
        return self._call_on(data, data, training)

    def _call_on(self, parts: dict[str, Any], data: Any, training: bool) -> dict[str, Any]:
        images = parts["images"]
        self._check_rank(images)
        if _is_open(images.shape) and self._is_of_package:
            return self._shapes_on(parts, data, training)
        batched = images.ndim == 4
        drawn = self.get_random_transformation(data, training=training)
        options = {"transformation": drawn, "training": training}
        transform = self.transform_images if batched else self.transform_single_image
        found = {**parts, "images": transform(images, **options)}
        if "labels" in parts:
            relabel = self.transform_labels if batched else self.transform_single_label
            found["labels"] = relabel(parts["labels"], **options)
        return found

    @property
    def _is_of_package(self) -> bool:
        """Whether no class of a user's says how to draw and to transform: then shapes stay."""
        return all(
            getattr(type(self), name).__module__.startswith(_PACKAGE)
            for name in ("get_random_transformation", "transform_images", "transform_labels")
        )

    def _shapes_on(self, parts: dict[str, Any], data: Any, training: bool) -> dict[str, Any]:
        """Tensors of the shapes and dtypes of the results, while open sizes are being inferred."""
        graph = parts["images"].graph
        axis = self._channel_axis(parts["images"])

        def closed(tensor: Any) -> Any:
            """One of sizes that any transformation takes."""
            sizes = [_SIZE if unless_open(n) is None else n for n in tensor.shape]
            if tensor is parts["images"] and unless_open(tensor.shape[axis]) is None:
                sizes[axis] = 3
            return graph.feed(sizes, tensor.dtype)

        small = {key: closed(value) for key, value in parts.items()}
        found = self._call_on(small, small if data is parts else small["images"], training)
        return {key: graph.feed(value.shape, found[key].dtype) for key, value in parts.items()}

    def _check_rank(self, images: Any) -> None:
        if images.ndim != 4 and (images.ndim != 3 or _is_open(images.shape)):
            shape = [unless_open(n) for n in images.shape]
            hint = ". Images need an axis for their channels, if only of size 1"
            raise ValueError(
                f"{messages.describe(self)}: expected images of shape (batch, height, width, "
                f"channels), received {messages.format_shape(shape)}"
                f"{messages.source(images)}{hint if images.ndim == 3 else ''}"
            )

    def _check_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        data = args[0] if args else kwargs.get("data")
        if not isinstance(data, dict):
            super()._check_inputs((data,), {})

    # --- images ----------------------------------------------------------------------------------

    def _images(self, data: Any) -> Any:
        """The images of what the layer is called on."""
        images = data["images"] if isinstance(data, dict) else data
        if isinstance(images, Tensor) and images.is_symbolic:
            raise TypeError(
                f"{messages.describe(self)}: expected arrays or tensors of a running call, "
                "received a symbolic tensor. Call the layer on it."
            )
        images = images if isinstance(images, Tensor) else np.asarray(images)
        if images.ndim not in (3, 4):
            raise ValueError(
                f"{messages.describe(self)}: expected images of rank 3 or 4, received shape "
                f"{images.shape}"
            )
        return images

    def _cast(self, images: Any) -> Any:
        return ops.cast(images, self.compute_dtype)

    @property
    def _is_first(self) -> bool:
        return self.data_format == "channels_first"

    def _sizes(self, images: Any) -> tuple[int, int]:
        """Height and width of images."""
        row, column = self._plane_axes(images)
        return images.shape[row], images.shape[column]

    def _channel_axis(self, images: Any) -> int:
        return channel_axis(images, self._is_first)

    def _rescaled(self, images: Any, given: Sequence[float], wanted: Sequence[float]) -> Any:
        """Values of one range in another one."""
        if tuple(given) == tuple(wanted):
            return images
        shares = (images - given[0]) / (given[1] - given[0])
        return shares * (wanted[1] - wanted[0]) + wanted[0]

    def _last(self, images: Any) -> Any:
        """Images with channels last."""
        return ops.moveaxis(images, -3, -1) if self._is_first else images

    def _as_given(self, images: Any) -> Any:
        """Images with channels last in the layout of the layer."""
        return ops.moveaxis(images, -1, -3) if self._is_first else images

    def _plane_axes(self, images: Any) -> tuple[int, int]:
        return plane_axes(images, self._is_first)
