"""The layers that `--augment` names."""

from __future__ import annotations

from typing import Any

from .arguments import FLIPS


def augmentation(name: str, amount: Any, shape: tuple[int, ...], largest: Any) -> Any:
    """The layer of one name of `--augment`, whose images are in the range of their pixels.

    One layer, which is the identity outside training: nothing of it may stay for inference.

    Args:
        name: One of `arguments.AUGMENTATIONS`.
        amount: How much of it.
        shape: (height, width, channels) of the images.
        largest: The highest value of a pixel.
    """
    from .. import layers

    if name == "flip":
        return layers.RandomFlip(FLIPS[amount], name=name)
    if name == "crop":
        return layers.RandomCrop(shape[0], shape[1], padding=amount, name=name)
    always, chance, middle = (1.0, 1.0), (amount, amount), (0.5 - amount / 2, 0.5 + amount / 2)
    values = {"value_range": (0, largest)}
    layer, options = {
        "translation": ("RandomTranslation", {"height_factor": amount, "width_factor": amount}),
        "rotation": ("RandomRotation", {"factor": amount}),
        "zoom": ("RandomZoom", {"height_factor": amount, "width_factor": amount}),
        "shear": ("RandomShear", {"x_factor": amount, "y_factor": amount}),
        "perspective": ("RandomPerspective", {"factor": always, "scale": amount}),
        "elastic": ("RandomElasticTransform", {"factor": always, "scale": amount, **values}),
        "brightness": ("RandomBrightness", {"factor": amount, **values}),
        "contrast": ("RandomContrast", {"factor": amount, **values}),
        # The saturation is what is cut off at 1, not pixels.
        "saturation": ("RandomSaturation", {"factor": middle, "value_range": (0, 1)}),
        "hue": ("RandomHue", {"factor": amount, **values}),
        "grayscale": ("RandomGrayscale", {"factor": amount}),
        "invert": ("RandomInvert", {"factor": chance, **values}),
        "sharpness": ("RandomSharpness", {"factor": middle, **values}),
        "blur": ("RandomGaussianBlur", {"factor": chance, **values}),
        "erasing": ("RandomErasing", {"factor": chance, **values}),
        "randaugment": ("RandAugment", {"factor": amount, **values}),
        "augmix": ("AugMix", {"factor": amount, **values}),
    }[name]
    return getattr(layers, layer)(**options, name=name)
