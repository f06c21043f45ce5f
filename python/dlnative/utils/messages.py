"""Where messages of callbacks and the progress of training go."""

from __future__ import annotations

import logging
import sys

from ..config import is_interactive_logging_enabled


def print_message(message: str, line_break: bool = True) -> None:
    """Writes to standard output, or to the logger: see `config.disable_interactive_logging`.

    Args:
        message: The text. What the encoding of standard output does not have is left out.
        line_break: Whether the line ends with it.
    """
    if not is_interactive_logging_enabled():
        text = message.strip("\r\b\n")
        if text:
            logging.getLogger("dlnative").info(text)
        return
    text = f"{message}\n" if line_break else message
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        plain = text.replace("━", "=")
        sys.stdout.write(plain.encode(encoding, "ignore").decode(encoding))
    sys.stdout.flush()
