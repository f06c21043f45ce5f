"""The options of every command. Nothing is imported here but the standard library."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

from .._version import __version__

__all__ = ["build_parser"]

_DATA_HELP = (
    "digits, mnist, or a file: FILE.csv (a row per sample, one column the target) or FILE.npz "
    "(arrays x_train, y_train and perhaps x_test, y_test; or x, y)"
)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like every other error of the command line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dlnative: error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    parser = _Parser(
        prog="dlnative", description="Trains neural networks on the CPU.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"dlnative {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, describe in _COMMANDS.items():
        describe(name, commands)
    return parser


def _info(name: str, commands) -> None:
    command = _add(commands, name, "show processor, instruction sets, threads and versions")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _train(name: str, commands) -> None:
    command = _add(commands, name, "train a model and write it to a folder")
    _add_data(command, _DATA_HELP)
    command.add_argument(
        "--target",
        metavar="COLUMN",
        help="CSV: the target column; without a header its number, counted from 1 "
        "(default: the last)",
    )
    command.add_argument(
        "--task",
        choices=["classification", "regression"],
        help="default: classification for targets that are integers or names",
    )
    command.add_argument("--out", metavar="DIR", help="where to write the trained model")

    model = command.add_argument_group("model")
    model.add_argument("--model", choices=["mlp"], default="mlp", help="default: %(default)s")
    model.add_argument(
        "--hidden",
        type=_sizes,
        default="512,256",
        metavar="N,N,...",
        help='units of the hidden layers, or "none" (default: %(default)s)',
    )
    model.add_argument(
        "--activation", default="relu", help="of the hidden layers (default: %(default)s)"
    )
    model.add_argument(
        "--dropout",
        type=_fraction,
        default=0.2,
        metavar="RATE",
        help="after each hidden layer (default: %(default)s)",
    )

    training = command.add_argument_group("training")
    training.add_argument(
        "--epochs", type=_positive, default=10, metavar="N", help="default: %(default)s"
    )
    training.add_argument(
        "--batch-size",
        type=_positive,
        metavar="N",
        help="default: 128, and 32 for less than 10 000 samples",
    )
    training.add_argument(
        "--optimizer",
        default="adam",
        metavar="NAME",
        help="sgd, adagrad, rmsprop or adam (default: %(default)s)",
    )
    training.add_argument(
        "--learning-rate",
        type=_positive_number,
        metavar="RATE",
        help="default: the optimizer's own",
    )
    training.add_argument(
        "--schedule",
        choices=["cosine", "constant"],
        default="cosine",
        help="of the learning rate: falls along half a cosine from epoch to epoch, or stays "
        "(default: %(default)s)",
    )
    training.add_argument(
        "--validation-split",
        type=_fraction,
        metavar="FRACTION",
        help="share of the training samples to watch instead of train on "
        "(default: 0.1 for files without a test set, else 0)",
    )
    training.add_argument("--seed", type=_seed, default=0, metavar="N", help="default: %(default)s")
    training.add_argument("--quiet", action="store_true", help="no progress bar")


def _evaluate(name: str, commands) -> None:
    command = _add(commands, name, "measure a trained model on labelled data")
    command.add_argument("folder", metavar="DIR", help="what train --out wrote")
    _add_data(command, f"{_DATA_HELP}; where there is a test set, that is used")


def _predict(name: str, commands) -> None:
    command = _add(commands, name, "write a trained model's predictions as CSV")
    command.add_argument("folder", metavar="DIR", help="what train --out wrote")
    _add_data(command, f"{_DATA_HELP}; targets may be absent")
    command.add_argument("--out", metavar="FILE", help="default: standard output")
    command.add_argument(
        "--probabilities", action="store_true", help="classification: a column per class too"
    )


_COMMANDS: dict[str, Callable] = {
    "info": _info,
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
}


def _add(commands, name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )


def _add_data(command: argparse.ArgumentParser, data_help: str) -> None:
    command.add_argument("--data", required=True, metavar="DATA", help=data_help)
    command.add_argument("--data-dir", metavar="DIR", help="mnist: the folder with the IDX files")
    machine = command.add_argument_group("machine")
    machine.add_argument(
        "--engine", choices=["native", "numpy"], help="default: native, the C++ core"
    )
    machine.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="default: what the machine allows, see dlnative info",
    )


def _positive(text: str) -> int:
    return _number(text, int, lambda n: n > 0, "a positive integer")


def _seed(text: str) -> int:
    return _number(text, int, lambda n: 0 <= n < 2**63, "an integer from 0 to 2**63 - 1")


def _positive_number(text: str) -> float:
    return _number(text, float, lambda n: 0 < n < float("inf"), "a positive number")


def _fraction(text: str) -> float:
    return _number(text, float, lambda n: 0 <= n < 1, "a number from 0 up to, not including, 1")


def _number(text: str, kind: Callable, accept: Callable, expected: str):
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not accept(number):
        raise argparse.ArgumentTypeError(f"expected {expected}, received {text!r}")
    return number


def _sizes(text: str) -> list[int]:
    return [] if text == "none" else [_positive(size) for size in text.split(",")]
