"""keras.random: random numbers, and the seeds that they come from.

The functions draw at once, as NumPy arrays. In a call that becomes part of a program (a layer, a
loss, a step of training) they draw anew whenever the program runs: the numbers are a function of
the seed, the step and the place in the result, the same for any number of threads.

Example:
    >>> import dlnative
    >>> dlnative.random.uniform((2, 3), seed=1).shape
    (2, 3)

Differs from Keras: the generator is Philox, so the numbers are others.
"""

from .distributions import beta, binomial, gamma, normal, randint, truncated_normal, uniform
from .seed_generator import SeedGenerator
from .seeds import generator, next_seed, separate_stream, set_random_seed
from .selection import categorical, dropout, shuffle

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "generator",
    "next_seed",
    "normal",
    "randint",
    "separate_stream",
    "set_random_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]
