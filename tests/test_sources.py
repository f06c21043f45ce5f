"""What holds for the C++ sources as text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
SCALAR = r"(?:bool|int|unsigned|float|double|T|std::(?:u?int\d+_t|size_t)|[\w:<>]+ ?\*)"
MEMBER = re.compile(rf"^ +(?:const )?{SCALAR} ?\*?(?P<names>\w+_(?:, \w+_)*);")
HEADERS = sorted(CSRC.rglob("*.h"))


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_members_of_classes_have_an_initialiser(header):
    """A constructor that forgets a number, a flag or a pointer leaves it to what memory holds."""
    for number, line in enumerate(header.read_text().splitlines(), 1):
        assert not MEMBER.match(line), f"{header.name}:{number}: {line.strip()}"


def test_the_pattern_finds_members_without_one():
    for line in (
        "  bool stream_;",
        "  std::int64_t rows_, cols_;",
        "  const Kernels<T>* kernels_;",
    ):
        assert MEMBER.match(line)
    for line in (
        "  bool stream_ = false;",
        "  std::vector<T> ones_;",
        "  return total_;",
        "  T x_{};",
    ):
        assert not MEMBER.match(line)


def test_sections_of_the_performance_page_that_comments_name_exist():
    page = (ROOT / "docs" / "performance.md").read_text()
    sections = set(re.findall(r"^#+ (.*)$", page, re.M))
    named = set()
    for path in (*HEADERS, *CSRC.rglob("*.cpp")):
        text = re.sub(r"\n *// ", " ", path.read_text())
        named |= set(re.findall(r'docs/performance\.md, "([^"]+)"', text))
    assert "GEMM" in named
    assert named <= sections
