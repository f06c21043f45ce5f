"""Elementwise work as plain data: primitives, updates of parameters, activations and losses.

Arrays are float32 matrices of 1024 columns. The formulas themselves are in `workers/formulas.py`,
written once for all libraries.
"""

from __future__ import annotations

from typing import Any

COLUMNS = 1024
NARROW = 16  # columns of "narrow" matrices of as many elements
LARGE = 16384  # rows: 64 MB an array
SMALL = 64  # rows: 256 KB an array

Spec = dict[str, Any]

# For each primitive its group, what it takes (`workers/data.py` draws it), and the bytes that it
# reads and writes for each element of a matrix; what is smaller by a whole axis is not counted.
PRIMITIVES: dict[str, tuple[str, list[str], int]] = {
    "add": ("arithmetic", ["x", "y"], 12),
    "multiply": ("arithmetic", ["x", "y"], 12),
    "maximum": ("arithmetic", ["x", "y"], 12),
    "add column": ("arithmetic", ["x", "column"], 8),
    "greater": ("comparison", ["x", "y"], 9),
    "where": ("comparison", ["mask", "x", "y"], 13),
    "sum": ("reduction", ["positive"], 4),
    "sum last axis": ("reduction", ["positive"], 4),
    "sum leading axis": ("reduction", ["positive"], 4),
    "mean": ("reduction", ["positive"], 4),
    "max": ("reduction", ["positive"], 4),
    "transpose": ("movement", ["x"], 8),
    "transpose narrow": ("movement", ["narrow"], 8),
    "concatenate": ("movement", ["half", "other_half"], 8),
    "slice": ("movement", ["x"], 4),
    "take": ("movement", ["x", "indices"], 8),
    "take narrow": ("movement", ["narrow", "narrow indices"], 8),
    "broadcast_to": ("movement", ["row"], 4),
    "broadcast_to column": ("movement", ["column"], 4),
    "cast": ("movement", ["x"], 12),
    "cast to int32": ("movement", ["x"], 8),
    "exp": ("function", ["x"], 8),
    "log": ("function", ["positive"], 8),
    "log2": ("function", ["positive"], 8),
    "log1p": ("function", ["positive"], 8),
    "tanh": ("function", ["x"], 8),
    "sigmoid": ("function", ["x"], 8),
    "erf": ("function", ["x"], 8),
    "sin": ("function", ["x"], 8),
    "cos": ("function", ["x"], 8),
    "tan": ("function", ["x"], 8),
    "arctan": ("function", ["x"], 8),
    "sinh": ("function", ["x"], 8),
    "arcsinh": ("function", ["x"], 8),
    "power": ("function", ["positive"], 8),
    "sqrt": ("function", ["positive"], 8),
    "rsqrt": ("function", ["positive"], 8),
    "cumsum": ("function", ["positive"], 8),
}

# For each optimizer how many arrays like the parameters it keeps.
OPTIMIZERS = {"AdamW": 2, "Nadam": 2, "Lion": 1, "RMSprop": 1, "AdaBelief": 2}
HAND = "Adam"  # the optimizer that has a kernel of its own
HAND_SLOTS = 2

ACTIVATIONS = [
    "gelu",
    "gelu_tanh",
    "quick_gelu",
    "mish",
    "squareplus",
    "celu",
    "log_sigmoid",
    "hard_shrink",
    "soft_shrink",
    "hard_swish",
    "sparse_plus",
    "tanh_shrink",
]
LOSSES = [
    "huber",
    "log_cosh",
    "kl_divergence",
    "hinge",
    "poisson",
    "mape",
    "msle",
    "focal",
]


def primitive(name: str, rows: int) -> Spec:
    """Describes one call of a primitive."""
    group, operands, size = PRIMITIVES[name]
    return {
        "op": name,
        "group": group,
        "operands": operands,
        "shape": [rows, COLUMNS],
        "moved": size * rows * COLUMNS,
        "seed": 1,
    }


def update_bytes(slots: int, parameters: int) -> int:
    """Returns the bytes of an update: parameters and slots read and written, gradients read."""
    return 4 * parameters * (2 * (1 + slots) + 1)


def update(optimizer: str, rows: int, arrays: int = 4) -> Spec:
    """Describes one update of parameters in several arrays of equal size."""
    return {
        "optimizer": optimizer,
        "slots": OPTIMIZERS[optimizer],
        "shapes": [[rows // arrays, COLUMNS]] * arrays,
        "moved": update_bytes(OPTIMIZERS[optimizer], rows * COLUMNS),
        "by_hand": update_bytes(HAND_SLOTS, rows * COLUMNS),
        "seed": 1,
    }


def composition(name: str, rows: int) -> Spec:
    """Describes an activation or a loss together with its gradient.

    An activation reads x and dy and writes y and dx. A loss reads targets and predictions and
    writes their gradient; its value is the mean over everything.
    """
    loss = name in LOSSES
    return {
        "formula": name,
        "loss": loss,
        "shape": [rows, COLUMNS],
        "moved": 4 * rows * COLUMNS * (3 if loss else 4),
        "seed": 1,
    }
