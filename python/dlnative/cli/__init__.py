"""The command line: `dlnative info`, `train`, `tune`, `evaluate`, `predict`, `profile`, `replay`.

Every command is a module of this package with a function `run(options)`, imported when it is
asked for, so that `dlnative --help` does not wait for NumPy.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from . import signals
from .parser import build_parser

__all__ = ["main"]

_SIGNALLED = 128  # and the number of the signal, as shells report it
_CLOSED_PIPE = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: What stands after `dlnative`; None takes it from the process.

    Returns:
        The exit status: 0 for success, 2 for bad input (one line on stderr says which), 128 and
        the number of a signal (130 for Ctrl-C, 143 for SIGTERM) if interrupted.
    """
    options = build_parser().parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with signals.as_exceptions():
            importlib.import_module(f".{options.command}", __name__).run(options)
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt as error:
        return _interrupted(error)
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


def _interrupted(error: KeyboardInterrupt) -> int:
    number, remark = signal.SIGINT, ""
    if isinstance(error, signals.Interrupted):
        number, remark = signal.Signals(error.number), error.remark
    by = "" if number == signal.SIGINT else f" by {number.name}"
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(f"\ndlnative: interrupted{by}{remark and '; '}{remark}", file=sys.stderr)
    return _SIGNALLED + number


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
