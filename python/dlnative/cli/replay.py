"""`dlnative replay`: runs a step again that was not finite, and says where it stops being so."""

from __future__ import annotations

import argparse

from .machine import configure

__all__ = ["run"]


def run(options: argparse.Namespace) -> None:
    """Prints the report of the step.

    Raises:
        ValueError: The folder is damaged, or the step is not the one that was recorded.
    """
    from ..models.divergence import describe
    from ..saving.replay import replay

    configure(options)
    found = replay(options.folder)
    print(found.report.message)
    held = "is held back" if found.held_back else "is done: all that it looks at is finite"
    print(f"The compiled step {held}.")
    if not found.is_same:
        raise ValueError(
            f"{options.folder}: recorded was another op, layer or rows, with engine "
            f"{found.engine}, {found.isa}, {found.threads} threads: "
            f"{describe(found.recorded, None)}"
        )
