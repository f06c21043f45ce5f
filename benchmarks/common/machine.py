"""What a reader needs to know about the machine and the source a figure was measured on."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent.parent


def cpu_name() -> str:
    """Returns the processor's name, with family, model and stepping where Linux tells them.

    Virtual machines often shorten the name ("AMD EPYC"); the numbers still name the generation.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    first = text.split("\n\n", 1)[0]
    entries: dict[str, str] = {}
    for line in first.splitlines():
        key, _, value = line.partition(":")
        entries[key.strip()] = value.strip()
    name = entries.get("model name", platform.machine())
    if "cpu family" in entries:
        name += (
            f" (family {entries['cpu family']}, model {entries.get('model')},"
            f" stepping {entries.get('stepping')})"
        )
    return name


def usable_cpus() -> list[int]:
    """Returns the processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def load_average() -> float | None:
    """Returns the one-minute load average, or None where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def git_commit() -> str:
    """Returns the commit of this checkout, with "+changes" if files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(BENCHMARKS), *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+changes" if changed else "")


def describe_machine() -> dict[str, Any]:
    """Returns the facts about machine, source and moment that go into every report."""
    return {
        "cpu": cpu_name(),
        "cpus": len(usable_cpus()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": git_commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "load_average": load_average(),
    }
