"""The options of every command. Nothing is imported here but the standard library."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from .._version import __version__
from . import arguments

__all__ = ["add_search", "build_parser", "value_parser"]

Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"

_DATA_HELP = (
    "digits, mnist, cifar10, a folder of images (DIR/CLASS/*.jpg, or DIR/train/CLASS/*.jpg and "
    "DIR/test/...), FILE.csv (a row per sample, one column the target) or FILE.npz (arrays "
    "x_train, y_train and perhaps x_test, y_test; or x, y)"
)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like every other error of the command line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dlnative: error: {message} (see {self.prog} --help)\n")


class _ValueParser(argparse.ArgumentParser):
    """A parser of values that stand in a file."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


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


def _info(name: str, commands: Commands) -> None:
    command = _add(
        commands, name, "show processor, instruction sets, threads and versions, or a saved model"
    )
    command.add_argument(
        "folder",
        nargs="?",
        metavar="MODEL",
        help="the folder of a model: show its layers, what it was compiled with, and how far it "
        "has been trained",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _train(name: str, commands: Commands) -> None:
    command = _add(commands, name, "train a model and write it to a folder")
    _add_data(command, _DATA_HELP, required=False)
    _add_training(command)
    command.add_argument(
        "--resume",
        metavar="DIR",
        help="go on with the run that --out DIR began and that was interrupted, with its options; "
        "with --data and all options of the run: begin it where there is none",
    )
    command.add_argument(
        "--replay",
        metavar="DIR",
        help="where to write the first step that is not finite, for dlnative replay",
    )


def _tune(name: str, commands: Commands) -> None:
    command = _add(commands, name, "try options of train at random, and keep the best model")
    command.add_argument(
        "choices", metavar="CHOICES", help="TOML file: options of train, and what to choose from"
    )
    _add_data(command, _DATA_HELP)
    add_search(command)
    _add_training(command)


def add_search(command: argparse.ArgumentParser) -> None:
    """Adds the options that `tune` has and `train` does not."""
    search = command.add_argument_group("search")
    search.add_argument(
        "--trials", type=arguments.positive, default=20, metavar="N", help="default: %(default)s"
    )
    search.add_argument(
        "--folds",
        type=arguments.folds,
        metavar="N",
        help="cross-validation instead of a validation set; the best options are then trained with "
        "on all samples",
    )
    search.add_argument(
        "--workers",
        type=arguments.positive,
        metavar="N",
        help="models that train side by side, one thread each (default: as --threads)",
    )


def value_parser() -> argparse.ArgumentParser:
    """A parser of the options that trials of `tune` may differ in; its errors are ValueErrors."""
    parser = _ValueParser(allow_abbrev=False, add_help=False)
    _add_augment(parser)
    _add_model(parser, "mlp")
    _add_steps(parser)
    return parser


def _add_training(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--target",
        metavar="COLUMN",
        help="CSV: the target column; without a header its number, counted from 1 "
        "(default: the last)",
    )
    command.add_argument(
        "--task",
        choices=["classification", "regression"],
        help="default: classification for targets that are names or up to 20 different whole "
        "numbers, regression for decimals; needed where that is not certain",
    )
    command.add_argument(
        "--out",
        metavar="DIR",
        help="where to write the trained model, the best one by validation (DIR/best), and "
        "checkpoints while it trains",
    )
    images = _add_images(command)
    images.add_argument(
        "--image-size",
        type=arguments.image_size,
        metavar="N|HxW",
        help="folder: resize all images to this (default: as they are, all of one size)",
    )
    images.add_argument("--color-mode", choices=["rgb", "grayscale"], help="folder: default: rgb")
    _add_augment(images)
    _add_model(command, "mlp")

    training = command.add_argument_group("training")
    _add_steps(training)
    training.add_argument(
        "--validation-split",
        type=arguments.fraction,
        metavar="FRACTION",
        help="share of the training samples to watch instead of train on "
        "(default: 0.1 for files without a test set, else 0; tune: 0.1)",
    )
    training.add_argument(
        "--seed", type=arguments.seed, default=0, metavar="N", help="default: %(default)s"
    )
    training.add_argument(
        "--log",
        type=arguments.log_file,
        metavar="FILE",
        help="write loss and metrics after each epoch (tune: the figures of each trial) to "
        "FILE.csv, or as lines of JSON to FILE.jsonl",
    )
    training.add_argument(
        "--on-nonfinite",
        choices=["warn", "stop", "skip", "rollback"],
        default="warn",
        help="what becomes of a step whose loss or gradients are NaN or infinite (default: "
        "%(default)s)",
    )
    training.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_machine(command)


def _add_augment(images: argparse._ActionsContainer) -> None:
    images.add_argument(
        "--augment",
        type=arguments.augmentations,
        metavar="NAME[=AMOUNT],...",
        help=f"change the images at random while training: {', '.join(arguments.AUGMENTATIONS)}",
    )


def _add_steps(training: argparse._ActionsContainer) -> None:
    training.add_argument(
        "--epochs", type=arguments.positive, default=10, metavar="N", help="default: %(default)s"
    )
    training.add_argument(
        "--batch-size",
        type=arguments.positive,
        metavar="N",
        help="default: 128, and 32 for less than 10 000 samples; all of them for lbfgs",
    )
    training.add_argument(
        "--optimizer",
        default="adam",
        metavar="NAME",
        help="sgd, adagrad, rmsprop, adam or lbfgs (default: %(default)s)",
    )
    training.add_argument(
        "--learning-rate",
        type=arguments.positive_number,
        metavar="RATE",
        help="default: the optimizer's own",
    )
    training.add_argument(
        "--schedule",
        choices=["cosine", "constant"],
        help="of the learning rate: falls along half a cosine from epoch to epoch, or stays "
        "(default: cosine; constant for lbfgs)",
    )


def _evaluate(name: str, commands: Commands) -> None:
    command = _add(commands, name, "measure a trained model on labelled data")
    command.add_argument("folder", metavar="MODEL", help="the folder that train --out wrote")
    _add_data(command, f"{_DATA_HELP}; where there is a test set, that is used")
    _add_images(command)
    _add_machine(command)


def _predict(name: str, commands: Commands) -> None:
    command = _add(commands, name, "print a trained model's predictions")
    command.add_argument("folder", metavar="MODEL", help="the folder that train --out wrote")
    command.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="image files: the three likeliest classes of each",
    )
    _add_data(command, f"{_DATA_HELP}; targets may be absent; written as CSV", required=False)
    _add_images(command)
    command.add_argument(
        "--out", metavar="FILE", help="where to write CSV (default: standard output)"
    )
    command.add_argument(
        "--probabilities", action="store_true", help="classification: CSV with a column per class"
    )
    _add_machine(command)


def _replay(name: str, commands: Commands) -> None:
    command = _add(commands, name, "run a step again that was not finite")
    command.add_argument("folder", metavar="FILE", help="the folder that fit(replay=...) wrote")
    _add_machine(command)


def _profile(name: str, commands: Commands) -> None:
    command = _add(commands, name, "show where the time of a step goes, per op")
    command.add_argument(
        "folder", nargs="?", metavar="MODEL", help="the folder that train --out wrote"
    )
    _add_model(command, None)
    command.add_argument(
        "--input-shape",
        type=arguments.shape,
        metavar="N,N,...",
        help="with --model: the shape of one sample, such as 32,32,3",
    )
    command.add_argument(
        "--classes",
        type=arguments.positive,
        metavar="N",
        help="with --model: number of classes (default: 10)",
    )
    command.add_argument(
        "--batch-size",
        type=arguments.positive,
        default=128,
        metavar="N",
        help="default: %(default)s",
    )
    command.add_argument(
        "--steps",
        type=arguments.positive,
        default=20,
        metavar="N",
        help="steps to measure (default: %(default)s)",
    )
    command.add_argument(
        "--inference", action="store_true", help="a step of predict instead of one of training"
    )
    _add_machine(command, engine=False)


_COMMANDS: dict[str, Callable[[str, Commands], None]] = {
    "info": _info,
    "train": _train,
    "tune": _tune,
    "evaluate": _evaluate,
    "predict": _predict,
    "profile": _profile,
    "replay": _replay,
}


def _add(commands: Commands, name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )


def _add_data(command: argparse.ArgumentParser, data_help: str, required: bool = True) -> None:
    command.add_argument("--data", required=required, metavar="DATA", help=data_help)
    command.add_argument(
        "--data-dir", metavar="DIR", help="mnist, cifar10: the folder with the files"
    )
    command.add_argument(
        "--header",
        choices=["yes", "no", "auto"],
        help="CSV: whether the first line names the columns (default: auto, an error where that "
        "is not certain)",
    )


def _add_machine(command: argparse.ArgumentParser, engine: bool = True) -> None:
    machine = command.add_argument_group("machine")
    if engine:
        machine.add_argument(
            "--engine", choices=["native", "numpy"], help="default: native, the C++ core"
        )
    machine.add_argument(
        "--threads",
        type=arguments.positive,
        metavar="N",
        help="default: what the machine allows, see dlnative info",
    )


def _add_images(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    images = command.add_argument_group("images")
    images.add_argument(
        "--skip-broken",
        action="store_true",
        help="folder: leave out images that cannot be read, and name them",
    )
    images.add_argument(
        "--cache-dir",
        metavar="DIR",
        help="folder: where decoded images are kept (default: ~/.cache/dlnative/images)",
    )
    return images


def _add_model(command: argparse.ArgumentParser, default: str | None) -> None:
    model = command.add_argument_group("model")
    names = ", ".join(arguments.MODELS)
    model.add_argument(
        "--model",
        choices=arguments.MODELS,
        default=default,
        metavar="NAME",
        help=f"{names} (default: %(default)s)" if default else names,
    )
    model.add_argument(
        "--hidden",
        type=arguments.sizes,
        metavar="N,N,...",
        help='mlp: units of the hidden layers, or "none" (default: 512,256)',
    )
    model.add_argument("--activation", help="mlp: of the hidden layers (default: relu)")
    model.add_argument(
        "--dropout",
        type=arguments.fraction,
        metavar="RATE",
        help="mlp: after each hidden layer (default: 0.2); lenet, vgg6: before dense layers "
        "(default: 0)",
    )
