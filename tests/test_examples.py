"""The examples do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dlnative

pytestmark = pytest.mark.native  # networks of images take minutes on the oracle

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
README = ROOT / "README.md"
PACKAGES = Path(dlnative.__file__).resolve().parent.parent  # PYTHONPATH may be relative


def test_demo_reaches_its_accuracy_and_draws(tmp_path):
    result = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert float(re.search(r"test accuracy +([\d.]+)%", result.stdout)[1]) >= 98
    assert re.search(r"speed +[\d,]+ samples/s", result.stdout)
    assert re.search(r"training step +\d+ microseconds", result.stdout)
    picture = (tmp_path / "demo.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 20_000


def test_first_example_of_the_readme():
    (code, *_) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.splitlines()[-1]) > 0.95
