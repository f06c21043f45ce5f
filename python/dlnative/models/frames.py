"""Columns of pandas and polars as arrays; neither library is imported here."""

from __future__ import annotations

from typing import Any

import numpy as np

ENCODE = "encode it as numbers first, or leave it out"


def is_frame(value: Any) -> bool:
    """Whether `value` is a DataFrame of pandas or polars."""
    return _class_of(value) in (("pandas", "DataFrame"), ("polars", "DataFrame"))


def is_series(value: Any) -> bool:
    """Whether `value` is a Series of pandas or polars."""
    return _class_of(value) in (("pandas", "Series"), ("polars", "Series"))


def holds_columns(value: Any) -> bool:
    """Whether `value` is of pandas, polars or SciPy, whose objects are no batches."""
    return type(value).__module__.partition(".")[0] in ("pandas", "polars", "scipy")


def frame_array(frame: Any, what: str) -> np.ndarray:
    """The columns of a DataFrame as the columns of one array.

    Args:
        frame: The DataFrame.
        what: Name for messages.

    Returns:
        An array (rows, columns) of the dtype that holds all columns; a missing value is NaN.

    Raises:
        TypeError: A column is not of numbers; the message names it.
    """
    names = list(frame.columns)
    if _class_of(frame)[0] == "pandas":  # names may be there twice
        columns = [frame.iloc[:, i] for i in range(len(names))]
    else:
        columns = [frame[name] for name in names]
    arrays = [
        series_array(column, f"{what}: column {name!r}")
        for name, column in zip(names, columns, strict=True)
    ]
    if not arrays:
        return np.empty((len(frame), 0))
    table = np.empty((len(frame), len(arrays)), np.result_type(*arrays))
    for i, array in enumerate(arrays):
        table[:, i] = array
    return table


def series_array(series: Any, what: str) -> np.ndarray:
    """A Series as an array (rows,); a missing value is NaN.

    Args:
        series: The Series.
        what: What to call it in messages.

    Raises:
        TypeError: It is not of numbers.
    """
    kind, missing = (_pandas_kind if _class_of(series)[0] == "pandas" else _polars_kind)(series)
    if kind not in ("b", "i", "u", "f"):
        raise TypeError(f"{what}: expected numbers, received dtype {series.dtype}; {ENCODE}")
    if not missing:
        return np.asarray(series.to_numpy())
    if _class_of(series)[0] == "polars":
        return _polars_with_nan(series, kind)
    return series.to_numpy(dtype=np.float32 if kind == "b" else np.float64, na_value=np.nan)


def _class_of(value: Any) -> tuple[str, str]:
    """(top package, name) of the class, or of the library's class that it inherits."""
    for cls in type(value).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in ("pandas", "polars"):
            return package, cls.__name__
    return "", ""


def _pandas_kind(series: Any) -> tuple[str | None, bool]:
    """(NumPy's kind of dtype, or None for what is no number; whether nullable values miss)."""
    dtype = series.dtype
    nullable = not isinstance(dtype, np.dtype)
    return getattr(dtype, "kind", None), nullable and bool(series.isna().any())


def _polars_kind(series: Any) -> tuple[str | None, bool]:
    dtype = series.dtype
    missing = series.null_count() > 0
    if dtype.is_integer():
        return "i", missing
    if dtype.is_float():
        return "f", missing
    return "b" if str(dtype) == "Boolean" else None, missing


def _polars_with_nan(series: Any, kind: str) -> np.ndarray:
    if kind != "b":
        return np.asarray(series.to_numpy())  # of integers, too, nulls become NaN
    array = np.full(len(series), np.nan, np.float32)
    present = series.is_not_null().to_numpy()
    array[present] = series.drop_nulls().to_numpy()
    return array
