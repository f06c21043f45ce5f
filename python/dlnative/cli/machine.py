"""Options about the machine, which all commands that compute share."""

from __future__ import annotations

import argparse

__all__ = ["configure"]


def configure(options: argparse.Namespace) -> None:
    """Sets engine and threads as the options say."""
    from .. import config

    if getattr(options, "engine", None) is not None:  # profile is about the native engine
        config.set_engine(options.engine)
    if options.threads is not None:
        config.set_num_threads(options.threads)
