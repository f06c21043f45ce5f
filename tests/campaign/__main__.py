"""A search for wrong numbers, lost files and crashes: `make campaign`.

Every room of the search runs in a process of its own, so that a crash is a finding like any other.
The seed is printed; `--seed N --only ROOM --cases M` repeats what was found.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Of all cases, in the order in which they run.
SHARES = {
    "ops": 0.3,
    "readers": 0.2,
    "folders": 0.1,
    "keras_files": 0.1,
    "graphs": 0.1,
    "stacks": 0.2,
}


def search(room, seed, cases):
    """Runs one room's cases in this process; returns the number of findings."""
    sys.path[:0] = [str(HERE), str(HERE.parent / "helpers")]
    findings = []

    def report(description):
        findings.append(description)
        print(f"FOUND {description}", flush=True)

    importlib.import_module(room).search(seed, cases, report)
    return len(findings)


def main():
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000, help="over all rooms")
    parser.add_argument("--seed", type=int, help="the clock's by default")
    parser.add_argument("--only", choices=sorted(SHARES), help="one room, in this process")
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    if arguments.only:
        return 1 if search(arguments.only, seed, arguments.cases) else 0
    failed = []
    for room, share in SHARES.items():
        cases = round(share * arguments.cases)
        command = ["--seed", str(seed), "--only", room, "--cases", str(cases)]
        start = time.monotonic()
        status = subprocess.run([sys.executable, "-W", "ignore", str(HERE), *command]).returncode
        outcome = {0: "nothing found", 1: "findings above"}.get(status, f"ended with {status}")
        print(f"{room}: {cases} cases in {time.monotonic() - start:.0f} s, {outcome}", flush=True)
        if status:
            failed.append(room)
    print(f"seed {seed}: {'findings in ' + ', '.join(failed) if failed else 'no findings'}")
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONFAULTHANDLER", "1")
    sys.exit(main())
