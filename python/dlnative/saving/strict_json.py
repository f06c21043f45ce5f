"""JSON that means one thing: no duplicate keys, no NaN, no infinities, UTF-8."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from typing import Any

__all__ = ["digest", "dumps", "loads"]


def loads(content: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is not JSON in UTF-8, a key stands twice in one object, a number is not
            finite, or it is nested more deeply than Python's recursion limit allows.
    """
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_constant=_finite,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def dumps(value: Any) -> str:
    """The JSON text of a value.

    Raises:
        ValueError: The value is none of JSON.
    """
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"cannot be written as JSON: {reason}") from error


def digest(value: Any) -> str:
    """SHA-256 of a value that `loads` returned: of its JSON with sorted keys and no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected finite numbers, received {text}")
    return value
