"""What is not arithmetic: time per call, per step of a tiny model, to import, to build; memory.

step         `fit` of 2-8-1 on XOR, batch 4: many steps in an epoch, and many epochs of one step
call         `train_on_batch` and `predict` with one row
start        build, compile and `fit` a tiny model on ten rows, in a warm process
fresh        imports against NumPy's, and a first `fit`, each in fresh interpreters
build        the first `train_on_batch` of a 784-512-256-10 model, less a later one
allocations  requests for memory by steps after the first, and growth of the process
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from common import fresh
from common.arguments import add_threads, interpreter_for, make_parser, parse
from common.models import MNIST_MLP, TINY_MLP, XOR_MLP, training_spec, training_steps
from common.report import Report, show_seconds
from common.stage import Stage
from common.subjects import WorkerError, WorkerProcess
from workers.allocations import compile_counter

PARTS = ["step", "call", "start", "fresh", "build", "allocations"]
PEERS = ["torch", "jax", "keras"]

LONG_EPOCH = training_spec(XOR_MLP, samples=40_000, batch=4, optimizer="sgd", learning_rate=0.1)
MANY_EPOCHS = training_spec(
    XOR_MLP, samples=4, batch=4, optimizer="sgd", learning_rate=0.1, epochs=1000
)
ADAM_EPOCH = training_spec(XOR_MLP, samples=40_000, batch=4)
XOR_ROW = training_spec(XOR_MLP, samples=4, batch=1)
MLP_ROW = training_spec(MNIST_MLP, samples=8, batch=1)
TEN_ROWS = training_spec(TINY_MLP, samples=10, batch=10)
MLP_BATCH = training_spec(MNIST_MLP, samples=8192, batch=128)


def bench_step(report: Report, stage: Stage) -> None:
    """Times steps of a model of 33 parameters inside `fit`."""
    for name, spec, bound in [
        ("XOR fit, long epoch, SGD", LONG_EPOCH, 0.7e-6),
        ("XOR fit, 1000 epochs of one step, SGD", MANY_EPOCHS, None),
        ("XOR fit, long epoch, Adam", ADAM_EPOCH, None),
    ]:
        if not stage.selected(name):
            continue
        # Keras takes about a millisecond for a step here, ten seconds for a turn: left out.
        case = stage.run(
            name, "train", spec, units=training_steps(spec), peers=["torch", "jax"], tolerance=0.05
        )
        report.add(case)
        if bound is not None:
            report.target(f"{name}: us per step", case.seconds * 1e6, bound * 1e6, at_least=False)


def bench_call(report: Report, stage: Stage) -> None:
    """Times single calls with one row."""
    for model, spec, bound in [("XOR", XOR_ROW, 10.0), ("784-512-256-10", MLP_ROW, None)]:
        for kind, variant in [
            ("train_on_batch", "train_on_batch"),
            ("predict", "predict"),
            ("predict", "predict_on_batch"),
        ]:
            name = f"{model} {variant}, one row"
            if not stage.selected(name):
                continue
            case = stage.run(name, kind, spec, ours_variant=variant)
            report.add(case)
            if bound is not None:
                report.target(f"{name}: us per call", case.seconds * 1e6, bound, at_least=False)


def bench_start(report: Report, stage: Stage) -> None:
    """Times all a user waits for: from the first line of a model to the end of `fit`."""
    name = "4-8-3 build, compile and fit ten rows"
    if stage.selected(name):
        case = stage.run(name, "start", TEN_ROWS)
        report.add(case)
        report.target(f"{name}: ms", case.seconds * 1e3, 30.0, at_least=False)


def bench_fresh(report: Report, rounds: int) -> None:
    """Times imports, and a first `fit`, in fresh interpreters."""
    names = "dlnative.Sequential, dlnative.layers, dlnative.optimizers, dlnative.losses"
    model = (
        "model = dlnative.Sequential([dlnative.Input((4,)),"
        " dlnative.layers.Dense(8, activation='relu'), dlnative.layers.Dense(3)]);"
        " model.compile(optimizer='adam',"
        " loss=dlnative.losses.SparseCategoricalCrossentropy(from_logits=True));"
        " model.fit(numpy.zeros((10, 4), 'float32'), numpy.arange(10) % 3, verbose=0)"
    )
    statements = [
        ("pass", "import numpy"),
        ("pass", "import dlnative"),
        ("pass", f"import dlnative; {names}"),
        (f"import dlnative, numpy; {names}", model),
    ]
    try:
        numpy, plain, used, first = fresh.interleaved(statements, rounds)
    except RuntimeError as error:
        print(f"fresh interpreters: not measured: {error}")
        return
    print(f"\nfresh interpreters, {rounds} rounds{'':18}    median      best   / import numpy")
    for name, times in [
        ("import numpy", numpy),
        ("import dlnative", plain),
        ("import dlnative, names used", used),
        ("first build, compile and fit of 4-8-3", first),
    ]:
        ratio = fresh.median_ratio(times, numpy)
        median, best = show_seconds(statistics.median(times)), show_seconds(min(times))
        report.figure(name, times, f"{median:>10}{best:>10}{ratio:10.2f}")
    for text, times in [("import dlnative", plain), ("import dlnative, names used", used)]:
        ratio = fresh.median_ratio(times, numpy)
        report.target(f"{text} / import numpy", ratio, 1.5, at_least=False)
    milliseconds = statistics.median(first) * 1e3
    report.target("first build, compile and fit: ms", milliseconds, 30.0, at_least=False)


def bench_build(report: Report, stage: Stage) -> None:
    """Measures how long a training program takes to build."""
    worker = stage.workers[stage.arguments.ours]
    spec = {"training": MLP_BATCH, "repeats": 3 if stage.arguments.quick else 10}
    try:
        seconds = worker.request(do="query", name="build", spec=spec)["seconds"]
    except WorkerError as error:
        print(f"build: not measured: {error}")
        return
    first, median = seconds[0], statistics.median(seconds)
    name = "build the training program of 784-512-256-10"
    print()
    report.figure(name, seconds, f"  median {show_seconds(median)}, first {show_seconds(first)}")
    report.target(f"{name}: ms", median * 1e3, 20.0, at_least=False)


def bench_allocations(report: Report, stage: Stage) -> None:
    """Counts the requests for memory in a process of its own, under the preloaded counter."""
    arguments = stage.arguments
    with tempfile.TemporaryDirectory() as folder:
        counter = compile_counter(Path(folder))
        environment = {"LD_PRELOAD": str(counter)} if counter else {}
        worker = WorkerProcess(
            arguments.ours,
            interpreter_for(arguments.ours, arguments),
            stage.threads,
            environment=environment,
        )
        try:
            print()
            for name, spec in [("XOR", LONG_EPOCH), ("784-512-256-10", MLP_BATCH)]:
                answer = worker.request(do="query", name="allocations", spec={"training": spec})
                calls = answer["calls_per_step"]
                report.figure(
                    f"{name}: allocations",
                    answer,
                    f"  per step {'not counted' if calls is None else f'{calls:.4f}'},"
                    f" growth in {3 * answer['steps']} steps: heap {answer['heap_bytes']} bytes,"
                    f" resident {answer['resident_bytes']} bytes;"
                    f" Python in 500 train_on_batch {answer['python_bytes']} bytes",
                )
                # A step that allocates counts 1 at least; what stays below comes from `fit` around
                # the steps. A byte lost in every step would show as 30 kB in XOR's 30,000.
                report.target(f"{name}: allocations per step", calls, 0.5, at_least=False)
                report.target(
                    f"{name}: growth of the heap, bytes",
                    answer["heap_bytes"],
                    16384,
                    at_least=False,
                )
        except WorkerError as error:
            print(f"allocations: not measured: {error}")
        finally:
            worker.close()


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.1)
    add_threads(parser)
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    arguments = parse(parser, parts=PARTS)
    parts = arguments.parts
    report = Report("bench_overhead", arguments)
    with Stage(arguments, arguments.threads[0], PEERS, peer_threads=1) as stage:
        report.describe(stage)
        if "step" in parts:
            bench_step(report, stage)
        if "call" in parts:
            bench_call(report, stage)
        if "start" in parts:
            bench_start(report, stage)
        if "build" in parts:
            bench_build(report, stage)
        if "allocations" in parts:
            bench_allocations(report, stage)
    if "fresh" in parts:
        bench_fresh(report, 3 if arguments.quick else 15)
    report.finish()


if __name__ == "__main__":
    main()
