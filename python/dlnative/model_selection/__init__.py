"""Tools to choose by: learning rates, set sizes, and many small models at once."""

from .curves import LearningCurve, learning_curve
from .many import Fit, Folds, fit_many
from .rates import LearningRateCurve, lr_find

__all__ = [
    "Fit",
    "Folds",
    "LearningCurve",
    "LearningRateCurve",
    "fit_many",
    "learning_curve",
    "lr_find",
]
