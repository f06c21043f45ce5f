"""Ops between the layers of a functional model, in the configurations of Keras.

An op that is used directly, as `x + 1` or `ops.mean(x, axis=1)`, is an `OpLayer` here, which is
called with all arguments of the op. Keras has a class for each op, whose constructor takes some of
the arguments; these are in brackets below.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any, NamedTuple

from .. import ops
from ..ops.public import FUNCTIONS

__all__ = ["from_keras", "to_keras"]

_PACKAGE = "keras.src.ops."
_OPERATIONS = {  # module of Keras -> ops, with the arguments of the constructor
    "core": """
        cast[dtype] saturate_cast[dtype] scatter[shape] scatter_update[reduction] slice[shape]
        slice_update stop_gradient unstack[num axis]
    """,
    "linalg": "norm[ord axis keepdims]",
    "math": """
        erf erfc erfinv in_top_k[k] logsumexp[axis keepdims] rsqrt segment_max[num_segments sorted]
        segment_min[num_segments sorted] segment_prod[num_segments sorted]
        segment_sum[num_segments sorted] top_k[k sorted]
    """,
    "image": """
        affine_transform[interpolation fill_mode fill_value data_format]
        crop_images[top_cropping left_cropping bottom_cropping right_cropping target_height
        target_width data_format] extract_patches[size strides dilation_rate padding data_format]
        gaussian_blur[kernel_size sigma data_format] hsv_to_rgb[data_format]
        map_coordinates[order fill_mode fill_value] pad_images[top_padding left_padding
        bottom_padding right_padding target_height target_width data_format]
        perspective_transform[interpolation fill_value data_format] resize[size interpolation
        antialias crop_to_aspect_ratio pad_to_aspect_ratio fill_mode fill_value data_format]
        rgb_to_grayscale[data_format] rgb_to_hsv[data_format]
        scale_and_translate[spatial_dims method antialias] sobel_edges[data_format]
        ssim[max_val filter_size filter_sigma k1 k2 data_format]
    """,
    "nn": """
        adaptive_average_pool[output_size data_format] adaptive_max_pool[output_size data_format]
        average_pool[pool_size strides padding data_format] binary_crossentropy[from_logits]
        categorical_crossentropy[from_logits axis] celu[alpha]
        conv[strides padding data_format dilation_rate] conv_transpose[strides padding
        output_padding data_format dilation_rate] depth_to_space[block_size data_format]
        depthwise_conv[strides padding data_format dilation_rate] elu[alpha]
        fold[output_size kernel_size dilation padding stride] gelu[approximate] glu[axis]
        hard_shrink[threshold] hard_sigmoid hard_silu hard_tanh leaky_relu[negative_slope]
        log_sigmoid log_softmax[axis] max_pool[pool_size strides padding data_format]
        moments[axes keepdims synchronized] normalize[axis order epsilon]
        one_hot[num_classes axis dtype sparse] psnr[max_val] relu relu6 selu
        separable_conv[strides padding data_format dilation_rate] sigmoid silu
        soft_shrink[threshold] softmax[axis] softplus softsign
        space_to_depth[block_size data_format] sparse_categorical_crossentropy[from_logits axis]
        sparse_plus sparse_sigmoid sparsemax[axis] squareplus[b] tanh_shrink
        threshold[threshold default_value] unfold[kernel_size dilation padding stride]
    """,
    "numpy": """
        abs absolute add all[axis keepdims] amax[axis keepdims] amin[axis keepdims] angle
        any[axis keepdims] append[axis] arccos arccosh arcsin arcsinh arctan arctan2 arctanh
        argmax[axis keepdims] argmin[axis keepdims] argpartition[kth axis] argsort[axis]
        array_split[indices_or_sections axis] average[axis] bitwise_and bitwise_invert
        bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
        broadcast_to[shape] cbrt ceil clip[x_min x_max] concatenate[axis] conj conjugate copy
        corrcoef correlate[mode] cos cosh count_nonzero[axis] cross[axisa axisb axisc axis]
        cumprod[axis dtype] cumsum[axis dtype] deg2rad diag[k] diagflat[k]
        diagonal[offset axis1 axis2] diff[n axis] digitize divide divide_no_nan dot
        dsplit[indices_or_sections] dstack einsum[subscripts] empty_like[dtype] equal exp exp2
        expand_dims[axis] expm1 fabs flip[axis] fliplr flipud floor floor_divide fmax fmin fmod
        full_like[dtype] gcd get_item greater greater_equal heaviside hsplit[indices_or_sections]
        hstack hypot i0 imag inner isclose[equal_nan] isfinite isinf isnan isneginf isposinf isreal
        kron lcm ldexp left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2
        logical_and logical_not logical_or logical_xor matmul max[axis keepdims initial] maximum
        mean[axis keepdims] median[axis keepdims] min[axis keepdims initial] minimum mod
        moveaxis[source destination] multiply nan_to_num[nan posinf neginf] nanargmax[axis keepdims]
        nanargmin[axis keepdims] nancumprod[axis dtype] nancumsum[axis dtype] nanmax[axis keepdims]
        nanmean[axis keepdims] nanmedian[axis keepdims] nanmin[axis keepdims]
        nanpercentile[axis method keepdims] nanprod[axis keepdims]
        nanquantile[axis method keepdims] nanstd[axis keepdims] nansum[axis keepdims]
        nanvar[axis keepdims] negative not_equal ones_like[dtype] outer pad[pad_width mode]
        percentile[axis method keepdims] power prod[axis keepdims dtype] ptp[axis keepdims]
        quantile[axis method keepdims] rad2deg ravel real reciprocal repeat[repeats axis]
        reshape[newshape] right_shift roll[shift axis] rot90[k axes] round[decimals] select sign
        signbit sin sinc sinh sort[axis] split[indices_or_sections axis] sqrt square squeeze[axis]
        stack[axis] std[axis keepdims] subtract sum[axis keepdims] swapaxes[axis1 axis2] take[axis]
        take_along_axis[axis] tan tanh tensordot[axes] tile[repeats] trace[offset axis1 axis2]
        transpose[axes] trapezoid[x dx axis] tril[k] triu[k] true_divide trunc unravel_index[shape]
        vander[N increasing] var[axis keepdims] vdot vsplit[indices_or_sections] vstack where
        zeros_like[dtype]
    """,
}
_CLASSES = {
    "hsv_to_rgb": "HSVToRGB",
    "psnr": "PSNR",
    "rgb_to_grayscale": "RGBToGrayscale",
    "rgb_to_hsv": "RGBToHSV",
    "ssim": "SSIM",
}


class Operation(NamedTuple):
    """An op here and its class in Keras.

    Attributes:
        op: Its name in `FUNCTIONS`.
        module: Of the class.
        name: Of the class.
        options: The arguments that the constructor of the class takes.
    """

    op: str
    module: str
    name: str
    options: tuple[str, ...]


@functools.cache
def operations() -> dict[str, Operation]:
    """{op: Operation}."""
    ops._load()
    found = {}
    for module, text in _OPERATIONS.items():
        for name, options in re.findall(r"(\w+)(?:\[([^]]*)\])?", text):
            op = name if module != "image" else f"image.{name}"
            title = _CLASSES.get(name) or "".join(w[:1].upper() + w[1:] for w in name.split("_"))
            found[op] = Operation(op, _PACKAGE + module, title, tuple(options.split()))
    return found


def to_keras(record: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
    """Brings the record of an OpLayer, and its calls, into the form of Keras, where it has one.

    Args:
        record: What `serialize_keras_object` has returned; it is changed.
        nodes: Its calls, {"args": [...], "kwargs": {...}}; they are changed.
    """
    known = operations().get(record["config"]["op"])
    if known is None or record["config"].get("attributes") or len(nodes) != 1:
        return
    bound = inspect.signature(FUNCTIONS[known.op]).bind(*nodes[0]["args"], **nodes[0]["kwargs"])
    args: list[Any] = []
    for name, value in bound.arguments.items():
        if name not in known.options:
            args += value if name == _variadic(known) else [value]
    bound.apply_defaults()
    options = {name: bound.arguments[name] for name in known.options}
    if any(map(_has_tensor, options.values())):
        return
    if known.op == "get_item":
        if _has_array(args[1]):  # which Keras does not take
            return
        key = _key_to_keras(args[1])
        args[1] = key if isinstance(key, list) else [key]  # Keras takes no slice alone
    record.update(module=known.module, class_name=known.name, registered_name=known.name)
    record["config"] = {"name": record["config"]["name"], **options}
    record.pop("build_config", None)  # there are no weights
    nodes[0].update(args=args, kwargs={})


def from_keras(record: dict[str, Any]) -> dict[str, Any]:
    """The record of a layer; that of an op of Keras as one of an OpLayer.

    Raises:
        ValueError: An op that is not there.
    """
    module, name = record.get("module"), record.get("class_name")
    if not isinstance(module, str) or not module.startswith(_PACKAGE):
        return record
    by_class = {(each.module, each.name): each for each in operations().values()}
    known = by_class.get((module, str(name)))
    if known is None:
        raise ValueError(f"the op {module}.{name} of Keras is not available in configurations")
    options = {key: record["config"][key] for key in known.options if key in record["config"]}
    nodes = [_call_from_keras(known, options, node) for node in record["inbound_nodes"]]
    config = {"name": record["config"]["name"], "op": known.op}
    layer = {"module": "dlnative.layers", "class_name": "OpLayer", "config": config}
    return {**layer, "name": record.get("name", config["name"]), "inbound_nodes": nodes}


def _call_from_keras(
    known: Operation, options: dict[str, Any], node: dict[str, Any]
) -> dict[str, Any]:
    """A call of an op with the arguments that Keras's constructor had."""
    if _variadic(known):
        return {"args": [*options.values(), *node["args"]], "kwargs": node["kwargs"]}
    parameters = list(inspect.signature(FUNCTIONS[known.op]).parameters)
    others = [name for name in parameters if name not in known.options]
    given = {**dict(zip(others, node["args"], strict=False)), **node["kwargs"], **options}
    if known.op == "get_item":
        given["key"] = _key_from_keras(given["key"])
    args = []
    while len(args) < len(parameters) and parameters[len(args)] in given:
        args.append(given.pop(parameters[len(args)]))
    return {"args": args, "kwargs": given}


def _variadic(known: Operation) -> str | None:
    """The name of the parameter that takes any number of arguments, as the operands of einsum."""
    parameters = inspect.signature(FUNCTIONS[known.op]).parameters.values()
    return next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("class_name") == "__keras_tensor__" or any(
            map(_has_tensor, value.values())
        )
    return isinstance(value, (list, tuple)) and any(map(_has_tensor, value))


def _has_array(key: Any) -> bool:
    items = key["items"] if isinstance(key, dict) and "items" in key else [key]
    return any(isinstance(item, list) for item in items)


def _key_to_keras(key: Any) -> Any:
    """The key of `x[key]`: from the form of `indexing.encoded` to that of Keras."""
    if isinstance(key, dict) and "items" in key:
        return [_key_to_keras(item) for item in key["items"]]
    if isinstance(key, dict) and "start" in key:
        return {"class_name": "__slice__", "config": key}
    return {"class_name": "__ellipsis__", "config": {}} if key == "..." else key


def _key_from_keras(key: Any) -> Any:
    """The other way round."""
    if isinstance(key, (list, tuple)):
        return {"items": [_key_from_keras(item) for item in key]}
    if isinstance(key, dict) and key.get("class_name") == "__slice__":
        return {part: key["config"][part] for part in ("start", "stop", "step")}
    is_dots = isinstance(key, dict) and key.get("class_name") == "__ellipsis__"
    return "..." if is_dots else key
