"""Judged calls of products of vectors, matrices and arrays of more axes."""

from cases import A, Case, V

NAN, INF = float("nan"), float("inf")
INTEGERS = ("int32", "int64", "uint8")


def both(name, shapes, **kwargs):
    """Products of these shapes, and their gradients."""
    return [Case(name, (A(*a), A(*b)), kwargs, grad=(0, 1)) for a, b in shapes]


def of_dtypes(name, *shapes):
    pairs = [(d, d) for d in ("float64", *INTEGERS)]
    pairs += [("int32", "float32"), ("int64", "float32"), ("uint8", "int32"), ("bool", "int32")]
    return [
        Case(name, tuple(A(*s, dtype=d, low=-9, high=9) for s, d in zip(shapes, pair)))
        for pair in pairs
    ]


MATMUL = [
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((3,), (5, 3, 4)),
    ((2, 3), (3,)),
    ((5, 2, 3), (3,)),
    ((1, 1), (1, 1)),
    ((2, 0), (0, 3)),
    ((0, 2, 3), (3, 4)),
    ((4, 0, 3), (4, 3, 2)),
    ((4, 2, 0), (4, 0, 2)),
    ((40, 70), (70, 30)),
]
PRODUCTS = [
    *both("matmul", MATMUL),
    *of_dtypes("matmul", (3, 4), (4, 2)),
    *of_dtypes("matmul", (2, 3, 4), (2, 4, 2)),
    Case("matmul", (A(3, 4, dtype="bool"), A(4, 2, dtype="bool"))),
    Case("matmul", (V([[2**30, 2**30]], "int32"), V([[3], [3]], "int32"))),
    Case("matmul", ([[1.0, 2.0]], [[3.0], [4.0]])),
    Case("matmul", (V([[1, NAN], [INF, 2]]), V([[1, 0], [2, 1]]))),
    Case("matmul", (A(2, 3), A(4, 2)), raises=ValueError),
    Case("matmul", (A(2, 2, 3), A(3, 3, 2)), raises=ValueError),
    Case("matmul", (V(2.0), A(3)), raises=ValueError),
    *both("dot", [((), (3,)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4))]),
    *both("dot", [((2, 3), (3, 4)), ((2, 5, 3), (4, 3, 2)), ((3,), (4, 3, 2)), ((2, 0), (0, 3))]),
    *of_dtypes("dot", (3, 4), (4,)),
    Case("dot", (2, A(3))),
    Case("dot", (A(2, 3), A(2, 3)), raises=ValueError),
    *both("vdot", [((3,), (3,)), ((2, 3), (3, 2)), ((), ()), ((0,), (0,))]),
    *of_dtypes("vdot", (3, 2), (3, 2)),
    Case("vdot", (A(3), A(4)), raises=ValueError),
    *both(
        "inner", [((3,), (3,)), ((2, 3), (4, 3)), ((2, 5, 3), (4, 3)), ((), (3,)), ((3,), (2, 3))]
    ),
    *of_dtypes("inner", (2, 4), (3, 4)),
    Case("inner", (A(2, 3), A(3, 2)), raises=ValueError),
    *both("outer", [((3,), (4,)), ((2, 3), (2, 2)), ((), (3,)), ((0,), (3,))]),
    *of_dtypes("outer", (3,), (2,)),
    *both("tensordot", [((2, 3, 4), (3, 4, 5)), ((3, 4), (3, 4))]),
    *both("tensordot", [((2, 3), (3, 4))], axes=1),
    *both("tensordot", [((2, 3), (4, 5))], axes=0),
    *both("tensordot", [((2, 3, 4), (4, 5, 2))], axes=([0, 2], [2, 0])),
    *both("tensordot", [((2, 3, 4), (5, 3))], axes=(1, -1)),
    *both("tensordot", [((2, 3, 4), (4, 2, 3))], axes=[[1, -1, 0], [2, 0, 1]]),
    *both("tensordot", [((4, 3), (4, 5))], axes=(0, 0)),
    *both("tensordot", [((2, 0), (0, 3))], axes=1),
    Case("tensordot", (A(2, 3), A(4, 5)), {"axes": 1}, raises=ValueError),
    Case("tensordot", (A(2, 3), A(3, 5)), {"axes": 3}, raises=ValueError),
    Case("tensordot", (A(2, 3), A(3, 5)), {"axes": ([0, 1], [0])}, raises=ValueError),
    Case("tensordot", (A(2, 3), A(3, 5)), {"axes": (2, 0)}, raises=ValueError),
    *of_dtypes("tensordot", (2, 3, 2), (3, 2)),
    *both("kron", [((2, 3), (4, 5)), ((3,), (2,)), ((2, 3), (2,)), ((2,), (1, 3, 2)), ((), (3,))]),
    *of_dtypes("kron", (2, 3), (3, 2)),
    *both("cross", [((3,), (3,)), ((4, 3), (4, 3)), ((5, 1, 3), (4, 3)), ((2,), (2,))]),
    *both("cross", [((4, 2), (4, 2)), ((4, 2), (4, 3)), ((4, 3), (4, 2))]),
    *both("cross", [((3, 4), (3, 4))], axis=0),
    *both("cross", [((3, 4, 5), (4, 3, 5))], axisa=0, axisb=1, axisc=2),
    *both("cross", [((4, 3), (4, 3))], axisc=0),
    *of_dtypes("cross", (2, 3), (2, 3)),
    Case("cross", (A(4), A(4)), raises=ValueError),
    *both("cdist", [((3, 4), (5, 4)), ((2, 3, 4), (2, 5, 4)), ((2, 1, 3, 4), (6, 5, 4))]),
    Case("cdist", (A(3, 2, dtype="int32", high=9), A(2, 2, dtype="int32", high=9))),
    Case("cdist", (A(3, 2, dtype="float64"), A(2, 2, dtype="float64")), grad=(0, 1)),
    Case("cdist", (V([[1, 2]]), V([[1, 2], [1, 3]])), grad=(0, 1)),
    Case("cdist", (A(3), A(3)), raises=ValueError),
    Case("cdist", (A(3, 2), A(3, 4)), raises=ValueError),
    *(
        Case("correlate", (A(n), A(m), mode), grad=(0, 1))
        for mode in ("valid", "same", "full")
        for n, m in ((7, 3), (3, 7), (5, 5), (6, 4), (4, 6), (1, 1), (2, 1))
    ),
    Case("correlate", (A(5, dtype="int32", high=9), A(2, dtype="int32", high=9))),
    Case("correlate", (A(5, dtype="float64"), A(2, dtype="float64"))),
    Case("correlate", (A(5), A(2), "some"), raises=ValueError),
    Case("correlate", (A(5, 2), A(2)), raises=ValueError),
    Case("correlate", (V([]), A(2)), raises=ValueError),
    Case("corrcoef", (A(3, 6),), grad=(0,)),
    Case("corrcoef", (A(2, 5, dtype="float64"),)),
    Case("corrcoef", (A(5),)),
    Case("corrcoef", (A(3, 4, dtype="int32", high=9),)),
    Case("corrcoef", (V([[1, 1, 1], [1, 2, 3]]),)),
    Case("corrcoef", (A(2, 1),)),
    Case("corrcoef", (A(2, 3, 4),), raises=ValueError),
]

EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ji,jk->ki", (3, 2), (3, 4)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("bqhd,bkhd->bhqk", (2, 3, 4, 5), (2, 6, 4, 5)),
    ("bhqk,bkhd->bqhd", (2, 4, 3, 6), (2, 6, 4, 5)),
    ("...ij,...jk->...ik", (1, 2, 3), (5, 3, 4)),
    ("...ij,jk", (6, 2, 3), (3, 4)),
    ("i,j->ij", (3,), (4,)),
    ("i,i", (3,), (3,)),
    ("i,i->i", (3,), (3,)),
    ("i,->i", (3,), ()),
    ("ij,ij->j", (2, 3), (2, 3)),
    ("ijk,jil->kl", (2, 3, 4), (3, 2, 5)),
    ("abc,cd->abd", (2, 3, 4), (4, 5)),
    ("abc,d->bd", (2, 3, 4), (5,)),
    ("...,...", (2, 3), (3,)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iji->j", (3, 2, 3)),
    ("iii->i", (2, 2, 2)),
    ("bii->bi", (4, 3, 3)),
    ("ij->ji", (2, 3)),
    ("ba", (2, 3)),
    ("ijk->k", (2, 3, 4)),
    ("ij->", (2, 3)),
    ("...ij->...", (4, 2, 3)),
    ("...i->i", (2, 3)),
    ("i...->...i", (2, 3, 4)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)),
    ("bi,bj,ijk->bk", (4, 2), (4, 3), (2, 3, 5)),
    ("i,j,k,l->lkji", (2,), (3,), (4,), (5,)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("bij,bjk->bik", (0, 2, 3), (0, 3, 4)),
]
CASES = [
    *PRODUCTS,
    *(
        Case("einsum", (s, *(A(*shape) for shape in shapes)), grad=tuple(range(1, len(shapes) + 1)))
        for s, *shapes in EINSUM
    ),
    *(
        Case("einsum", (s, *(A(*shape, dtype=d, low=-9, high=9) for shape in shapes)))
        for s, *shapes in (EINSUM[0], EINSUM[5], EINSUM[13], EINSUM[19], EINSUM[26], EINSUM[27])
        for d in ("float64", *INTEGERS)
    ),
    Case("einsum", ("ij,jk->il", A(2, 3), A(3, 4)), raises=ValueError),
    Case("einsum", ("ij,jk->ii", A(2, 3), A(3, 4)), raises=ValueError),
    Case("einsum", ("ij,jk->ik", A(2, 3), A(4, 4)), raises=ValueError),
    Case("einsum", ("ij,jk->ik", A(2, 3)), raises=ValueError),
    Case("einsum", ("ijk->i", A(2, 3)), raises=ValueError),
    Case("einsum", ("i->i", A(2, 3)), raises=ValueError),
]
