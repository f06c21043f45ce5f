"""What a process remembers between models."""

from __future__ import annotations

from .. import naming


def clear_session(free_memory: bool = True) -> None:
    """Starts automatic names anew: the next unnamed Dense is "dense" again.

    Models that exist keep their names. Two layers of one model must not have the same name, so call
    this between models, not while one is being built.

    Args:
        free_memory: Whether to collect what Python's reference counts leave.

    Example:
        >>> import dlnative
        >>> dlnative.utils.clear_session()
        >>> dlnative.layers.Dense(3).name
        'dense'

    Differs from Keras: nothing else is global, so nothing else is cleared. Memory of a model is
    freed when the last reference to it goes.
    """
    naming._counts.clear()
    if free_memory:
        import gc

        gc.collect()
