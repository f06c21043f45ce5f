"""`dlnative info`: what the machine has and what dlnative makes of it, or what a model is."""

from __future__ import annotations

import argparse
import json
import os
import platform
from typing import Any

__all__ = ["run"]


def run(options: argparse.Namespace) -> None:
    """Prints a table, or JSON with `--json`."""
    if options.folder is not None:
        from . import info_model

        info_model.run(options)
        return
    facts = _collect()
    if options.json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {_size(size)}" for key, size in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        print(f"{name.replace('_', ' '):16} {value}")


def _collect() -> dict[str, Any]:
    import numpy

    from .. import _core, config
    from .._version import __version__

    caches = zip(("L1d", "L2", "L3"), _core.cache_sizes(), strict=True)
    return {
        "dlnative": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "numpy": numpy.__version__,
        "compiler": _core.compiler(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _core.cpu_name(),
        "caches": {name: size for name, size in caches if size},
        "isa": config.isa(),
        "isa_from": "DLNATIVE_ISA" if os.environ.get("DLNATIVE_ISA") else "the best available",
        "available_isas": config.available_isas(),
        "threads": config.num_threads(),
        "threads_from": _origin_of_threads(config.num_threads()),
        "threading": _core.threading(),
        "engine": config.current_engine(),
    }


def _origin_of_threads(threads: int) -> str:
    """Names what the number of threads was taken from, in the order of precedence."""
    for variable in ("DLNATIVE_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(variable, "").strip().split(",")[0] == str(threads):
            return variable
    affinity = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if threads < affinity:
        return f"the cgroup's CPU quota ({affinity} CPUs by affinity)"
    return f"CPU affinity ({os.cpu_count()} CPUs in the machine)"


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count / 2**10:g} KiB"
