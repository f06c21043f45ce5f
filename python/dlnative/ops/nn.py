"""keras.ops.nn: the public ops of neural networks under the names that Keras has there.

Example:
    >>> import numpy as np
    >>> import dlnative
    >>> dlnative.ops.nn.relu6(np.array([-1.0, 7.0], dtype=np.float32))
    array([0., 6.], dtype=float32)
"""

from __future__ import annotations

from .namespaces import namespace

_NAMES = """
    adaptive_average_pool adaptive_max_pool average_pool batch_normalization
    binary_crossentropy categorical_crossentropy celu conv conv_transpose depth_to_space
    depthwise_conv elu fold gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    layer_normalization leaky_relu log_sigmoid log_softmax max_pool moments multi_hot normalize
    one_hot psnr relu relu6 rms_normalization selu separable_conv sigmoid silu soft_shrink
    softmax softplus softsign space_to_depth sparse_categorical_crossentropy sparse_plus
    sparse_sigmoid sparsemax squareplus swish tanh_shrink threshold unfold
"""

__getattr__, __dir__ = namespace(__name__, tuple(_NAMES.split()))
