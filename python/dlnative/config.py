"""Settings of the process: threads, instruction set, engine, default dtype and seed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dtype_policies import DTypePolicy

_state: dict[str, Any] = {
    "floatx": "float32",
    "image_data_format": "channels_last",
    "dtype_policy": None,  # that of `set_dtype_policy`
    "max_epochs": None,
    "max_steps_per_epoch": None,
    "epsilon": 1e-7,
    "engine": None,
    "seed": None,
    "conv_algorithm": "auto",
    "interactive_logging": True,
    "verifying": False,
    "threads": None,  # those of the native engine, once they are asked for
}

_settings: tuple[Any, ...] | None = None  # what `program_settings` returned, until one changes


def floatx() -> str:
    """The default dtype of layers, "float32" or "float64"."""
    return _state["floatx"]


def set_floatx(value: str) -> None:
    """Sets the default dtype of layers that are made from now on.

    Raises:
        ValueError: `value` is neither "float32" nor "float64".
    """
    if value not in ("float32", "float64"):
        raise ValueError(f"set_floatx: expected 'float32' or 'float64', received {value!r}")
    _change("floatx", value)


def backend() -> str:
    """What computes: "dlnative"."""
    return "dlnative"


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given no dtype: that of `set_dtype_policy`, else `floatx`."""
    from .dtype_policies import DTypePolicy

    return _state["dtype_policy"] or DTypePolicy(floatx())


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Sets the policy of layers that are made from now on and given no dtype.

    Args:
        policy: A DTypePolicy or its name, "float32" or "float64".

    Raises:
        ValueError: It is neither.
    """
    from .dtype_policies import DTypePolicy

    if not isinstance(policy, (str, DTypePolicy)):
        raise ValueError(
            f"set_dtype_policy: expected a DTypePolicy or its name, received {policy!r}"
        )
    _state["dtype_policy"] = DTypePolicy(policy) if isinstance(policy, str) else policy


def image_data_format() -> str:
    """What a `data_format` of None means: "channels_last" at first, or "channels_first"."""
    return _state["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Sets what a `data_format` of None means for layers that are made from now on, and for ops.

    Layers compute with channels last in any case; "channels_first" costs transposes.

    Raises:
        ValueError: It is neither "channels_last" nor "channels_first".
    """
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            "set_image_data_format: expected 'channels_last' or 'channels_first', received "
            f"{data_format!r}"
        )
    _change("image_data_format", data_format)


def epsilon() -> float:
    """The small number that losses and optimizers add or clip with, 1e-7 at first."""
    return _state["epsilon"]


def set_epsilon(value: float) -> None:
    """Sets `epsilon`. Steps that were compiled before are compiled anew.

    Raises:
        ValueError: `value` is not a positive number.

    Differs from Keras: what is no positive number raises.
    """
    import math
    import numbers

    given: Any = value
    is_number = isinstance(given, numbers.Real) and not isinstance(given, bool)
    if not is_number or not 0 < value < math.inf:
        raise ValueError(f"set_epsilon: expected a positive number, received {value!r}")
    _change("epsilon", float(value))


def max_epochs() -> int | None:
    """How many epochs `fit` runs at most, whatever it is asked for; None for any number."""
    return _state["max_epochs"]


def set_max_epochs(max_epochs: int | None) -> None:
    """Limits the epochs of every `fit`, such as for a test of a long script; None for no limit.

    Raises:
        ValueError: It is not a positive integer.
    """
    _state["max_epochs"] = _limit("set_max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """How many steps an epoch, an evaluation or a prediction has at most; None for any number."""
    return _state["max_steps_per_epoch"]


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limits the steps of every epoch of `fit`, and of `evaluate` and `predict`; None: no limit.

    Raises:
        ValueError: It is not a positive integer.
    """
    _state["max_steps_per_epoch"] = _limit("set_max_steps_per_epoch", max_steps_per_epoch)


def _limit(what: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{what}: expected a positive integer or None, received {value!r}")
    return value


def set_num_threads(n: int) -> None:
    """Sets how many threads an op may use at most. Results do not depend on it.

    Raises:
        ValueError: `n` is not a positive integer.
    """
    from . import _core

    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: expected a positive integer, received {n!r}")
    _core.set_num_threads(n)
    _change("threads", None)


def num_threads() -> int:
    """The number of threads that an op may use at most."""
    from . import _core

    return _core.num_threads()


def isa() -> str:
    """Name of the instruction set in use."""
    from . import _core

    return _core.isa()


def available_isas() -> list[str]:
    """Names of the instruction sets that this build has and this machine supports, best first."""
    from . import _core

    return _core.available_isas()


def conv_algorithm() -> str:
    """The algorithm that `set_conv_algorithm` has set, "auto" at first."""
    return _state["conv_algorithm"]


def set_conv_algorithm(name: str) -> None:
    """Chooses how the native engine computes convolutions with kernels of 3x3 and 5x5.

    Winograd's algorithms F(4x4, 3x3) and F(2x2, 5x5) take 36 multiplications for a tile of 4x4 or
    2x2 pixels per channel and filter instead of 144 or 100. In float32 the error of their results
    (root mean square, relative to that of the results) is 4e-7 with 16 channels and 1.2e-6 with
    256, and somewhat more with 5x5: two to five times that of a direct convolution. A NaN or an
    infinite pixel reaches all pixels of its tile and may reach those of tiles beside it, not only
    those whose window meets it. An output whose window is zero in all channels is exactly the bias
    by every algorithm, and so are the zeros of the gradients exact. They apply to convolutions in
    two dimensions without strides, dilation and groups, forward and for both gradients.

    Args:
        name: "auto" leaves the choice to a cost model, "direct" never takes Winograd's algorithm,
            "winograd" takes it wherever it applies. Programs made before are made anew.

    Raises:
        ValueError: There is no algorithm of that name.

    Reference:
        Lavin and Gray (2016), "Fast algorithms for convolutional neural networks".
        Barabasz, Anderson, Soodhalter and Gregg (2020), "Error analysis and improving the accuracy
        of Winograd convolution for deep neural networks".
    """
    from . import _core

    if name not in ("auto", "direct", "winograd"):
        raise ValueError(
            f"set_conv_algorithm: expected 'auto', 'direct' or 'winograd', received {name!r}"
        )
    _core.set_conv_algorithm(name)
    _change("conv_algorithm", name)


def program_settings() -> tuple[Any, ...]:
    """The settings that programs depend on: a native one has workspace for so many threads."""
    return _settings or _made_settings()


def _made_settings() -> tuple[Any, ...]:
    global _settings
    engine = _state["engine"] or current_engine()
    if _state["threads"] is None and engine == "native":
        _state["threads"] = num_threads()
    names = ("conv_algorithm", "threads", "epsilon", "floatx", "image_data_format", "verifying")
    _settings = (engine, *(_state[name] for name in names))
    return _settings


def _change(name: str, value: Any) -> None:
    """Sets what programs may depend on."""
    global _settings
    _state[name] = value
    _settings = None


def is_verifying() -> bool:
    """Whether steps are compared with the oracle, see `dlnative.verify`."""
    return _state["verifying"]


@contextlib.contextmanager
def verifying() -> Iterator[None]:
    """A `with` block in which steps are compared with the oracle."""
    before = _state["verifying"]
    _change("verifying", True)
    try:
        yield
    finally:
        _change("verifying", before)


def current_engine() -> str:
    """Name of the engine that runs models: "native" or "numpy"."""
    if _state["engine"] is None:
        import os

        set_engine(os.environ.get("DLNATIVE_ENGINE", "native"))
    return _state["engine"]


def set_engine(name: str) -> None:
    """Chooses what runs models: "native" (C++) or "numpy" (the oracle).

    Raises:
        ValueError: There is no engine of that name.
    """
    if name not in ("native", "numpy"):
        raise ValueError(f"set_engine: expected 'native' or 'numpy', received {name!r}")
    _change("engine", name)


@contextlib.contextmanager
def engine(name: str) -> Iterator[None]:
    """Runs models on another engine for the length of a `with` block."""
    before = current_engine()
    set_engine(name)
    try:
        yield
    finally:
        _change("engine", before)


def set_seed(seed: int) -> None:
    """Fixes every random number drawn from now on: weights, shuffles, masks.

    It is `utils.set_random_seed`.

    Args:
        seed: An integer in [0, 2**32).

    Raises:
        ValueError: `seed` is none.
    """
    from .random import set_random_seed

    set_random_seed(seed)


def enable_interactive_logging() -> None:
    """Messages and progress go to standard output, as they do at first."""
    _state["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Messages go to the logger "dlnative" of `logging`, at level INFO, and no bar is shown.

    Differs from Keras, which takes the logger of absl.
    """
    _state["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether messages and progress go to standard output."""
    return _state["interactive_logging"]
