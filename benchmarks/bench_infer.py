"""Inference, from NumPy arrays to NumPy logits, beside ONNX Runtime, PyTorch, JAX and Keras.

The networks are those of `bench_train_step.py` and two multi-layer perceptrons, at a batch of 1 and
of 128, batch normalisation with moving statistics. ONNX Runtime gets its images in the order it
wants; all other libraries get (batch, height, width, channels). The ratio that counts is the one
against ONNX Runtime.
"""

from __future__ import annotations

from common.arguments import add_threads, make_parser, parse
from common.models import MNIST_MLP, SMALL_MLP, forward_macs
from common.networks import infer_spec, networks
from common.report import Report
from common.stage import KEEP_COMPILED, Stage

PEERS = ["onnxruntime", "torch", "jax", "keras", "keras-tf"]
BATCHES = [1, 128]
BOUND = 1.0
ALSO_RAN = 1.6


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=5, round_seconds=0.1)
    add_threads(parser)
    arguments = parse(parser)
    report = Report("bench_infer", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, PEERS, environment=KEEP_COMPILED) as stage:
            report.describe(stage)
            for model in (MNIST_MLP, SMALL_MLP, *networks().values()):
                for batch in BATCHES:
                    name = f"{model['name']} batch {batch} {threads}t"
                    if not stage.selected(name):
                        continue
                    case = stage.run(
                        name,
                        "infer",
                        infer_spec(model, batch),
                        flops=2.0 * batch * sum(forward_macs(model)),
                        also_ran=ALSO_RAN,
                    )
                    report.add(case)
                    if case.has("onnxruntime"):
                        ratio = case.comparison.ratio("onnxruntime")
                        text = f"{name}: time of ONNX Runtime"
                        report.target(text, ratio, BOUND, at_least=True)
    report.finish()


if __name__ == "__main__":
    main()
