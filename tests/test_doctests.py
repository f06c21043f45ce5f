"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import dlnative

MODULES = [
    module.name
    for module in pkgutil.walk_packages(dlnative.__path__, "dlnative.")
    if not module.name.endswith(("__main__", "_core"))
]


@pytest.mark.parametrize("name", MODULES)
def test_doctest(name, request):
    result = doctest.testmod(
        importlib.import_module(name),
        extraglobs={"getfixture": request.getfixturevalue},
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
    )
    assert result.failed == 0
