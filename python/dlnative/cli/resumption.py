"""`train --resume DIR`: checkpoints in the folder of a model, and the options of their run."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from ..saving import atomic_write
from ..saving.checkpoints import CheckpointFolder
from .parser import build_parser

__all__ = ["Checkpoints", "options_of_run"]

_FOLDER = "checkpoints"  # in that of the model
_COMMAND = "command.json"
_OF_A_PROCESS = ("arguments", "out", "resume", "quiet", "threads")  # a run may go on with others


class Checkpoints:
    """What `train --out DIR` writes while it trains.

    Args:
        model_folder: DIR.

    Attributes:
        path: Where they are, for `fit(resume=...)`.
    """

    def __init__(self, model_folder: Path) -> None:
        self._model_folder = model_folder
        self.path = model_folder / _FOLDER

    @property
    def arguments(self) -> list[str] | None:
        """The command that began the run; None where there is none.

        Raises:
            ValueError: The file is damaged.
        """
        path = self.path / _COMMAND
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{path}: damaged: {error}") from None
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise ValueError(f"{path}: damaged: expected a list of arguments")
        return found

    def begin(self, arguments: list[str]) -> None:
        """Notes the command of a run that begins, of which there is no checkpoint yet."""
        self.remove()
        self.path.mkdir()
        atomic_write(self.path / _COMMAND, json.dumps(arguments) + "\n")

    def remark(self, has_model: bool) -> str:
        """The command that goes on, as text; "" where it would do no more than begin anew.

        Args:
            has_model: Whether the folder has a model of some epochs, which must not be taken for
                that of the whole run.
        """
        if not self.path.is_dir() or CheckpointFolder(self.path).number < (1 if has_model else 2):
            return ""
        return f"go on with: dlnative train --resume {shlex.quote(str(self._model_folder))}"

    def remove(self) -> None:
        """Removes them."""
        if self.path.is_dir():
            with CheckpointFolder(self.path) as folder:
                (self.path / _COMMAND).unlink(missing_ok=True)
                folder.clear()


def options_of_run(options: argparse.Namespace) -> argparse.Namespace | None:
    """The options of `train --resume DIR`: those of the run, and some of this process.

    Args:
        options: The options as given.

    Returns:
        The options to train with; None where the run has ended.

    Raises:
        FileNotFoundError: There is no run to go on with, and none is described.
        ValueError: The options are others than those of the run.
    """
    folder = Path(options.resume)
    if options.out is not None and Path(options.out) != folder:
        raise ValueError(
            f"--out: expected none beside --resume, or the same folder, received {options.out!r}"
        )
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: expected the folder of a run, received a file")
    arguments = Checkpoints(folder).arguments
    if arguments is None:
        if (folder / "config.json").exists():
            return None
        if options.data is None:
            raise FileNotFoundError(
                f"{folder}: no run to go on with; train --out {folder} begins one"
            )
        return argparse.Namespace(**{**vars(options), "out": options.resume, "resume": None})
    run = build_parser().parse_args(arguments)
    plain = build_parser().parse_args(["train"]) if options.data is None else run
    for name, value in vars(options).items():
        expected = getattr(plain, name, None)
        if name not in _OF_A_PROCESS and value != expected:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(
                f"--resume: the run in {folder} goes on with its own options, {option} "
                f"{_shown(getattr(run, name))}; received {_shown(value)}"
            )
    own = {name: getattr(options, name) for name in ("quiet", "threads", "resume", "arguments")}
    return argparse.Namespace(**{**vars(run), **own, "out": options.resume})


def _shown(value: Any) -> str:
    return "not given" if value is None else repr(value)
