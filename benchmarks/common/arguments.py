"""The options all benchmarks share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from common.machine import usable_cpus

PEERS = ["numpy", "torch", "jax", "keras", "keras-tf", "sklearn", "onnxruntime"]


def make_parser(
    description: str | None, *, rounds: int, round_seconds: float
) -> argparse.ArgumentParser:
    """Returns a parser with the shared options, to which a benchmark adds its own.

    Args:
        description: The benchmark's docstring.
        rounds: Default number of rounds.
        round_seconds: Default length of one turn.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--peers", default=",".join(PEERS), help="libraries to compare with (default: %(default)s)")
    add(
        "--peers-python",
        metavar="PATH",
        default=os.environ.get("DLNATIVE_PEERS_PYTHON", sys.executable),
        help="interpreter that has the peers installed (default: DLNATIVE_PEERS_PYTHON, else this)",
    )
    add(
        "--tf-python",
        metavar="PATH",
        default=os.environ.get("DLNATIVE_TF_PYTHON", ""),
        help="interpreter that has Keras and TensorFlow (default: DLNATIVE_TF_PYTHON, else peers')",
    )
    add(
        "--skip",
        metavar="TEXT",
        default="",
        help="leave out the peers' modes whose label contains one of these, as 'compiled,scan'",
    )
    add("--ours", default="dlnative", help="library the ratios are for (default: %(default)s)")
    add("--rounds", type=int, default=rounds, help="rounds of each case (default: %(default)s)")
    add(
        "--round-seconds",
        type=float,
        default=round_seconds,
        help="length of one library's turn (default: %(default)s)",
    )
    add("--settle", type=float, default=0.04, help="pause before a turn (default: %(default)s)")
    add("--only", metavar="TEXT", default="", help="run the cases whose name contains TEXT")
    add("--quick", action="store_true", help="2 short rounds: tries everything, measures nothing")
    add(
        "--out",
        metavar="FILE",
        nargs="?",
        const="",
        help="write the report as JSON (default name: in benchmarks/results/)",
    )
    add("--plot", metavar="FILE", help="write a picture of the ratios (needs matplotlib)")
    return parser


def parse(parser: argparse.ArgumentParser, parts: Sequence[str] = ()) -> argparse.Namespace:
    """Parses the command line; `--quick` shortens the rounds, lists of names become lists.

    Args:
        parser: A parser of `make_parser`.
        parts: The parts that `--parts` may name, for a parser that has this option.
    """
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.round_seconds = 2, 0.02
    arguments.skip = [text for text in arguments.skip.split(",") if text]
    arguments.peers = [name for name in arguments.peers.split(",") if name]
    unknown = [name for name in arguments.peers if name not in PEERS]
    if unknown:
        parser.error(f"--peers: choose from {', '.join(PEERS)}, received {', '.join(unknown)}")
    if parts:
        arguments.parts = arguments.parts.split(",")
        unknown = [part for part in arguments.parts if part not in parts]
        if unknown:
            parser.error(f"--parts: choose from {', '.join(parts)}, received {', '.join(unknown)}")
    return arguments


def add_threads(parser: argparse.ArgumentParser, *, default: list[int] | None = None) -> None:
    """Adds `--threads`, one number or several separated by commas; default: all processors."""
    parser.add_argument(
        "--threads",
        type=lambda text: [int(part) for part in text.split(",")],
        default=default or [len(usable_cpus())],
        help="numbers of threads to run with (default: %(default)s)",
    )


def interpreter_for(name: str, arguments: argparse.Namespace) -> str:
    """Returns the interpreter a library runs in.

    dlnative and NumPy run in this one: NumPy is what dlnative's users have at hand. The others
    run in the peers' interpreter, TensorFlow in another if there is one.
    """
    if name == "keras-tf" and arguments.tf_python:
        return str(arguments.tf_python)
    return sys.executable if name in ("dlnative", "numpy") else str(arguments.peers_python)
