"""What `dlnative tune` chooses from: a TOML file of options of `train`, and draws from it."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .networks import models_with
from .parser import build_parser, value_parser
from .training import complete

__all__ = ["Trial", "draw_trials"]

_DRAWS_PER_TRIAL = 50  # until there are no further different ones
_DIGITS = 4  # of drawn numbers


class Choice(Protocol):
    """What one option is chosen from; values are texts as they stand on a command line."""

    def draw(self, rng: np.random.Generator) -> str:
        """One value."""

    def values(self) -> list[str]:
        """Those to check beforehand."""


@dataclass(frozen=True)
class OneOf:
    """One of several values, each as likely."""

    texts: list[str]

    def draw(self, rng: np.random.Generator) -> str:
        return self.texts[rng.integers(len(self.texts))]

    def values(self) -> list[str]:
        return self.texts


@dataclass(frozen=True)
class Range:
    """A number from low to high, both included; as likely everywhere, or on a logarithmic scale."""

    low: float
    high: float
    is_log: bool
    is_integer: bool

    def draw(self, rng: np.random.Generator) -> str:
        low, high = self.low, self.high
        if self.is_integer:  # each has a stretch of its own
            low, high = low - 0.5, high + 0.5
        share = rng.random()
        if self.is_log:
            number = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            number = low + share * (high - low)
        return self._text(number)

    def values(self) -> list[str]:
        return [self._text(self.low + share * (self.high - self.low)) for share in (0, 0.49, 1)]

    def _text(self, number: float) -> str:
        number = round(number) if self.is_integer else float(f"{number:.{_DIGITS}g}")
        return repr(min(max(number, self.low), self.high))


@dataclass(frozen=True)
class Layers:
    """Hidden layers: how many, and the units of each."""

    count: Choice
    units: Choice

    def draw(self, rng: np.random.Generator) -> str:
        return ",".join(self.units.draw(rng) for _ in range(int(self.count.draw(rng)))) or "none"

    def values(self) -> list[str]:
        return self.units.values()


@dataclass(frozen=True)
class Trial:
    """Options to train with.

    Attributes:
        number: Counted from 1.
        chosen: What was drawn, by option: texts as on the command line.
        arguments: The arguments of `dlnative` that train with them.
        options: What these are parsed to, `complete`.
    """

    number: int
    chosen: dict[str, str]
    arguments: list[str]
    options: argparse.Namespace

    @property
    def command(self) -> str:
        """The command that trains with them."""
        return shlex.join(["dlnative", *self.arguments])

    def __str__(self) -> str:
        return ", ".join(f"{name} {text}" for name, text in self.chosen.items())


def draw_trials(path: str, train: list[str], count: int) -> list[Trial]:
    """Draws different trials; which they are depends on the file and the seed alone.

    A value is drawn by the seed, the number of the draw and the name of its option: more trials
    begin with the same ones, and another option does not change what the others are.

    Args:
        path: The TOML file.
        train: Arguments of `dlnative` that train, with what all trials share.
        count: How many; there are less where fewer are different.

    Raises:
        OSError, ValueError: The file cannot be read, or is not what was expected: the message names
            the key, what was expected and what was received.
    """
    base = build_parser().parse_args(train)
    choices = _read(path, base)
    trials: list[Trial] = []
    seen = set()
    for attempt in range(_DRAWS_PER_TRIAL * count):
        drawn = {
            name: choice.draw(np.random.default_rng([base.seed, attempt, *name.encode()]))
            for name, choice in choices.items()
        }
        chosen = _fitting(drawn, base)
        if tuple(chosen.items()) not in seen:
            seen.add(tuple(chosen.items()))
            trials.append(_trial(len(trials) + 1, chosen, train, path))
        if len(trials) == count:
            break
    return trials


def _trial(number: int, chosen: dict[str, str], train: list[str], path: str) -> Trial:
    arguments = [*train, *(f"--{name}={text}" for name, text in chosen.items())]
    options = build_parser().parse_args(arguments)
    options.arguments = arguments
    try:
        complete(options)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Trial(number, chosen, arguments, options)


def _fitting(drawn: dict[str, str], base: argparse.Namespace) -> dict[str, str]:
    """What is left of a draw where a model or an optimizer was drawn that does without the rest."""
    from .. import optimizers

    model = drawn.get("model", base.model)
    unfit = {name for name in drawn if model not in models_with(name.replace("-", "_"))}
    optimizer: Any = optimizers.get(drawn.get("optimizer", base.optimizer))
    if optimizer.full_batch:
        unfit.add("batch-size")
    return {name: text for name, text in drawn.items() if name not in unfit}


def _read(path: str, base: argparse.Namespace) -> dict[str, Choice]:
    """The choices of a file, checked: {option: choice}."""
    defaults = vars(value_parser().parse_args([]))
    names = {name.replace("_", "-"): default for name, default in defaults.items()}
    table = _load(path)
    if not table:
        raise ValueError(f"{path}: expected options to choose, among {', '.join(names)}")
    choices = {}
    for key, value in table.items():
        if key not in names:
            raise ValueError(f"{path}: {key}: expected an option of train among {', '.join(names)}")
        if getattr(base, key.replace("-", "_")) != names[key]:
            raise ValueError(f"{path}: {key}: it is given as --{key}, too; expected one of both")
        try:
            choices[key] = _choice(value, key == "hidden")
            _check(key, choices[key].values())
        except ValueError as error:
            raise ValueError(f"{path}: {key}: {error}") from error
    models = choices["model"].values() if "model" in choices else [base.model]
    for key in choices:
        having = models_with(key.replace("-", "_"))
        if not set(models) & set(having):
            raise ValueError(
                f"{path}: {key}: expected with model {', '.join(having)}, received model "
                f"{', '.join(models)}"
            )
    return choices


def _load(path: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise ImportError(
                "tune: TOML files need Python 3.11, or tomli: pip install 'dlnative[tune]'"
            ) from error
    with open(path, "rb") as stream:
        try:
            return tomllib.load(stream)
        except ValueError as error:  # also what is not UTF-8
            raise ValueError(f"{path}: expected TOML: {error}") from error


def _check(key: str, texts: list[str]) -> None:
    """Raises ValueError unless these are values of the option."""
    from .. import activations, optimizers

    known: dict[str, Callable[[Any], Any]] = {
        "optimizer": optimizers.get,
        "activation": activations.get,
    }
    for text in texts:
        try:
            value_parser().parse_args([f"--{key}={text}"])
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"argument --{key}: ")) from error
        if key in known:
            known[key](text)


_RANGES = {  # is_log, is_integer
    "uniform": (False, False),
    "log-uniform": (True, False),
    "integer": (False, True),
    "log-integer": (True, True),
}
_EXPECTED = "a value, a list of values, or one of " + ", ".join(
    f"{{ {name} = [low, high] }}" for name in _RANGES
)


def _choice(value: Any, is_hidden: bool = False) -> Choice:
    """What a value of the file stands for."""
    more = ", or { layers = ..., units = ... }" if is_hidden else ""
    if isinstance(value, dict):
        if is_hidden and set(value) == {"layers", "units"}:
            return _layers(value)
        if len(value) == 1 and set(value) <= set(_RANGES):
            ((name, bounds),) = value.items()
            return _range(name, bounds)
    elif isinstance(value, list):
        if value:
            return OneOf([_text(each, is_hidden) for each in value])
    elif _is_plain(value):
        return OneOf([_text(value, is_hidden)])
    raise ValueError(f"expected {_EXPECTED}{more}, received {value!r}")


def _layers(value: dict[str, Any]) -> Layers:
    parts: dict[str, Choice] = {}
    for name, least in (("layers", 0), ("units", 1)):
        try:
            parts[name] = _choice(value[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        for text in parts[name].values():
            if not text.isdecimal() or int(text) < least:
                raise ValueError(f"{name}: expected integers from {least} on, received {text}")
    return Layers(parts["layers"], parts["units"])


def _range(name: str, bounds: Any) -> Range:
    is_log, is_integer = _RANGES[name]
    kind = "integers" if is_integer else "numbers"
    types = (int,) if is_integer else (int, float)
    if (
        not isinstance(bounds, list)
        or len(bounds) != 2
        or any(type(bound) not in types or not math.isfinite(bound) for bound in bounds)
        or not bounds[0] <= bounds[1]
        or (is_log and bounds[0] <= 0)
    ):
        above = " above 0" if is_log else ""
        raise ValueError(f"{name}: expected two {kind}{above}, [low, high], received {bounds!r}")
    return Range(bounds[0], bounds[1], is_log, is_integer)


def _text(value: Any, is_hidden: bool) -> str:
    """A value as it stands on a command line."""
    if is_hidden and isinstance(value, list) and all(type(each) is int for each in value):
        return ",".join(map(str, value)) or "none"
    if not _is_plain(value):
        raise ValueError(f"expected a text or a number in the list, received {value!r}")
    return value if isinstance(value, str) else repr(value)


def _is_plain(value: Any) -> bool:
    return type(value) in (str, int, float)
