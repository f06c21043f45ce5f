"""Judged cases: keras.random. The numbers are others, so shapes, dtypes and errors are compared."""

from cases import A, Case, V


def drawn(op, *args, **kwargs):
    """A case whose values are random."""
    return Case(f"random.{op}", args, kwargs, values=False)


def wrong(op, *args, error=ValueError, **kwargs):
    """A case that both refuse."""
    return Case(f"random.{op}", args, kwargs, raises=error)


DISTRIBUTIONS = [
    *(
        case
        for op in ("normal", "uniform", "truncated_normal")
        for case in (
            drawn(op, (2, 3), seed=1),
            drawn(op, (), seed=1),
            drawn(op, (3, 0), seed=1),
            drawn(op, [4], 1.0, 2.0, seed=1),
            drawn(op, (2, 3), -1, 2, seed=1),
            drawn(op, (2, 3), dtype="float64", seed=1),
            drawn(op, (2, 3), A(3), A(2, 1, low=3, high=4), seed=1),
            wrong(op, (2, 3), dtype="int32", seed=1),
            wrong(op, (2, 3), seed="one"),
            wrong(op, (2, -3), seed=1),
            wrong(op, (2, 3), A(2), seed=1),
        )
    ),
    drawn("randint", (2, 3), 0, 5, seed=1),
    drawn("randint", (2, 3), -5, 5, dtype="int64", seed=1),
    drawn("randint", (2, 3), 0, 255, dtype="uint8", seed=1),
    drawn("randint", (), 0, 5, seed=1),
    Case("random.randint", ((2, 3), 4, 5), {"seed": 1}),
    wrong("randint", (2, 3), 0, 5, dtype="float32", seed=1),
    wrong("randint", (2, 3), 0, 5, dtype="bool", seed=1),
    drawn("randint", (2, 3), 0.0, 5.0, seed=1),
    Case(
        "random.randint",
        ((2, 3), 0.5, 5),
        {"seed": 1},
        values=False,
        differs="bounds that are no whole numbers raise; with JAX they are truncated",
        differs_expect=TypeError,
    ),
    drawn("gamma", (2, 3), 0.5, seed=1),
    drawn("gamma", (2, 3), A(3, low=1, high=2), seed=1),
    drawn("gamma", (2, 3), 0.5, dtype="float64", seed=1),
    drawn("beta", (2, 3), 0.5, 1.5, seed=1),
    drawn("beta", (2, 3), A(3, low=1, high=2), 2.0, seed=1),
    drawn("binomial", (2, 3), 5, 0.5, seed=1),
    drawn("binomial", (2, 3), V([4, 0, 9], "int32"), A(2, 1, low=0, high=1), seed=1),
    drawn("binomial", (3,), V([4, 0, 9]), 0.25, dtype="float64", seed=1),
    drawn("gamma", (), 2.0, seed=1),
    drawn("gamma", (3, 0), 2.0, seed=1),
    drawn("gamma", (2, 3), A(2, 1, low=1, high=2), seed=1),
    wrong("gamma", (2, 3), 1.0, dtype="int32", seed=1),
    wrong("gamma", (2, 3), A(2, low=1, high=2), seed=1),
    drawn("beta", (2, 3), 0.5, 1.5, dtype="float64", seed=1),
    wrong("beta", (2, 3), 1.0, 1.0, dtype="int32", seed=1),
    wrong("binomial", (2, 3), 5, 0.5, dtype="int32", seed=1),
    Case("random.binomial", ((3,), V([4.0, 0.0, 9.0]), V([1.0, 0.5, 0.0])), {"seed": 1}),
]

CHOICES = [
    drawn("categorical", A(2, 3), 5, seed=1),
    drawn("categorical", A(2, 3, dtype="float64"), 0, seed=1),
    drawn("categorical", A(0, 3), 2, seed=1),
    drawn("categorical", A(2, 3), 5, dtype="int64", seed=1),
    Case("random.categorical", (V([[-1e9, 0, -1e9], [0, -1e9, -1e9]]), 4), {"seed": 1}),
    wrong("categorical", A(3), 5, seed=1),
    drawn("dropout", A(2, 3), 0.5, seed=1),
    drawn("dropout", A(2, 3, dtype="float64"), 0.5, (2, 1), seed=1),
    drawn("dropout", A(2, 3), 0.5, (None, 1), seed=1),
    Case("random.dropout", (A(2, 3), 0.0), {"seed": 1}, grad=(0,)),
    Case("random.dropout", (A(2, 3), 1.0), {"seed": 1}, grad=(0,)),
    wrong("dropout", A(2, 3), 0.5, (3, 1), seed=1),
    wrong("dropout", A(2, 3, dtype="int32"), 0.5, seed=1, error=TypeError),
    drawn("shuffle", A(4, 3), seed=1),
    drawn("shuffle", A(4, 3, dtype="int32"), 1, seed=1),
    drawn("shuffle", A(2, 3, 4, dtype="bool"), axis=-1, seed=1),
    drawn("shuffle", A(0, 3), seed=1),
    Case("random.shuffle", (A(1, 5),), {"seed": 1}, grad=(0,)),
    wrong("shuffle", A(4, 3), axis=2, seed=1),
    wrong("shuffle", A(4, 3), seed=1.5),
]


def _state(package, seed):
    """The states of a generator before and after two seeds."""
    seeds = package.random.SeedGenerator(seed)
    states = [seeds.state.numpy()]
    states += [seeds.next(), seeds.next()]
    return [int(n) for state in [*states, seeds.state.numpy()] for n in state]


def _unordered(package, seed):
    """Keras's congruence of the state."""
    seeds = package.random.SeedGenerator(seed)
    seeds.next(ordered=False)
    return [int(n) for n in seeds.state.numpy()]


SEEDS = [
    Case("random.SeedGenerator", (3,), call=_state, graph=False),
    Case("random.SeedGenerator", (3,), call=_unordered, graph=False),
    Case(
        "random.SeedGenerator",
        (7,),
        {"name": "own"},
        call=lambda k, s, name: [
            str(v) for v in k.random.SeedGenerator(s, name=name).get_config().values()
        ],
    ),
    wrong("SeedGenerator", "three"),
    wrong("SeedGenerator", 1.5),
]

CASES = [*DISTRIBUTIONS, *CHOICES, *SEEDS]
