"""The names of Keras that dlnative promises to have, from keras_names.tsv."""

from __future__ import annotations

from typing import Any

from cases import FOLDER

# Names whose arguments are not those of Keras, and why.
ARGUMENTS_DIFFER: dict[str, str] = {
    "random.SeedGenerator": "there is no other backend to choose, so no further arguments",
    "callbacks.ReduceLROnPlateau": "an unknown argument is a TypeError",
    "saving.deserialize_keras_object": "`module_objects` is one of them",
    "saving.load_weights": "`objects_to_skip` is one of them, `by_name` is of Keras 2",
    "saving.save_model": "none of Keras 2",
    "saving.save_weights": "`objects_to_skip` is one of them",
}

# What files do that those of Keras do not, and why; tests/test_keras_files_against_keras.py judges
# the rest.
SAVING_DIFFERS: dict[str, str] = {
    "saving.KerasFileEditor": "is not there",
    "saving.deserialize_keras_object": "code in configurations is refused, with `safe_mode=False` "
    "too",
    "saving.load_model": "code in files is refused, with `safe_mode=False` too; models in HDF5, of "
    "Keras 2, are refused; whatever is wrong with a file is a ValueError that names it",
    "saving.load_weights": "where something does not fit nothing is loaded; weights of Keras 2 and "
    "weights in several files are refused; `.safetensors` is new",
    "saving.save_model": "`overwrite=False` raises where Keras asks; a path without suffix is a "
    "folder in the format of this package, and models in HDF5 are not written",
    "saving.save_weights": "`overwrite=False` raises where Keras asks; `max_shard_size` is "
    "refused; `.safetensors` is new",
}

# What callbacks do that those of Keras do not, and why; tests/test_callbacks_against_keras.py and
# tests/test_hooks_against_keras.py judge the rest.
CALLBACKS_DIFFER: dict[str, str] = {
    "callbacks.BackupAndRestore": "goes on at the batch, with all that training remembers, so that "
    "the history is that of all epochs; checkpoints of another model, of other data or options are "
    "refused; the model need not be built",
    "callbacks.ModelCheckpoint": "files are replaced in one step; folders and `.safetensors` are "
    "new, and models in HDF5 are not written",
    "callbacks.EarlyStopping": "a `monitor` that the logs will not have is an error "
    "before training",
    "callbacks.LearningRateScheduler": "how many arguments `schedule` takes is read from its "
    "signature, so that a TypeError in it is not taken for one about them",
    "callbacks.ProgbarLogger": "shows samples per second, and in a file one line for each epoch",
    "callbacks.ReduceLROnPlateau": "a schedule as learning rate is an error before training",
    "callbacks.RemoteMonitor": "needs no `requests`; a request that is refused is a warning, and "
    "one that takes 10 s is given up",
    "callbacks.SwapEMAWeights": "`predict` puts the weights back, a `fit` that ends early ends "
    "with the averages, and averages before the first step are an error and not zeros",
    "callbacks.TensorBoard": "needs no TensorFlow; `profile_batch` and embeddings are refused, "
    "images are scaled to the range of the weights, which Keras cuts at 0 and 1",
}

# What layers do that those of Keras do not, and why; tests/test_layers_against_keras.py and
# tests/test_layers_*.py judge the rest.
LAYERS_DIFFER: dict[str, str] = {
    "layers.AdaptiveAveragePooling1D, AdaptiveMaxPooling1D, ...": "windows end where their "
    "definition says; with JAX some are one too long, by rounding",
    "layers.AlphaDropout, GaussianDropout": "a rate of 1 raises at once; in Keras the first call "
    "in training does",
    "layers.BatchNormalization, GlobalAveragePooling1D, Softmax": "a mask that is given counts in "
    "this layer; in Keras it goes on to the layers behind it and to the loss",
    "losses.Loss": "`mean_with_sample_weight` divides by the sum of the weights also where loss "
    "and weight are one number; Keras does so for weights of shape (1, 1) only",
    "metrics.Metric": "`result` of one number is a float of Python, of sums in float64; in Keras "
    "an array without axes, of sums in float32",
    "layers.Concatenate": "the axis of the batch raises",
    "layers.Dense, Conv1D, Conv2D, Embedding": "no quantization: there are no kernels of 8 bits; "
    "`kernel` is the weight itself, also where LoRA adapts it; a `lora_alpha` of the constructor "
    "counts for all of them, in Keras for convolutions only",
    "layers.Embedding": "an index out of range raises, with JAX its vector is NaN; no masks "
    "(`mask_zero`)",
    "layers.InputLayer": "`input_tensor` raises, as a Model may begin at any symbolic tensor; no "
    "sparse and ragged tensors",
    "layers.Lambda": "no masks; no code in configurations: functions are known by their names",
    "layers.Layer": "masks do not go from layer to layer: there are no layers yet that make them",
    "layers.LayerNormalization, GroupNormalization, RMSNormalization": "`axis` and `groups` stay "
    "as they were given when the layer is built",
    "layers.RMSNormalization": "the scale belongs to the axes of the mean also where these are not "
    "the last ones; in Keras it is that of the last axis",
    "layers.SpectralNormalization": "the divided kernel takes the place of the kernel, as with "
    "TensorFlow and PyTorch; with JAX training leaves the kernel as it is, so that outside of "
    "training the layer is another one",
    "layers.AugMix": "what is chosen follows the seed and is another choice at each step; Keras "
    "with JAX chooses once, when `fit` compiles",
    "layers.AutoContrast": "with channels first it is still each channel that is stretched; Keras "
    "stretches columns",
    "layers.CutMix, MixUp": "labels of shape (batch,) raise; Keras makes a square of them",
    "layers.RandomBrightness": "images of integers become floats; in Keras they overflow",
    "layers.RandomColorJitter": "`get_random_transformation` returns what was drawn; Keras draws "
    "when it transforms",
    "layers.RandomContrast": "one number c means [1 - c, 1 + c], as Keras documents it; Keras "
    "draws from [1, 1 + c]",
    "layers.RandomCrop": "each image has a place of its own, and the window is taken in "
    "inference, too, as Keras documents it",
    "layers.RandomElasticTransform": "rows and columns move independently; it is available in "
    "`fit`, which with JAX cannot compile it",
    "layers.RandomErasing": "three numbers fill channels; with JAX they raise",
    "layers.RandomFlip, RandomZoom, ... (all that change images)": "no bounding boxes and "
    "segmentation masks",
    "layers.RandomGrayscale": "`seed` is part of the configuration",
    "layers.RandomSaturation": "images of integers are taken; in Keras they raise",
    "layers.RandomShear": "configurations have the number f that was given; those of Keras have "
    "(-f, f), which it does not take",
    "layers.Solarization": "both numbers of a range are shares of 255; Keras takes the lower one "
    "as it is",
}

# Arguments of Keras that a constructor or `call` here does not have.
LAYERS_LACK: dict[str, tuple[str, ...]] = {
    "Dense": ("training",),  # of `call`, for quantization alone
}


def names() -> list[str]:
    """Dotted names below `keras`, such as "ops.nn.relu"."""
    lines = (FOLDER / "keras_names.tsv").read_text().splitlines()[1:]
    return [".".join(line.split("\t")) for line in lines]


# Namespaces of keras beside `ops`, whose names are written with the namespace.
BESIDE_OPS = (
    "activations",
    "callbacks",
    "constraints",
    "losses",
    "random",
    "regularizers",
    "saving",
)
NAMESPACES = ("ops.image", "ops.linalg", "ops.nn", "ops.numpy")


def functions() -> list[str]:
    """The names that are no namespaces."""
    return [name for name in names() if name not in NAMESPACES]


def short(name: str) -> str:
    """The name of the op for all its namespaces: "relu" for "ops.nn.relu" and "ops.relu"."""
    name = name.removeprefix("ops.")
    for namespace in ("nn.", "numpy.", "linalg."):
        name = name.removeprefix(namespace)
    return name


def find(package: Any, op: str) -> Any:
    """The function of `package` (keras or dlnative) for a name of `names()` or `Case.op`.

    Raises:
        AttributeError: There is none.
    """
    found = package if op.partition(".")[0] in BESIDE_OPS else package.ops
    for part in op.removeprefix("ops.").split("."):
        found = getattr(found, part)
    return found
