"""The names of Keras that dlnative promises to have, from keras_names.tsv."""

from __future__ import annotations

from typing import Any

from cases import FOLDER

# Names whose arguments are not those of Keras, and why.
ARGUMENTS_DIFFER: dict[str, str] = {
    "random.SeedGenerator": "there is no other backend to choose, so no further arguments",
}


def names() -> list[str]:
    """Dotted names below `keras`, such as "ops.nn.relu"."""
    lines = (FOLDER / "keras_names.tsv").read_text().splitlines()[1:]
    return [".".join(line.split("\t")) for line in lines]


# Namespaces of keras beside `ops`, whose names are written with the namespace.
BESIDE_OPS = ("activations", "constraints", "losses", "random", "regularizers")
NAMESPACES = ("ops.image", "ops.linalg", "ops.nn", "ops.numpy")


def functions() -> list[str]:
    """The names that are no namespaces."""
    return [name for name in names() if name not in NAMESPACES]


def short(name: str) -> str:
    """The name of the op for all its namespaces: "relu" for "ops.nn.relu" and "ops.relu"."""
    name = name.removeprefix("ops.")
    for namespace in ("nn.", "numpy.", "linalg."):
        name = name.removeprefix(namespace)
    return name


def find(package: Any, op: str) -> Any:
    """The function of `package` (keras or dlnative) for a name of `names()` or `Case.op`.

    Raises:
        AttributeError: There is none.
    """
    found = package if op.partition(".")[0] in BESIDE_OPS else package.ops
    for part in op.removeprefix("ops.").split("."):
        found = getattr(found, part)
    return found
