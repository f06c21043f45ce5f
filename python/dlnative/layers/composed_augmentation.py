"""Random changes of images one after the other, in training only; see random_image.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops, random
from ..graph.tensor import Valued, traced_graph
from ..hyperparameters import Number
from ..random.seed_generator import Seed
from .affine_augmentation import RandomRotation, RandomTranslation
from .augmentation import RandomBrightness, RandomContrast, contrast_range
from .color_augmentation import RandomColorDegeneration, RandomHue, RandomSaturation
from .filter_augmentation import RandomSharpness
from .geometry import data_format
from .image_layer import ImageLayer
from .options import Fixed, flag, positive_integer
from .random_image import (
    RandomImageLayer,
    affine_rows,
    bounds,
    factor_range,
    supported,
    value_limits,
)
from .seeded import SeededLayer
from .tone_augmentation import AutoContrast, Equalization, RandomPosterization, Solarization
from .warping_augmentation import INTERPOLATIONS, RandomShear

GEOMETRY = ("random_shear", "random_translation", "random_rotation")
TONES = ("random_posterization", "solarization", "auto_contrast", "equalization")
COLORS = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")


class ComposedImageLayer(RandomImageLayer):
    """Base of the layers that are made of others, which they call on images with channels last.

    What the inner layers were made with is fixed. Each of them draws by itself.
    """

    data_format = Fixed(data_format, from_start=True)
    value_range = Fixed(value_limits, from_start=True)
    _parts: tuple[str, ...] = ()

    @property
    def seed(self) -> int | None:
        """The seed that was given; None where it comes from the global stream."""
        return self.__dict__["seed"]

    @seed.setter
    def seed(self, seed: int | None) -> None:
        SeededLayer.seed.fset(self, seed)  # type: ignore[attr-defined]
        for name in self._parts:
            part = getattr(self, name)
            if isinstance(part, SeededLayer):
                part.seed = seed

    def _make(self, parts: dict[str, tuple[Callable[..., ImageLayer], dict[str, Any]]]) -> None:
        """Makes the inner layers, by their names: class and arguments."""
        for name, (cls, arguments) in parts.items():
            if issubclass(cls, SeededLayer):  # type: ignore[arg-type]
                arguments = {**arguments, "seed": self.seed}
            arguments = {**arguments, "data_format": "channels_last", "dtype": self.dtype}
            setattr(self, name, cls(**arguments))
        self.__dict__["_parts"] = tuple(parts)

    def _draw_part(self, name: str, images: Any, seed: Seed) -> Any:
        """What an inner layer draws for images with channels last."""
        if traced_graph() is None:
            seed = self._seed(seed)
        return getattr(self, name).get_random_transformation(images, training=True, seed=seed)

    def _transform_last(self, images: Any, transformation: Any) -> Any:
        """The transformation of images with channels last."""
        raise NotImplementedError

    def _transformed(self, images: Any, transformation: Any) -> Any:
        return self._as_given(self._transform_last(self._last(images), transformation))


def _kept(check: Callable[[Any, str, Any], Any]) -> Callable[[Any, str, Any], Any]:
    """A check for `Option`: None or what another check lets pass; lists (out of JSON) as tuples."""

    def keep(layer: Any, argument: str, value: Any) -> Any:
        if value is not None:
            check(layer, argument, value)
        return tuple(value) if isinstance(value, list) else value

    return keep


class RandomColorJitter(ComposedImageLayer):
    """In training brightness, contrast, saturation and hue change, in this order. Otherwise: y = x.

    Shapes: (batch, height, width, 3) or (height, width, 3), the same out.

    Args:
        value_range: (low, high): the range of the values.
        brightness_factor: That of `RandomBrightness`; None leaves the brightness as it is.
        contrast_factor: That of `RandomContrast`, or None.
        saturation_factor: That of `RandomSaturation`, or None.
        hue_factor: That of `RandomHue`, or None.
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError, ValueError: See these layers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomColorJitter
        >>> jitter = RandomColorJitter((0, 1), brightness_factor=(0.25, 0.25))
        >>> jitter(np.full((1, 1, 3), 0.5), training=True).flatten().tolist()
        [0.75, 0.75, 0.75]

    Differs from Keras: `get_random_transformation` returns what was drawn for each of the four.
    """

    _casts_untrained = False
    brightness_factor = Fixed(_kept(factor_range), from_start=True)
    contrast_factor = Fixed(_kept(contrast_range), from_start=True)
    saturation_factor = Fixed(_kept(bounds(-1, 1)), from_start=True)
    hue_factor = Fixed(_kept(bounds(0, 1)), from_start=True)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        brightness_factor: float | Sequence[float] | None = None,
        contrast_factor: float | Sequence[float] | None = None,
        saturation_factor: float | Sequence[float] | None = None,
        hue_factor: float | Sequence[float] | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.value_range = value_range
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        kinds: dict[str, tuple[Any, Any]] = {
            "random_brightness": (RandomBrightness, self.brightness_factor),
            "random_contrast": (RandomContrast, self.contrast_factor),
            "random_saturation": (RandomSaturation, self.saturation_factor),
            "random_hue": (RandomHue, self.hue_factor),
        }
        self._make(
            {
                name: (cls, {"factor": factor, "value_range": self.value_range})
                for name, (cls, factor) in kinds.items()
                if factor is not None
            }
        )

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._last(self._images(data))
        return {name: self._draw_part(name, images, seed) for name in self._parts}

    def _transform_last(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            transformation = {name: self._draw_part(name, images, None) for name in self._parts}
        for name in self._parts:
            images = getattr(self, name).transform_images(images, transformation[name])
        return images

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "value_range": self.value_range,
            "brightness_factor": self.brightness_factor,
            "contrast_factor": self.contrast_factor,
            "saturation_factor": self.saturation_factor,
            "hue_factor": self.hue_factor,
        }


def _known(index: Any) -> int | None:
    """The value of an integer that was drawn; None where only the program will know it."""
    return (
        int(np.asarray(index)) if isinstance(index, (int, np.generic, np.ndarray, Valued)) else None
    )


class ChoosingLayer(ComposedImageLayer):
    """Base of the layers that choose among others for each batch.

    On arrays only the chosen ones are computed. A program computes all and takes the chosen ones.
    """

    computes_at_once = True
    factor = Fixed(bounds(0, 1), from_start=True)
    interpolation = Fixed(supported(*INTERPOLATIONS), from_start=True)

    def _make_named(self, names: Sequence[str]) -> None:
        values = {"value_range": self.value_range}
        factor = {"factor": self.factor}
        reading = {"interpolation": self.interpolation}
        bits = max(1, int(8 * self.factor[1]))
        shares = {"addition_factor": self.factor, "threshold_factor": self.factor}
        shifts = {"height_factor": self.factor, "width_factor": self.factor}
        known: dict[str, tuple[Any, dict[str, Any]]] = {
            "random_shear": (
                RandomShear,
                {"x_factor": self.factor, "y_factor": self.factor, **reading},
            ),
            "random_translation": (RandomTranslation, {**shifts, **reading}),
            "random_rotation": (RandomRotation, {**factor, **reading}),
            "random_brightness": (RandomBrightness, {**factor, **values}),
            "random_color_degeneration": (RandomColorDegeneration, {**factor, **values}),
            "random_contrast": (RandomContrast, {**factor, **values}),
            "random_sharpness": (RandomSharpness, {**factor, **values}),
            "random_posterization": (RandomPosterization, {"factor": bits, **values}),
            "solarization": (Solarization, {**shares, **values}),
            "auto_contrast": (AutoContrast, values),
            "equalization": (Equalization, values),
        }
        self._make({name: known[name] for name in names})

    def _chosen(self, index: Any, transforms: dict[str, Any], images: Any) -> Any:
        """Images after the transformation of this number; a number beyond the last leaves them."""
        names, number = list(transforms), _known(index)
        if number is not None:
            for name in names[number : number + 1]:
                images = getattr(self, name).transform_images(images, transforms[name])
            return images
        result = self._warped(index, transforms, images)
        for i, name in enumerate(names):
            if name not in GEOMETRY:
                y = getattr(self, name).transform_images(images, transforms[name])
                result = ops.where(index == i, y, result)
        return result

    def _warped(self, index: Any, transforms: dict[str, Any], images: Any) -> Any:
        """Images after the chosen change if that is one of places: pixels are read once for all."""
        matrix = affine_rows(images, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        for i, (name, drawn) in enumerate(transforms.items()):
            if name in GEOMETRY:
                matrix = ops.where(index == i, getattr(self, name).affine_of(images, drawn), matrix)
        shear: Any = getattr(self, GEOMETRY[0])  # all of them read alike
        return shear.read(images, matrix)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "value_range": self.value_range,
            "factor": self.factor,
            "interpolation": self.interpolation,
        }


class RandAugment(ChoosingLayer):
    """In training some of eleven changes, chosen for each batch, one after the other. Otherwise:
    y = x.

    These are `RandomShear`, `RandomTranslation`, `RandomRotation`, `RandomBrightness`,
    `RandomColorDegeneration`, `RandomContrast`, `RandomSharpness`, `RandomPosterization`,
    `Solarization`, `AutoContrast` and `Equalization`.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out; 3 channels
    or 1.

    Args:
        value_range: (low, high): the range of the values.
        num_ops: How many changes.
        factor: Their range, two numbers in [0, 1]; a number f stands for (0, f).
        interpolation: "bilinear" or "nearest".
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `num_ops` or `seed` is not an integer.
        ValueError: `num_ops` below 1, `factor` is no number or two in [0, 1], or `value_range` is
            not two different numbers.
        NotImplementedError: An unknown interpolation.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandAugment
        >>> RandAugment(seed=1)(np.zeros((4, 8, 8, 3)), training=True).shape
        (4, 8, 8, 3)

    In a model all eleven are computed for each of the `num_ops`; called on arrays only the chosen
    ones are.

    Reference: Cubuk et al. 2020, "RandAugment: practical automated data augmentation with a reduced
    search space".
    """

    num_ops = Fixed(positive_integer, from_start=True)
    _NAMES = (*GEOMETRY, *COLORS, *TONES)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_ops: int = 2,
        factor: float | Sequence[float] = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.value_range = value_range
        self.num_ops = num_ops
        self.factor = factor
        self.interpolation = interpolation
        self._make_named(self._NAMES)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._last(self._images(data))
        chosen = random.randint((self.num_ops,), 0, len(self._parts), seed=self._seed(seed))
        transforms = {name: self._draw_part(name, images, seed) for name in self._parts}
        return {"transforms": transforms, "layer_idxes": chosen}

    def _transform_last(self, images: Any, transformation: Any) -> Any:
        for i in range(self.num_ops):
            chosen = transformation["layer_idxes"][i]
            images = self._chosen(chosen, transformation["transforms"], images)
        return images

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_ops": self.num_ops}


class AugMix(ChoosingLayer):
    """In training: y = clip(w x + (1 - w) sum_c v[c] chain_c(x), low, high). Otherwise: y = x.

    A chain is `chain_depth` changes one after the other, each of them for a batch one of those of
    `RandAugment` or none. v is drawn from the Dirichlet distribution of alpha, w from the beta
    distribution of (alpha, alpha).

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out; 3 channels
    or 1.

    Args:
        value_range: (low, high): the range of the values.
        num_chains: How many chains.
        chain_depth: The length of a chain.
        factor: The range of the changes, two numbers in [0, 1]; a number f stands for (0, f).
        alpha: Parameter of the distributions, above 0.
        all_ops: False leaves out brightness, colour degeneration, contrast and sharpness.
        interpolation: "bilinear" or "nearest".
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `num_chains`, `chain_depth` or `seed` is not an integer, or `alpha` no number.
        ValueError: `num_chains` or `chain_depth` below 1, `alpha` not above 0, `factor` is no
            number or two in [0, 1], or `value_range` is not two different numbers.
        NotImplementedError: An unknown interpolation.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import AugMix
        >>> AugMix(seed=1)(np.zeros((4, 8, 8, 3)), training=True).shape
        (4, 8, 8, 3)

    In a model all changes are computed for each place of each chain; called on arrays only the
    chosen ones are.

    Differs from Keras: what is chosen follows the seed. In a model it is another choice at each
    step; Keras with JAX chooses once, when `fit` compiles.

    Reference: Hendrycks et al. 2020, "AugMix: a simple data processing method to improve robustness
    and uncertainty".
    """

    num_chains = Fixed(positive_integer, from_start=True)
    chain_depth = Fixed(positive_integer, from_start=True)
    alpha = Number(0.0, above=True)
    all_ops = Fixed(flag, from_start=True)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: float | Sequence[float] = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.value_range = value_range
        self.num_chains = num_chains
        self.chain_depth = chain_depth
        self.factor = factor
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self._make_named((*GEOMETRY, *TONES, *(COLORS if self.all_ops else ())))

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images, seeds = self._last(self._images(data)), self._seed(seed)
        shares = random.gamma((self.num_chains,), self.alpha, self.compute_dtype, seed=seeds)
        weight = random.beta((), self.alpha, self.alpha, self.compute_dtype, seed=seeds)
        shape = (self.num_chains, self.chain_depth)
        chosen = random.randint(shape, 0, len(self._parts) + 1, seed=seeds)
        chains = [
            [self._draw_link(chosen[i, k], images, seed) for k in range(self.chain_depth)]
            for i in range(self.num_chains)
        ]
        return {
            "chain_mixing_weights": shares / ops.sum(shares),
            "weight_sample": weight,
            "chain_transforms": [[link for link in chain if link] for chain in chains],
        }

    def _draw_link(self, chosen: Any, images: Any, seed: Seed) -> dict[str, Any]:
        """What is drawn for a place of a chain, where the choice is known for the chosen layer."""
        number = _known(chosen)
        if number == len(self._parts):
            return {}
        if number is not None:
            name = self._parts[number]
            drawn = self._draw_part(name, images, seed)
            return {"layer_name": name, "transformation": drawn}
        transforms = {name: self._draw_part(name, images, seed) for name in self._parts}
        return {"layer_idx": chosen, "transforms": transforms}

    def _transform_last(self, images: Any, transformation: Any) -> Any:
        mixed: Any = 0.0
        for i, chain in enumerate(transformation["chain_transforms"]):
            y = images
            for link in chain:
                if "layer_name" in link:
                    layer = getattr(self, link["layer_name"])
                    y = layer.transform_images(y, link["transformation"])
                else:
                    y = self._chosen(link["layer_idx"], link["transforms"], y)
            mixed = mixed + y * transformation["chain_mixing_weights"][i]
        weight = transformation["weight_sample"]
        return ops.clip(weight * images + (1 - weight) * mixed, *self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_chains": self.num_chains,
            "chain_depth": self.chain_depth,
            "alpha": self.alpha,
            "all_ops": self.all_ops,
        }
