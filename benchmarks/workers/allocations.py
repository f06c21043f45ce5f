"""How much memory this process holds, and how often it asked for some (Linux with glibc)."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path


class Mallinfo2(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


def heap_bytes() -> int:
    """Returns the bytes that malloc has handed out and not got back; 0 where glibc is too old."""
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is None:
        return 0
    function.restype = Mallinfo2
    info = function()
    return int(info.uordblks + info.hblkhd)


def resident_bytes() -> int:
    """Returns the physical memory of this process; 0 where /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGESIZE")


def allocation_count() -> int | None:
    """Returns how often memory was asked for, or None if the counter is not preloaded."""
    function = getattr(ctypes.CDLL(None), "count_allocations", None)
    if function is None:
        return None
    function.restype = ctypes.c_ulonglong
    return int(function())


def compile_counter(folder: Path) -> Path | None:
    """Compiles the counter for LD_PRELOAD.

    Args:
        folder: Where the shared library goes.

    Returns:
        Its path, or None if there is no C compiler or it fails (another C library than glibc).
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    source = Path(__file__).with_name("count_allocations.c")
    target = folder / "libcount_allocations.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(target), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return target
