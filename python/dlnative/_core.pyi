"""
The C++ core of dlnative.
"""

from __future__ import annotations

import collections.abc
import typing

import numpy

__all__: list[str] = [
    "Arena",
    "ArenaPool",
    "Exclusive",
    "FeedError",
    "Function",
    "Program",
    "StateLock",
    "Version",
    "all_finite",
    "available_isas",
    "cache_sizes",
    "compiler",
    "copy_seconds",
    "cpu_name",
    "default_num_threads",
    "execute",
    "fma_seconds",
    "isa",
    "memory_count",
    "num_threads",
    "op_names",
    "op_names_with_workspace",
    "set_conv_algorithm",
    "set_isa",
    "set_num_threads",
    "threading",
    "workspace_bytes",
]

class Arena:
    def __init__(self) -> None: ...
    @property
    def bytes(self) -> int: ...

class ArenaPool:
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def reset_in_child(self) -> None: ...
    @property
    def bytes(self) -> int: ...

class Exclusive:
    def __init__(self, locks: collections.abc.Sequence[StateLock]) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *args: typing.Any) -> None: ...

class Function:
    def __init__(
        self,
        bytes: typing.SupportsInt | typing.SupportsIndex,
        threads: typing.SupportsInt | typing.SupportsIndex,
        pool: ArenaPool,
    ) -> None: ...
    def call(
        self,
        owner: typing.Any,
        arrays: collections.abc.Sequence,
        step: typing.SupportsInt | typing.SupportsIndex,
    ) -> tuple: ...
    def program(self, owner: typing.Any) -> Program: ...
    def run(
        self,
        owner: typing.Any,
        arrays: collections.abc.Sequence,
        indices: typing.Any,
        first: typing.SupportsInt | typing.SupportsIndex,
        steps: typing.SupportsInt | typing.SupportsIndex,
        step: typing.SupportsInt | typing.SupportsIndex,
        max_seconds: typing.SupportsFloat | typing.SupportsIndex,
        out: typing.Any,
        epoch: typing.SupportsInt | typing.SupportsIndex,
        finite_feeds: bool,
    ) -> int: ...

class FeedError(ValueError):
    pass

class Program:
    def __init__(
        self,
        arena_bytes: typing.SupportsInt | typing.SupportsIndex,
        arena: Arena,
        threads: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...
    def add(
        self,
        op: str,
        inputs: collections.abc.Sequence,
        outputs: collections.abc.Sequence,
        attributes: dict,
        label: str = "",
        commits: bool = False,
        constants: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] = [],
        workspace: tuple[
            typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex
        ] = (0, 0),
        condition: typing.Any = None,
    ) -> int: ...
    def add_feed(self, buffer: typing.Any) -> None: ...
    def add_output(self, buffer: typing.Any) -> None: ...
    def call(
        self,
        arrays: collections.abc.Sequence,
        step: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> tuple: ...
    def profile(self) -> list: ...
    def run(
        self,
        arrays: collections.abc.Sequence,
        indices: typing.Any,
        first: typing.SupportsInt | typing.SupportsIndex,
        steps: typing.SupportsInt | typing.SupportsIndex,
        step: typing.SupportsInt | typing.SupportsIndex = 0,
        max_seconds: typing.SupportsFloat | typing.SupportsIndex = 0.0,
        out: typing.Any = None,
        epoch: typing.SupportsInt | typing.SupportsIndex = 0,
        finite_feeds: bool = False,
    ) -> int: ...
    def set_profiling(self, on: bool) -> None: ...
    def set_state(
        self,
        locks: collections.abc.Sequence[StateLock],
        written: collections.abc.Sequence[Version],
        packed: collections.abc.Sequence[collections.abc.Sequence[Version]],
    ) -> None: ...
    @property
    def arena_bytes(self) -> int: ...
    @property
    def table_bytes(self) -> int: ...

class StateLock:
    def __init__(self) -> None: ...
    def reset_in_child(self) -> None: ...
    @property
    def number(self) -> int: ...

class Version:
    def __init__(self) -> None: ...
    def changed(self) -> None: ...
    @property
    def value(self) -> int: ...

def all_finite(array: numpy.ndarray) -> bool:
    """
    Whether a C-contiguous, aligned array of float32 or float64 has neither NaN nor infinity.
    """

def available_isas() -> list[str]: ...
def cache_sizes() -> tuple[int, int, int]: ...
def compiler() -> str: ...
def copy_seconds(
    bytes: typing.SupportsFloat | typing.SupportsIndex,
    size: typing.SupportsInt | typing.SupportsIndex,
) -> float:
    """
    The seconds that all threads take to read and write so many bytes in copies between two buffers of `size` bytes.
    """

def cpu_name() -> str: ...
def default_num_threads() -> int: ...
def execute(
    op: str,
    inputs: collections.abc.Sequence,
    outputs: collections.abc.Sequence,
    attributes: dict,
    step: typing.SupportsInt | typing.SupportsIndex = 0,
    writes: bool = False,
    constants: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] = [],
) -> None: ...
def fma_seconds(dtype: str, flops: typing.SupportsFloat | typing.SupportsIndex) -> float:
    """
    The seconds that one core takes for FLOPs that are all fused multiply-adds on registers.
    """

def isa() -> str: ...
def memory_count() -> tuple[int, int]: ...
def num_threads() -> int: ...
def op_names() -> list[str]: ...
def op_names_with_workspace() -> list[str]: ...
def set_conv_algorithm(name: str) -> None: ...
def set_isa(name: str) -> None: ...
def set_num_threads(n: typing.SupportsInt | typing.SupportsIndex) -> None: ...
def threading() -> str: ...
def workspace_bytes(
    op: str,
    inputs: collections.abc.Sequence,
    outputs: collections.abc.Sequence,
    attributes: dict,
    constants: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] = [],
) -> int: ...
