"""Users' own files: tables, archives, folders of images, and what is done to them before training.

Every error names the file, and the line and column where there are such.
"""

from .image_folder import Images, image_folder
from .images import ImageFormat, read_image
from .labels import UnclearTargets, decode, encode, infer_task, learn_classes
from .npz import npz_names, read_npz
from .standardizer import Standardizer
from .table import Columns, Table, read_csv

__all__ = [
    "Columns",
    "ImageFormat",
    "Images",
    "Standardizer",
    "Table",
    "UnclearTargets",
    "decode",
    "encode",
    "image_folder",
    "infer_task",
    "learn_classes",
    "npz_names",
    "read_csv",
    "read_image",
    "read_npz",
]
