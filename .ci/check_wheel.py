"""Checks of a built wheel: its size, its files, what it depends on."""

from __future__ import annotations

import sys
import zipfile
from email.parser import Parser
from pathlib import Path

LARGEST = 5 * 2**20  # bytes
DEPENDENCIES = {"numpy", "safetensors", "tqdm"}


def check(path: Path) -> None:
    size = path.stat().st_size
    assert size <= LARGEST, f"{path.name} has {size} bytes, more than {LARGEST}"
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        metadata = Parser().parsestr(
            wheel.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode()
        )
    modules = [n for n in names if n.endswith((".so", ".pyd"))]
    assert len(modules) == 1, f"expected one compiled module, received {modules}"
    assert modules[0].startswith("dlnative/_core"), modules
    for needed in ("dlnative/py.typed", "dlnative/__init__.py", "dlnative/cli/__init__.py"):
        assert needed in names, f"{needed} is missing"
    strays = [n for n in names if not n.startswith(("dlnative/", "dlnative-"))]
    assert not strays, f"files outside of the package: {strays}"
    requirements = [r for r in metadata.get_all("Requires-Dist") or [] if "extra ==" not in r]
    names_only = {r.split(">")[0].split("=")[0].split("<")[0].strip() for r in requirements}
    assert names_only == DEPENDENCIES, f"expected to depend on {DEPENDENCIES}, not {names_only}"
    print(f"{path.name}: {size / 2**20:.2f} MiB, {len(names)} files, needs {sorted(names_only)}")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        check(Path(argument))
