"""Judged cases: keras.ops.image."""

from cases import A, Case, V

NAN, INF = float("nan"), float("inf")
UNIT = {"low": 0, "high": 1}


def image(op, x, *args, **kwargs):
    """A case with its gradient for the images."""
    return Case(f"image.{op}", (x, *args), kwargs, grad=(0,))


def wrong(op, *args, error=ValueError, **kwargs):
    """A case that both refuse."""
    return Case(f"image.{op}", args, kwargs, raises=error)


IN_FLOAT32 = {"rtol": 2e-7, "atol": 2e-7, "why": "Keras computes in float32"}

COLORS = [
    image("rgb_to_grayscale", A(2, 4, 5, 3)),
    image("rgb_to_grayscale", A(4, 5, 3)),
    image("rgb_to_grayscale", A(2, 3, 4, 5), data_format="channels_first"),
    image("rgb_to_grayscale", A(3, 4, 5), data_format="channels_first"),
    image("rgb_to_grayscale", A(2, 4, 5, 1)),
    Case("image.rgb_to_grayscale", (A(2, 2, 2, 3, dtype="float64"),), grad=(0,), **IN_FLOAT32),
    Case("image.rgb_to_grayscale", (A(3, 4, 3, dtype="uint8", high=255),)),
    Case("image.rgb_to_grayscale", (A(3, 4, 3, dtype="int32", low=-99, high=999),)),
    Case("image.rgb_to_grayscale", (A(3, 4, 1, dtype="int64"),)),
    Case("image.rgb_to_grayscale", (A(2, 2, 3, special=(NAN, INF, -INF)),)),
    Case("image.rgb_to_grayscale", (A(0, 4, 5, 3),)),
    wrong("rgb_to_grayscale", A(4, 3)),
    wrong("rgb_to_grayscale", A(4, 4, 2)),
    wrong("rgb_to_grayscale", A(4, 4, 3), data_format="NHWC"),
    *(
        case
        for op in ("rgb_to_hsv", "hsv_to_rgb")
        for case in (
            image(op, A(2, 4, 5, 3, **UNIT)),
            image(op, A(4, 5, 3, **UNIT)),
            image(op, A(2, 3, 4, 5, **UNIT), data_format="channels_first"),
            image(op, A(3, 4, 5, **UNIT), data_format="channels_first"),
            image(op, A(3, 4, 3, dtype="float64", **UNIT)),
            image(op, A(3, 5, 3)),
            Case(f"image.{op}", (A(0, 4, 5, 3),)),
            wrong(op, A(2, 2, 3, dtype="uint8"), error=TypeError),
            wrong(op, A(4, 3)),
            wrong(op, A(4, 4, 2)),
        )
    ),
    # Black, white, gray, pure colours, two largest channels.
    Case(
        "image.rgb_to_hsv",
        (
            V(
                [
                    [
                        [0, 0, 0],
                        [1, 1, 1],
                        [0.5, 0.5, 0.5],
                        [1, 0, 0],
                        [0, 1, 0],
                        [0, 0, 1],
                        [1, 1, 0],
                        [0, 1, 1],
                        [1, 0, 1],
                        [1e-9, 0, 0.5],
                    ]
                ]
            ),
        ),
    ),
    Case("image.hsv_to_rgb", (V([[[0, 1, 1], [1, 1, 1], [1 / 3, 1, 1], [-0.25, 1, 2]]]),)),
]

LARGE, SMALL = (7, 9), (3, 2)
RESIZING = [
    *(
        image("resize", A(2, 5, 6, 3), size, interpolation, antialias)
        for size in (LARGE, SMALL, (9, 2), (5, 8), (5, 6), (1, 1))
        for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        for antialias in (False, True)
    ),
    *(
        image("resize", A(*shape), size, data_format=data_format, **{ratio: True})
        for ratio in ("crop_to_aspect_ratio", "pad_to_aspect_ratio")
        for size in ((4, 4), (8, 3), (3, 9))
        for shape, data_format in (
            ((2, 5, 8, 3), "channels_last"),
            ((9, 4, 1), "channels_last"),
            ((2, 3, 5, 8), "channels_first"),
            ((1, 9, 4), "channels_first"),
        )
    ),
    image("resize", A(6, 5, 2), (4, 4)),
    image("resize", A(2, 6, 5), [4, 4], data_format="channels_first"),
    image("resize", A(4, 8, 1), (6, 6), pad_to_aspect_ratio=True, fill_value=3.5),
    image("resize", A(4, 4, 2, dtype="float64"), (6, 3)),
    image("resize", A(4, 4, 2, dtype="float64"), (6, 3), "bicubic", True),
    image("resize", A(1, 1, 2), (3, 3), "lanczos5"),
    Case("image.resize", (A(5, 7, 3, dtype="uint8", high=255), (3, 9))),
    Case("image.resize", (A(5, 7, 3, dtype="uint8", high=255), (3, 9), "bicubic")),
    Case("image.resize", (A(5, 7, 3, dtype="uint8", high=255), (3, 9), "nearest")),
    Case("image.resize", (A(5, 7, 3, dtype="int32", high=99, low=-99), (3, 9), "bicubic")),
    Case("image.resize", (A(5, 7, 3, dtype="int64", high=99, low=-99), (3, 9))),
    Case("image.resize", (A(5, 7, 3, dtype="bool"), (3, 9), "nearest")),
    Case(
        "image.resize",
        (A(4, 8, 1, dtype="uint8", high=255), (6, 6)),
        {"pad_to_aspect_ratio": True, "fill_value": 17},
    ),
    Case("image.resize", (A(1, 6, 6, 1), (12, 4)), {"interpolation": "nearest"}),
    Case("image.resize", (A(1, 30, 30, 1), (47, 7)), {"interpolation": "nearest"}),
    Case("image.resize", (A(0, 6, 6, 1), (12, 4))),
    wrong("resize", A(4, 4, 2), (4,)),
    wrong("resize", A(4, 4, 2), (0, 4)),
    wrong("resize", A(4, 4), (4, 4)),
    wrong("resize", A(4, 4, 1), (4, 4), "area"),
    wrong("resize", A(4, 4, 1), (4, 4), fill_mode="nearest", pad_to_aspect_ratio=True),
    wrong("resize", A(4, 4, 1), (4, 4), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
    wrong("resize", A(4, 4, 1), (4, 4), data_format="last"),
    *(
        Case(
            "image.scale_and_translate",
            (A(5, 6), (7, 4), V(scale), V(shift), (0, 1), method, antialias),
            grad=(0, 2, 3),
            rtol=2e-5,
            atol=2e-5,
            why="the weights of Keras are rounded from places and sines in float32",
        )
        for method in ("linear", "cubic", "lanczos3", "lanczos5")
        for antialias in (False, True)
        for scale, shift in (([1.3, 0.7], [0.2, -0.3]), ([0.4, 2.1], [1.13, -2.4]))
    ),
    *(
        Case(
            "image.scale_and_translate",
            (A(2, 5, 6, 3), (2, 4, 8, 3), V([0.9, 1.6]), V([0.3, -0.7]), (1, -2), method),
            grad=(0,),
        )
        for method in ("bilinear", "trilinear", "bicubic", "tricubic")
    ),
    Case("image.scale_and_translate", (A(4, 5), (4, 8), V([1.5]), V([0.5]), (1,), "linear")),
    Case("image.scale_and_translate", (A(4, 5), (4, 5), [], [], (), "linear")),
    Case(
        "image.scale_and_translate",
        (A(4, 5, dtype="float64"), (4, 8), [1.5], [0.5], [1], "cubic"),
        rtol=1e-6,
        atol=1e-6,
        why="the scale is float32 here and float64 in Keras with 64 bits",
    ),
    Case(
        "image.scale_and_translate",
        (A(4, 5, dtype="int32", high=9), (4, 8), V([1.5]), V([0.5]), (1,), "linear"),
    ),
    wrong("scale_and_translate", A(4, 5), (4, 8), V([1.5]), V([0.5]), (1,), "nearest"),
    wrong("scale_and_translate", A(4, 5), (4,), V([1.5]), V([0.5]), (1,), "linear"),
    wrong("scale_and_translate", A(4, 5), (4, 5), V([1.5, 1]), V([0.5]), (1,), "linear"),
]

TURN = [0.8, 0.31, -1.2, -0.27, 1.1, 0.6, 0.0, 0.0]
SHEAR = [1.4, -0.3, 0.45, 0.2, 0.7, -1.35, 0.0, 0.0]
MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
COORDINATES = A(2, 4, 3, low=-7, high=11)
CORNERS = [[0.0, 0.0], [5.0, 0.0], [0.0, 4.0], [5.0, 4.0]]
TILTED = [[0.4, -0.3], [4.3, 0.6], [-0.9, 3.8], [5.6, 4.4]]
HOMOGRAPHY = {
    "rtol": 5e-5,
    "atol": 5e-5,
    "why": "Keras solves for the homography in float32, with errors of 1e-5 of a coordinate",
}


def affine(package, x, transform, **options):
    """An affine transform by the six numbers that count."""
    transform = package.ops.pad(transform, ((0, 0), (0, 2)))
    return package.ops.image.affine_transform(x, transform, **options)


GEOMETRY = [
    *(
        Case(
            "image.affine_transform",
            (A(2, 5, 6, 3), V([TURN[:6], SHEAR[:6]])),
            {"fill_mode": mode, "interpolation": interpolation, "fill_value": 0.5},
            grad=grad,
            call=affine,
        )
        for mode in MODES
        for interpolation, grad in (("bilinear", (0, 1)), ("nearest", (0,)))
    ),
    image("affine_transform", A(5, 6, 2), V(TURN)),
    image("affine_transform", A(5, 6, 2), V(TURN), fill_value=-1.5),
    image("affine_transform", A(2, 5, 6), V(TURN), data_format="channels_first"),
    image(
        "affine_transform",
        A(2, 3, 5, 6),
        V([TURN, SHEAR]),
        "bilinear",
        "reflect",
        0,
        "channels_first",
    ),
    image("affine_transform", A(5, 6, 2, dtype="float64"), V(SHEAR, "float64")),
    Case("image.affine_transform", (A(5, 6, 2, dtype="uint8", high=255), V(TURN))),
    Case("image.affine_transform", (A(5, 6, 2, dtype="int32", low=-99, high=99), V(TURN))),
    Case("image.affine_transform", (A(5, 6, 2), V([1, 0, 2, 0, 1, -1, 0, 0], "int32"))),
    Case("image.affine_transform", (A(1, 1, 2), V(TURN)), {"fill_mode": "reflect"}),
    Case(
        "image.affine_transform",
        (A(4, 4, 1), V([1, 0, 0, 0, 1, 0, 0, 0])),
    ),
    Case(
        "image.affine_transform",
        (V([[[1.0, 2.0], [3.0, 4.0]]]), V([1, 0, 0, 0, 1, 0, 0.5, 0.0])),
        differs="the last two numbers of a transform count as 0, as its documentation says; "
        "with JAX their products with the number of the channel are added",
        differs_expect=V([[[1.0, 2.0], [3.0, 4.0]]]),
    ),
    Case(
        "image.affine_transform",
        (V([[[[1.0]], [[3.0]]], [[[5.0]], [[7.0]]]]), V([1, 0, 0, 0, 1, 1, 0, 0])),
        differs="one transform stands for all images; with JAX it needs a batch of one",
        differs_expect=V([[[[3.0]], [[0.0]]], [[[7.0]], [[0.0]]]]),
    ),
    wrong("affine_transform", A(5, 6), V(TURN)),
    wrong("affine_transform", A(5, 6, 1), V([[TURN]])),
    wrong("affine_transform", A(5, 6, 1), V(TURN), "bicubic"),
    wrong("affine_transform", A(5, 6, 1), V(TURN), fill_mode="edge"),
    wrong("affine_transform", A(3, 5, 6, 1), V([TURN, SHEAR])),
    *(
        Case("image.map_coordinates", (x, COORDINATES, order, mode), kwargs, grad=grad)
        for mode in MODES
        for x, order, kwargs, grad in (
            (A(5, 6), 1, {}, (0, 1)),
            (A(5, 6), 0, {"fill_value": 2.5}, (0,)),
            (A(5, 6), 1, {"fill_value": 2.5}, (0, 1)),
            (A(1, 2) if mode != "mirror" else A(2, 2), 1, {}, (0, 1)),
            (A(5, 6, dtype="int32", low=-99, high=99), 1, {"fill_value": 7}, ()),
            (A(5, 6, dtype="uint8", high=255), 0, {"fill_value": 7}, ()),
        )
    ),
    Case("image.map_coordinates", (A(7), V([[0.5, 1.5, 2.5, -0.5, 6.5]]), 0)),
    Case("image.map_coordinates", (A(7), V([[0.49999997, 6.0, 6.5, -1.0, -0.25]]), 1)),
    Case("image.map_coordinates", (V([1, 2, 4, 7], "int32"), V([[0.5, 1.5, 2.5, 2.25]]), 1)),
    Case("image.map_coordinates", (V([-1, -2, -4], "int32"), V([[0.5, 1.5, 1.25]]), 1)),
    Case("image.map_coordinates", (A(4, 5), A(2, 3, dtype="int32", low=0, high=3), 1)),
    Case("image.map_coordinates", (A(4, 5), A(2, 3, dtype="int32", low=-3, high=6), 0, "wrap")),
    Case("image.map_coordinates", (A(3, 4, 5), A(3, 7, low=-1, high=4), 1), grad=(0, 1)),
    Case("image.map_coordinates", (A(3, 4, 5, 2), A(4, 2, 3, low=0, high=2), 1), grad=(0, 1)),
    Case(
        "image.map_coordinates",
        (A(4, 5, dtype="float64"), A(2, 6, dtype="float64"), 1),
        grad=(0, 1),
    ),
    Case("image.map_coordinates", (A(5), V([[NAN, INF, -INF, 1e20, -1e20]]), 1)),
    Case(
        "image.map_coordinates", (A(4, 5), [A(3, low=0, high=4), A(3, low=0, high=4)], 1), grad=(0,)
    ),
    wrong("map_coordinates", A(4, 5), A(3, 2), 1),
    wrong("map_coordinates", A(4), A(1), 1),
    wrong("map_coordinates", A(4), A(1, 2), 2),
    wrong("map_coordinates", A(4), A(1, 2), 1, "edge"),
    Case(
        "image.perspective_transform",
        (A(5, 6, 2), V(CORNERS), V(TILTED)),
        grad=(0, 1, 2),
        **HOMOGRAPHY,
    ),
    Case(
        "image.perspective_transform",
        (A(5, 6, 2), V(TILTED), V(CORNERS)),
        grad=(0, 1, 2),
        **HOMOGRAPHY,
    ),
    Case(
        "image.perspective_transform",
        (A(2, 5, 6, 3), V([CORNERS, TILTED]), V([TILTED, CORNERS])),
        grad=(0, 1, 2),
        **HOMOGRAPHY,
    ),
    Case(
        "image.perspective_transform",
        (
            A(2, 3, 5, 6),
            V([CORNERS, TILTED]),
            V([TILTED, CORNERS]),
            "bilinear",
            1.5,
            "channels_first",
        ),
        grad=(0, 1, 2),
        **HOMOGRAPHY,
    ),
    Case(
        "image.perspective_transform",
        (A(5, 6, 2), V(CORNERS), V(TILTED), "nearest"),
        {"fill_value": 0.5},
        grad=(0,),
    ),
    Case(
        "image.perspective_transform",
        (A(2, 5, 6), V(CORNERS), V(TILTED)),
        {"data_format": "channels_first"},
        **HOMOGRAPHY,
    ),
    Case("image.perspective_transform", (A(5, 6, 1), V(CORNERS), V(CORNERS)), **HOMOGRAPHY),
    Case(
        "image.perspective_transform",
        (A(5, 6, 1, dtype="float64"), V(CORNERS), V(TILTED)),
        **HOMOGRAPHY,
    ),
    Case(
        "image.perspective_transform", (A(5, 6, 1, dtype="uint8", high=255), V(CORNERS), V(TILTED))
    ),
    wrong("perspective_transform", A(5, 6), V(CORNERS), V(TILTED)),
    wrong("perspective_transform", A(5, 6, 1), V(CORNERS[:3]), V(TILTED[:3])),
    wrong("perspective_transform", A(5, 6, 1), V([CORNERS]), V(TILTED)),
    wrong("perspective_transform", A(5, 6, 1), V(CORNERS), V(TILTED), "bicubic"),
]

FILTERS = [
    image("gaussian_blur", A(2, 6, 7, 3), data_format="channels_last"),
    image("gaussian_blur", A(6, 7, 3), data_format="channels_last"),
    image("gaussian_blur", A(2, 3, 6, 7), data_format="channels_first"),
    image("gaussian_blur", A(3, 6, 7), data_format="channels_first"),
    image("gaussian_blur", A(2, 6, 7, 3), (5, 3), (0.8, 1.7), "channels_last"),
    image("gaussian_blur", A(2, 6, 7, 3), (2, 4), (0.8, 1.7), "channels_last"),
    image("gaussian_blur", A(2, 4, 3, 1), (9, 1), (3.0, 1.0), "channels_last"),
    image("gaussian_blur", A(4, 3, 1, dtype="float64"), (3, 3), (1.5, 0.5), "channels_last"),
    Case(
        "image.gaussian_blur",
        (A(5, 5, 2), (3, 5), V([0.9, 1.3]), "channels_last"),
        grad=(0, 2),
    ),
    Case(
        "image.gaussian_blur",
        (V([[[6.0], [6.0]]]), (3, 1)),
        differs="without data_format the channels come last, as in all ops; Keras takes the first "
        "axis for them",
        differs_expect=V([[[4.355588], [4.355588]]]),
    ),
    wrong("gaussian_blur", A(5, 5), data_format="channels_last"),
    wrong("gaussian_blur", A(5, 5, 1, dtype="int32"), data_format="channels_last", error=TypeError),
    image("sobel_edges", A(2, 5, 6, 3)),
    image("sobel_edges", A(2, 3, 5, 6), "channels_first"),
    image("sobel_edges", A(1, 1, 1, 1)),
    image("sobel_edges", A(2, 2, 5, 1, dtype="float64")),
    Case("image.sobel_edges", (A(2, 5, 6, 3, dtype="int32", high=99),)),
    wrong("sobel_edges", A(5, 6, 3)),
    wrong("sobel_edges", A(2, 5, 6, 3), "first"),
    *(
        Case(
            "image.ssim",
            (A(*shape, **UNIT), A(*shape, **UNIT)),
            kwargs,
            grad=(0, 1),
            rtol=2e-4,
            atol=2e-4,
            why="variances are differences of means of squares: they lose digits",
        )
        for shape, kwargs in (
            ((2, 13, 12, 3), {}),
            ((13, 12, 3), {}),
            ((2, 3, 12, 13), {"data_format": "channels_first"}),
            ((1, 12, 13), {"data_format": "channels_first"}),
            ((2, 7, 6, 2), {"filter_size": 5, "filter_sigma": 0.8}),
            ((2, 7, 6, 2), {"filter_size": 4, "max_val": 2.0}),
            ((2, 7, 6, 2), {"filter_size": 3, "k1": 0.1, "k2": 0.3}),
        )
    ),
    Case("image.ssim", (V([[[0.5]] * 12] * 12), V([[[0.5]] * 12] * 12)), rtol=1e-5),
    Case(
        "image.ssim",
        (A(12, 11, 2, dtype="float64", **UNIT), A(12, 11, 2, dtype="float64", **UNIT)),
        grad=(0, 1),
        rtol=2e-4,
        atol=2e-4,
        why="Keras computes in float32, and variances lose digits there",
    ),
    wrong("ssim", A(12, 12), A(12, 12)),
    wrong("ssim", A(2, 12, 12, 1), A(2, 12, 11, 1)),
]

FRAMING = [
    image("pad_images", A(2, 4, 5, 3), 1, 2, 3, 0),
    image("pad_images", A(4, 5, 3), 1, 2, target_height=7, target_width=9),
    image(
        "pad_images",
        A(3, 4, 5),
        bottom_padding=1,
        right_padding=2,
        target_height=7,
        target_width=9,
        data_format="channels_first",
    ),
    image("pad_images", A(2, 3, 4, 5), 1, 2, 0, 0, data_format="channels_first"),
    Case("image.pad_images", (A(4, 5, 3, dtype="uint8"), 1, 2, 3, 4)),
    wrong("pad_images", A(4, 5, 3), 1, 2, 3),
    wrong("pad_images", A(4, 5, 3), 1, 2, 3, 4, target_height=9),
    wrong("pad_images", A(4, 5, 3), -1, 2, 3, 4),
    wrong("pad_images", A(4, 5, 3), 1, 2, target_height=4, target_width=9),
    wrong("pad_images", A(4, 5), 1, 2, 3, 4),
    image("crop_images", A(2, 6, 7, 3), 1, 2, 3, 0),
    image("crop_images", A(6, 7, 3), 1, 2, target_height=2, target_width=3),
    image(
        "crop_images",
        A(3, 6, 7),
        bottom_cropping=1,
        right_cropping=2,
        target_height=2,
        target_width=3,
        data_format="channels_first",
    ),
    image("crop_images", A(2, 3, 6, 7), 1, 2, 0, 0, data_format="channels_first"),
    Case("image.crop_images", (A(6, 7, 3, dtype="uint8"), 1, 2, 3, 4)),
    Case("image.crop_images", (A(6, 7, 3), 3, 0, 3, 0)),
    wrong("crop_images", A(6, 7, 3), 1, 2, 3),
    wrong("crop_images", A(6, 7, 3), -1, 2, 3, 4),
    wrong("crop_images", A(6, 7, 3), 4, 2, 3, 4),
    wrong("crop_images", A(6, 7), 1, 2, 3, 4),
    Case(
        "image.crop_images",
        (A(6, 7, 3), 3, 0),
        {"target_height": 5, "target_width": 3},
        differs="a part that reaches beyond the image raises; with JAX it is moved into it",
        differs_expect=ValueError,
    ),
]

SIZED = (
    (A(2, 6, 7, 3), {"size": 2}),
    (A(6, 7, 3), {"size": (3, 2)}),
    (A(2, 6, 7, 3), {"size": (3, 2), "strides": 1}),
    (A(2, 6, 7, 3), {"size": (3, 2), "strides": (1, 2), "padding": "same"}),
    (A(2, 6, 7, 3), {"size": 3, "padding": "same"}),
    (A(2, 6, 7, 1), {"size": 2, "strides": 1, "dilation_rate": 2}),
    (A(2, 6, 7, 1), {"size": 2, "strides": 1, "dilation_rate": (1, 3), "padding": "same"}),
    (A(2, 3, 6, 7), {"size": (3, 2), "data_format": "channels_first"}),
    (A(3, 6, 7), {"size": 2, "padding": "same", "data_format": "channels_first"}),
    (A(2, 4, 5, 6, 2), {"size": (2, 3, 2)}),
    (A(4, 5, 6, 2), {"size": (2, 2, 2), "strides": (1, 2, 3), "padding": "same"}),
    (A(2, 2, 4, 5, 6), {"size": (2, 2, 2), "data_format": "channels_first"}),
)


def round_trip(package, x, size, output_size, padding, data_format):
    """Patches and the images of them; where there are no such yet the images themselves."""
    image = package.ops.image
    patches = image.extract_patches(x, size, padding=padding, data_format=data_format)
    if not hasattr(image, "reconstruct_patches"):
        return x
    return image.reconstruct_patches(
        patches, size, output_size, padding=padding, data_format=data_format
    )


PATCHES = [
    *(Case("image.extract_patches", (x,), kwargs, grad=(0,)) for x, kwargs in SIZED),
    Case("image.extract_patches", (A(4, 4, 1, dtype="int32"), 2)),
    Case("image.extract_patches", (A(4, 4, 1, dtype="float64"), 2), grad=(0,)),
    wrong("extract_patches", A(4, 4, 1), (2,)),
    wrong("extract_patches", A(4, 4, 1), 2.5, error=TypeError),
    wrong("extract_patches", A(4, 4), 2),
    wrong("extract_patches", A(4, 4, 1), 2, padding="full"),
    *(
        Case("image.reconstruct_patches", (x, *args), grad=(0,), call=round_trip)
        for x, args in (
            (A(2, 6, 8, 3), (2, None, "valid", None)),
            (A(6, 8, 3), ((3, 4), (6, 8), "valid", "channels_last")),
            (A(2, 5, 8, 3), (3, (5, 8), "same", None)),
            (A(2, 3, 5, 8), (4, (5, 8), "same", "channels_first")),
            (A(3, 6, 8), (2, None, "valid", "channels_first")),
            (A(2, 4, 5, 6, 2), ((2, 3, 4), (4, 5, 6), "same", None)),
            (A(4, 6, 6, 2), ((2, 3, 3), None, "valid", None)),
        )
    ),
    wrong("reconstruct_patches", A(3, 3, 4), 2, padding="same"),
    wrong("reconstruct_patches", A(3, 3, 4), 2, (6, 5)),
    wrong("reconstruct_patches", A(3, 3, 4), 2, (4, 5), padding="same"),
    wrong("reconstruct_patches", A(3, 3, 5), 2),
    wrong("reconstruct_patches", A(3, 3, 4), 2, strides=1, error=NotImplementedError),
]


def elastic(package, x, *args, seed):
    """Zeros like the images, which are random."""
    y = package.ops.image.elastic_transform(x, *args, seed=seed, data_format="channels_last")
    return package.ops.zeros_like(y)


ELASTIC = [
    *(
        Case("image.elastic_transform", (A(*shape), 0.0), {"seed": 1, **kwargs}, grad=(0,))
        for shape, kwargs in (
            ((2, 5, 6, 3), {"data_format": "channels_last"}),
            ((2, 3, 5, 6), {"data_format": "channels_first", "fill_mode": "constant"}),
            ((2, 5, 6, 1), {"data_format": "channels_last", "interpolation": "nearest"}),
        )
    ),
    *(
        Case("image.elastic_transform", (A(*shape), *args), {"seed": 1}, call=elastic)
        for shape, args in (((2, 5, 6, 3), ()), ((5, 6, 3), ()), ((2, 5, 6, 3), (3.0, 0.7)))
    ),
    wrong("elastic_transform", A(5, 6)),
    wrong("elastic_transform", A(5, 6, 1), interpolation="bicubic"),
    wrong("elastic_transform", A(5, 6, 1), fill_mode="edge"),
]

CASES = [*ELASTIC, *COLORS, *RESIZING, *GEOMETRY, *FILTERS, *FRAMING, *PATCHES]
