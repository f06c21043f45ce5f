"""Users' own files: tables (CSV) and archives (NPZ), and what is done to them before training.

Every error names the file, and the line and column where there are such.
"""

from .labels import decode, encode, infer_task, learn_classes
from .npz import read_npz
from .standardizer import Standardizer
from .table import Columns, Table, read_csv

__all__ = [
    "Columns",
    "Standardizer",
    "Table",
    "decode",
    "encode",
    "infer_task",
    "learn_classes",
    "read_csv",
    "read_npz",
]
