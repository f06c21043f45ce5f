"""Weights that are adapted by a product of low rank (LoRA)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import apply
from ..hyperparameters import Absent, Option
from ..numbered_values import load_values
from ..variables import Variable
from . import messages, tracking
from .layer import UnaryLayer
from .options import Fixed, positive_integer

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..graph.tensor import Tensor
    from ..utils.serialization import Identifier


def _rank(layer: Any, argument: str, value: Any) -> int | None:
    return None if value is None else positive_integer(layer, argument, value)


def _alpha(layer: Any, argument: str, value: Any) -> float | None:
    return layer.lora_rank if value is None else value


class LowRankLayer(UnaryLayer):
    """Base of the layers whose weight W can be frozen and adapted: W + alpha / rank A B.

    The matrices A (..., in, rank) and B (rank, out) are trained in the place of W (..., in, out).

    Attributes:
        lora_rank: The rank, None where there is no such product.
        lora_alpha: By what it counts; the rank by default.

    Reference:
        Hu et al. 2021, "LoRA: low-rank adaptation of large language models".
    """

    _adapted = "kernel"  # the weight
    lora_rank = Fixed(_rank)
    lora_alpha = Option(_alpha)
    quantization_config = Absent("there are no kernels of 8 bits")

    def _set_low_rank(
        self, lora_rank: int | None, lora_alpha: float | None, quantization_config: None
    ) -> None:
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha
        self.quantization_config = quantization_config

    @property
    def lora_enabled(self) -> bool:
        """Whether there are matrices A and B."""
        return f"lora_{self._adapted}_a" in self.__dict__

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Identifier = "he_uniform",
        b_initializer: Identifier = "zeros",
    ) -> None:
        """Freezes the weight of the built layer, and adds matrices that are trained in its place.

        A compiled model has to be compiled again, as it has other weights to train.

        Args:
            rank: How many columns A has, and rows B.
            lora_alpha: By what their product counts, divided by the rank; the rank by default.
            a_initializer, b_initializer: See `initializers.get`. As B begins with zeros, the layer
                is at first what it was.

        Raises:
            ValueError: The weight has a constraint, the layer is not built, or it has them already.
        """
        if getattr(self, f"{self._adapted}_constraint") is not None:
            raise ValueError(
                f"{messages.describe(self)}: a weight with a constraint cannot be adapted, as the "
                f"sum would not fulfil it. Remove {self._adapted}_constraint."
            )
        if not self.built and not self.__dict__.get("_building"):
            raise ValueError(f"{messages.describe(self)}: it must be built before enable_lora")
        if self.lora_enabled:
            raise ValueError(f"{messages.describe(self)}: enable_lora may be called once")
        state = self.__dict__
        state["lora_rank"] = _rank(self, "rank", rank)
        state["lora_alpha"] = _alpha(self, "lora_alpha", lora_alpha)
        weight = getattr(self, self._adapted)
        locked, state["_locked"] = state["_locked"], False
        try:
            self._add_factor("a", (*weight.shape[:-1], rank), a_initializer)
            self._add_factor("b", (rank, weight.shape[-1]), b_initializer)
        finally:
            state["_locked"] = locked
        weight.trainable = False

    def _add_factor(self, which: str, shape: tuple[int, ...], initializer: Identifier) -> None:
        name = f"lora_{self._adapted}_{which}"
        regularizer = getattr(self, f"{self._adapted}_regularizer")
        made = self.add_weight(
            shape=shape, initializer=initializer, regularizer=regularizer, name=name
        )
        setattr(self, name, made)

    def _build_low_rank(self) -> None:
        """Adds the matrices that the constructor was asked for."""
        if self.lora_rank is not None:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _weight(self, graph: Graph) -> Variable | Tensor:
        """The weight, or the sum that stands for it."""
        weight = getattr(self, self._adapted)
        if not self.lora_enabled:
            return weight
        a, b = self._factors()
        product = apply("matmul", graph.variable(a), graph.variable(b))
        return graph.variable(weight) + product * (self.lora_alpha / self.lora_rank)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """As if there were no matrices: the sum in the place of the weight, as in Keras.

        Our files have weight and matrices besides, see `saving.object_values`.
        """
        if not self.lora_enabled:
            super().save_own_variables(store)
            return
        weight, *others = self._variables_without_factors()
        a, b = (v.numpy() for v in self._factors())
        total = weight.numpy() + a @ b * (self.lora_alpha / self.lora_rank)
        store.update(zip(map(str, itertools.count()), [total, *(v.numpy() for v in others)]))

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Takes what `save_own_variables` has put into a dict; the matrices become zeros.

        Raises:
            ValueError: See `Layer.load_own_variables`.
        """
        if not self.lora_enabled:
            super().load_own_variables(store)
            return
        variables = self._variables_without_factors()
        if len(store) != len(variables):
            raise ValueError(
                f"{messages.describe(self)}: expected {len(variables)} variables, "
                f"{[v.name for v in variables]}, received {len(store)}"
            )
        load_values(variables, store)
        for factor in self._factors():
            factor.assign(np.zeros(factor.shape))

    def _merged_variables(self) -> list[Variable]:
        return [getattr(self, self._adapted), *self._factors()] if self.lora_enabled else []

    def _factors(self) -> tuple[Variable, Variable]:
        a, b = (getattr(self, f"lora_{self._adapted}_{which}") for which in "ab")
        return a, b

    def _variables_without_factors(self) -> list[Variable]:
        factors = {id(v) for v in self._factors()}
        return [v for v in tracking.own_variables(self) if id(v) not in factors]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.lora_rank is None:
            return config
        return {**config, "lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
