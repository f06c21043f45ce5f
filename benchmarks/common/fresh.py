"""Times in fresh interpreters: imports, and what only the first use in a process pays for."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys


def seconds_of(statement: str, setup: str = "pass") -> float:
    """Runs a statement once in a new interpreter and returns its seconds.

    The new interpreter reads its own clock, so its start is not counted.

    Args:
        statement: Python source on one line.
        setup: Python source on one line that runs before the clock starts.

    Raises:
        RuntimeError: The statement failed; the message is its last line of output.
    """
    program = "\n".join(
        [
            "import time",
            setup,
            "begin = time.perf_counter()",
            statement,
            "print(repr(time.perf_counter() - begin))",
        ]
    )
    # An installed package is byte-compiled; a source tree must be allowed to cache bytecode, too.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit status {done.returncode}")
    return float(done.stdout.split()[-1])


def interleaved(statements: list[tuple[str, str]], rounds: int) -> list[list[float]]:
    """Times statements in turn, each in fresh interpreters.

    Args:
        statements: Pairs of setup and statement.
        rounds: How often each is run, after one run that fills the file cache.

    Returns:
        For each statement its seconds, one for each round.
    """
    for setup, statement in statements:
        seconds_of(statement, setup)
    times: list[list[float]] = [[] for _ in statements]
    for _ in range(rounds):
        for (setup, statement), row in zip(statements, times, strict=True):
            row.append(seconds_of(statement, setup))
    return times


def median_ratio(times: list[float], reference: list[float]) -> float:
    """Returns the median over the rounds of one row of times over another."""
    return statistics.median(a / b for a, b in zip(times, reference, strict=True))
