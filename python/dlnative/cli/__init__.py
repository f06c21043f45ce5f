"""The command line: ``dlnative info``, ``train``, ``evaluate``, ``predict``, ``profile``.

Every command is a module of this package with a function ``run(options)``, imported when it is
asked for, so that ``dlnative --help`` does not wait for NumPy.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from .parser import build_parser

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_CLOSED_PIPE = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: What stands after ``dlnative``; None takes it from the process.

    Returns:
        The exit status: 0 for success, 2 for bad input (one line on stderr says which), 130 if
        interrupted.
    """
    options = build_parser().parse_args(arguments)
    try:
        importlib.import_module(f".{options.command}", __name__).run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\ndlnative: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (head, say) has seen enough. Python would complain again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"dlnative: error: {_one_line(error)}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"dlnative: error: out of memory: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
