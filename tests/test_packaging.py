"""What is installed, what importing it costs, and that the project's files agree."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.resources
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dlnative

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def project() -> dict:
    """The contents of pyproject.toml."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest depends on it there

    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", requirement)[0] for requirement in requirements}


def run_python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return result.stdout


def test_version_has_one_source(project):
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["scikit-build"]["metadata"]["version"]["input"].endswith("_version.py")
    assert re.fullmatch(r"\d+\.\d+\.\d+", dlnative.__version__)
    assert f"## [{dlnative.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_installed_version_and_script():
    try:
        distribution = importlib.metadata.distribution("dlnative")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("running from the source tree, nothing is installed")
    assert distribution.version == dlnative.__version__
    (script,) = distribution.entry_points.select(group="console_scripts", name="dlnative")
    assert script.value == "dlnative.cli:main"


def test_hard_dependencies_are_three(project):
    assert names(project["project"]["dependencies"]) == {"numpy", "safetensors", "tqdm"}


def test_tests_do_not_need_the_peers(project):
    extras = project["project"]["optional-dependencies"]
    peers = {"keras", "jax", "torch", "tensorflow"}
    assert not names(extras["test"]) & peers
    assert not names(extras["examples"]) & peers
    assert names(extras["test-peers"]) == {
        "keras",
        "jax",
        "pandas",
        "polars",
        "tensorboard",
    }


def test_makefile_names_the_build_requirements(project):
    makefile = (ROOT / "Makefile").read_text()
    tools = re.findall(r'"([^"]+)"', re.search(r"^BUILD_TOOLS := (.*)$", makefile, re.M)[1])
    assert set(project["build-system"]["requires"]) <= set(tools)
    assert names(tools) == {"scikit-build-core", "pybind11", "cmake", "ninja"}


def test_oldest_python_is_the_same_everywhere(project):
    assert project["project"]["requires-python"] == ">=3.10"
    assert project["tool"]["ruff"]["target-version"] == "py310"
    assert project["tool"]["mypy"]["python_version"] == "3.10"


def test_package_is_typed():
    files = importlib.resources.files("dlnative")
    assert files.joinpath("py.typed").is_file()
    assert files.joinpath("_core.pyi").is_file()


def test_stub_names_what_the_compiled_module_has():
    from dlnative import _core

    stub = ast.parse(importlib.resources.files("dlnative").joinpath("_core.pyi").read_text())
    named = {
        node.name: {part.name for part in getattr(node, "body", []) if hasattr(part, "name")}
        for node in stub.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    public = {name for name in vars(_core) if not name.startswith("_")}
    assert set(named) == public, "run make stubs"
    methods = {name for name in vars(_core.Program) if not name.startswith("_")}
    assert named["Program"] - {"__init__"} == methods, "run make stubs"


def test_compiled_module_is_small():
    from dlnative import _core

    # With the symbols of a development build; the wheel's 5 MB are checked in .ci/check_wheel.py.
    assert Path(_core.__file__).stat().st_size < 11 * 2**20


def test_import_is_lazy():
    loaded = run_python("import sys, dlnative; print(*sys.modules)").split()
    assert not {"numpy", "tqdm", "safetensors", "sklearn", "matplotlib"} & set(loaded)
    assert {name for name in loaded if name.startswith("dlnative")} == {
        "dlnative", "dlnative._version",
    }  # fmt: skip


def test_training_does_not_import_what_it_does_not_use():
    code = """
import sys, numpy as np, dlnative
model = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32"), verbose=0)
print(*sys.modules)
"""
    loaded = set(run_python(code).split())
    assert not {"safetensors", "sklearn", "scipy", "matplotlib", "pooch", "keras"} & loaded


def test_every_public_name_resolves():
    for name in dlnative.__all__:
        assert getattr(dlnative, name) is not None, name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Sequentiel'"):
        dlnative.Sequentiel  # noqa: B018
