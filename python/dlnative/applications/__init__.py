"""Networks for images, after the papers: functions that return a model with fresh weights.

Every function takes `input_shape` (height, width, channels) without the batch, `classes`,
`classifier_activation` ("softmax" by default; None for logits, with a loss of `from_logits=True`)
and `name`. Any image size that fits is taken, one that does not is a ValueError before anything is
made. Pixel values should be about 0 to 1, or standardized; the models do not rescale.

Example:
    >>> from dlnative import applications
    >>> model = applications.resnet20(classes=100)
    >>> model.output_shape
    (None, 100)
"""

from .lenet import lenet, lenet5
from .resnet import resnet18, resnet20, resnet32, resnet56, resnet110
from .vgg import vgg6

__all__ = [
    "lenet",
    "lenet5",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet56",
    "resnet110",
    "vgg6",
]
