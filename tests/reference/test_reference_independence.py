"""The oracle judges the rest of the package, so it takes nothing from it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from dlnative import reference

MODULES = sorted(Path(reference.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_oracle_imports_numpy_and_itself_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level <= 1, f"line {node.lineno} imports from another room"
            names = [] if node.level else [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            root = name.split(".")[0]
            assert root == "numpy" or root in sys.stdlib_module_names, f"line {node.lineno}: {name}"
