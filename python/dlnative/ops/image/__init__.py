"""keras.ops.image: colours, sizes, geometry, filters and patches of images.

Images are (height, width, channels) or (batch, height, width, channels), with `data_format`
"channels_first" (channels, height, width) or (batch, channels, height, width).

Example:
    >>> import numpy as np
    >>> import dlnative
    >>> dlnative.ops.image.resize(np.ones((8, 8, 3), dtype=np.float32), (4, 6)).shape
    (4, 6, 3)
"""

from .colors import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from .elastic import elastic_transform
from .filters import gaussian_blur, sobel_edges, ssim
from .framing import crop_images, pad_images
from .geometry import affine_transform, map_coordinates, perspective_transform
from .patches import extract_patches, reconstruct_patches
from .resizing import resize, scale_and_translate

__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "reconstruct_patches",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]
