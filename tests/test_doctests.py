"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import dlnative
from dlnative.graph import table
from dlnative.ops import rows

MODULES = [
    module.name
    for module in pkgutil.walk_packages(dlnative.__path__, "dlnative.")
    if not module.name.endswith(("__main__", "_core"))
]


@pytest.mark.parametrize("name", MODULES)
def test_doctest(name, request):
    module = importlib.import_module(name)
    if module is rows:  # its functions have the docstrings of the oracle, where they are run
        for function in vars(rows).keys() & table.keys():
            delattr(rows, function)
    result = doctest.testmod(
        module,
        extraglobs={"getfixture": request.getfixturevalue},
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
    )
    assert result.failed == 0
