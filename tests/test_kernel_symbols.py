"""What the kernel objects export: nothing that the linker could merge across instruction sets.

A function with external linkage that is compiled once per instruction set, such as an instantiated
template, is kept once by the linker, perhaps in the form for the widest machine; an older machine
then dies of an illegal instruction. So a kernel object may export hidden symbols of its own
namespace only, and may need nothing beyond the memory functions of the C library.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.native

ROOT = Path(__file__).resolve().parent.parent
LIBC = {"memcpy", "memmove", "memset", "memcmp", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}


def kernel_objects():
    """(instruction set, object) of every build tree that is not instrumented."""
    found = []
    for cache in sorted((ROOT / "build").glob("*/CMakeCache.txt")):
        if re.search(r"^DLNATIVE_SANITIZE:\w+=.+$", cache.read_text(), re.MULTILINE):
            continue
        for folder in sorted(cache.parent.glob("CMakeFiles/kernels_*.dir")):
            isa = folder.name[len("kernels_") : -len(".dir")]
            found += [(isa, path) for path in sorted(folder.rglob("*.o"))]
    return found


@pytest.fixture(scope="module")
def objects():
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf (binutils)")
    found = kernel_objects()
    if not found:
        pytest.skip("needs a build tree: run 'make dev'")
    return found


def readelf(option, path):
    output = subprocess.run(
        ["readelf", "-W", option, str(path)], capture_output=True, text=True, check=True
    ).stdout
    return output.splitlines()


def symbols(path):
    """(name, binding, visibility, defined) of the symbols that take part in linking."""
    for line in readelf("--symbols", path):
        # Num: Value Size Type Bind Vis [other] Ndx Name
        match = re.match(r"\s*\d+: \w+ +\w+ (\w+) +(\w+) +(\w+) .*?(\w+) (\S+)$", line)
        if match and match[2] != "LOCAL":
            yield match[5], match[2], match[3], match[4] != "UND"


def problems(isa, path):
    """What is wrong with an object, a line per symbol."""
    own = re.compile(rf"_ZNK?8dlnative{len(isa)}{isa}\d")
    found = []
    for name, binding, visibility, defined in symbols(path):
        if binding != "GLOBAL":
            found.append(f"{name} is {binding.lower()}")
        elif not own.match(name) and (defined or name not in LIBC):
            found.append(f"{name} is {'defined' if defined else 'needed'}")
        elif defined and visibility != "HIDDEN":
            found.append(f"{name} is {visibility.lower()}, not hidden")
    if any(
        re.search(r"\.(init_array|ctors)\b", line) for line in readelf("--section-headers", path)
    ):
        found.append("static constructors")
    return found


def test_kernel_objects_export_hidden_symbols_of_their_namespace_only(objects):
    found = {path.name + " of " + isa: problems(isa, path) for isa, path in objects}
    assert not {key: value for key, value in found.items() if value}


def test_every_instruction_set_exports_its_table(objects):
    for isa in {isa for isa, _ in objects}:
        exported = {s[0] for i, path in objects if i == isa for s in symbols(path) if s[3]}
        assert f"_ZN8dlnative{len(isa)}{isa}5tableE" in exported


def test_the_check_finds_a_weak_a_foreign_and_a_visible_symbol(tmp_path):
    """The checks above, on an object that breaks the rules."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None or shutil.which("readelf") is None:
        pytest.skip("needs a C++ compiler and readelf")
    source = tmp_path / "bad.cpp"
    source.write_text("""
        namespace dlnative { namespace avx2 {
        template <class T> T twice(T x) { return x + x; }
        template int twice(int);
        int visible = 1;
        __attribute__((visibility("hidden"))) int hidden = 2;
        } }
        int foreign() { return *new int(3); }
        int at_start = foreign();
    """)
    target = tmp_path / "bad.o"
    subprocess.run([compiler, "-c", str(source), "-o", str(target)], check=True)
    found = problems("avx2", target)
    for expected in (
        "twice.* is weak",
        "visible.* is default",
        "foreign.* is defined",
        "_Znw.* is needed",
        "static constructors",
    ):
        assert any(re.search(expected, line) for line in found), (expected, found)
    assert not any("6hidden" in line for line in found)
