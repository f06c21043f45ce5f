"""Entry point of a worker process: `python worker.py NAME [--cpu N]`.

The benchmarks start one for every library. It listens on standard input for one JSON object a line
and answers on standard output, see `workers/base.py`. Nothing of the library is imported before
the process is bound to its processor, because thread pools count processors when they start.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys


def main() -> None:
    """Binds the process, loads the worker and serves requests until the pipe closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="module workers/NAME_worker.py")
    parser.add_argument("--threads", type=int, required=True, help="threads the library may use")
    parser.add_argument("--cpu", type=int, help="run on this processor only")
    arguments = parser.parse_args()
    if arguments.cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {arguments.cpu})
    # Libraries print; the answers keep the real standard output to themselves.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    from workers.base import serve

    module = f"workers.{arguments.name.replace('-', '_')}_worker"
    serve(lambda: importlib.import_module(module).Worker(arguments.threads), sys.stdin, answers)


if __name__ == "__main__":
    main()
