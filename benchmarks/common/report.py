"""The one report: a table for people, JSON for machines, a picture on request.

JSON, format 1:
    format, benchmark, arguments
    machine     cpu, cpus, system, python, commit, date, load_average
    libraries   for each number of threads: versions, threads and facts of every library; for
                dlnative the facts are instruction set, compiler and flags
    ceilings    FMA peak of one core by dtype (FLOP/s) and memory bandwidth (bytes/s)
    cases       name, threads, units, flops, bytes moved, note, checks, and for each library best,
                median, all seconds (of one unit), repetitions, peak memory in bytes, and ratio and
                ratio_of_best to ours
    figures     single measured values
    targets     text, value, bound, met
    missing     libraries that did not take part, with the reason
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common.machine import BENCHMARKS, describe_machine
from common.timer import BANDWIDTH, CEILINGS, Comparison, Timing

# The work that measures the ceilings of the machine once: about 0.05 and 0.2 seconds.
FLOPS = 1e10
BYTES = 4 << 30


@dataclass
class Case:
    """One case, timed on all libraries.

    Attributes:
        name: The case's name.
        threads: Threads of every library.
        comparison: The times of whole repetitions.
        units: Steps in one repetition.
        flops: Floating-point operations of one step, if they matter.
        moved: Bytes that one step reads and writes, if they matter.
        note: How our library did it.
        memory: Peak memory of libraries in bytes, where it was measured.
        checks: The number each library computed to show that it did the work.
        disagreeing: Libraries whose number differs from ours.
        gaps: Libraries that could not do it, with the reason.
    """

    name: str
    threads: int
    comparison: Comparison
    units: int = 1
    flops: float | None = None
    moved: float | None = None
    note: str = ""
    memory: dict[str, int] = field(default_factory=dict)
    checks: dict[str, float] = field(default_factory=dict)
    disagreeing: list[str] = field(default_factory=list)
    gaps: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Our median seconds of one unit."""
        return self.comparison.ours.median / self.units

    @property
    def ceiling(self) -> str | None:
        """What of the machine bounds this case, if it was measured."""
        return next((label for label in CEILINGS if self.has(label)), None)

    @property
    def share(self) -> float | None:
        """The share of the ceiling that we reach, median over the rounds."""
        return self.comparison.ratio(self.ceiling) if self.ceiling else None

    @property
    def share_of_best(self) -> float | None:
        """The share of the best ceiling that we reach in our best time: a quiet machine's."""
        return self.comparison.ratio_of_best(self.ceiling) if self.ceiling else None

    def rate(self, seconds: float) -> str:
        """Formats the rate of work when one unit takes so many seconds."""
        if self.flops and self.ceiling != BANDWIDTH:
            return f"{self.flops / seconds / 1e9:.1f} GF/s"
        return f"{self.moved / seconds / 1e9:.1f} GB/s" if self.moved else ""

    def has(self, label: str) -> bool:
        """Returns whether the subject with this label was timed."""
        return any(timing.label == label for timing in self.comparison.others)

    def peers(self) -> list[Timing]:
        """Returns the timings of the other libraries, fastest first, without the ceilings."""
        peers = [timing for timing in self.comparison.others if timing.label not in CEILINGS]
        return sorted(peers, key=lambda timing: timing.median)

    def to_dict(self) -> dict[str, Any]:
        """Returns the case as it stands in the JSON report."""

        def entry(timing: Timing) -> dict[str, Any]:
            seconds = [value / self.units for value in timing.seconds]
            result = {
                "label": timing.label,
                "best": min(seconds),
                "median": timing.median / self.units,
                "seconds": seconds,
                "repetitions": timing.repetitions,
            }
            if timing.label in self.memory:
                result["peak_memory"] = self.memory[timing.label]
            if timing.ratios:
                result["ratio"] = self.comparison.ratio(timing.label)
                result["ratio_of_best"] = self.comparison.ratio_of_best(timing.label)
                result["ratios"] = timing.ratios
            return result

        return {
            "name": self.name,
            "threads": self.threads,
            "units": self.units,
            "flops": self.flops,
            "moved": self.moved,
            "note": self.note,
            "ours": entry(self.comparison.ours),
            "others": [entry(timing) for timing in self.comparison.others],
            "checks": self.checks,
            "disagreeing": self.disagreeing,
            "gaps": self.gaps,
        }


@dataclass
class Target:
    """A bound the project set itself, and what was measured."""

    text: str
    value: float
    bound: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the value keeps the bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def show_seconds(seconds: float) -> str:
    """Formats a time with three digits: '1.23 us', '45.6 ms'."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:#.3g} {unit}"
    return f"{seconds / 1e-9:#.3g} ns"


class Report:
    """Collects what a benchmark measures, prints it as it comes, and writes it.

    Args:
        benchmark: The benchmark's name.
        arguments: The parsed command line.
    """

    def __init__(self, benchmark: str, arguments: argparse.Namespace) -> None:
        self.benchmark = benchmark
        self.arguments = arguments
        self.machine = describe_machine()
        self.libraries: dict[str, dict[str, Any]] = {}
        self.missing: dict[str, str] = {}
        self.ceilings: dict[str, float] = {}
        self.cases: list[Case] = []
        self.figures: dict[str, Any] = {}
        self.targets: list[Target] = []
        self._columns: list[str] | None = None
        for name, value in self.machine.items():
            print(f"{name:>14}: {value}")
        if (self.machine["load_average"] or 0.0) > 0.5:
            print(
                "warning: other programs are running. Libraries whose threads spin (OpenMP) lose"
                " most by that, up to a hundredfold: do not quote these ratios."
            )

    def describe(self, stage: Any) -> None:
        """Notes and prints the libraries of a stage, and measures the ceilings once."""
        self.libraries[str(stage.threads)] = stage.described
        self.missing.update(stage.missing)
        print(f"\n{stage.threads} thread{'s' * (stage.threads > 1)}")
        for name, described in stage.described.items():
            facts = {k: v for k, v in described["facts"].items() if v is not None}
            print(f"{name:>14}: {described['versions']} {facts or ''}")
        for name, reason in stage.missing.items():
            print(f"{name:>14}: not here: {reason}")
        if not self.ceilings:
            for dtype in ("float32", "float64"):
                answer = stage.query("fma_seconds", dtype=dtype, flops=FLOPS)
                if answer:
                    self.ceilings[f"{dtype} FLOP/s of a core"] = FLOPS / answer["seconds"]
            answer = stage.query("copy_seconds", bytes=BYTES, size=BYTES >> 3)
            if answer:
                self.ceilings["memory bytes/s"] = BYTES / answer["seconds"]
            for name, value in self.ceilings.items():
                print(f"{'ceiling':>14}: {value / 1e9:.1f} G {name}")

    def add(self, case: Case, *, wide: list[str] | None = None) -> None:
        """Adds a case and prints it.

        Args:
            case: The case.
            wide: Print one row with a column of ratios for each of these libraries; default: a
                row for each library.
        """
        self.cases.append(case)
        if wide is None:
            self._print_rows(case)
        else:
            self._print_row(case, wide)
        for label, reason in case.gaps.items():
            print(f"{'':4}{label}: not timed: {reason}")
        for label in case.disagreeing:
            ours = case.checks[case.comparison.ours.label]
            print(f"{'':4}{label}: DIFFERENT RESULT {case.checks[label]:.6g}, ours {ours:.6g}")

    def _print_rows(self, case: Case) -> None:
        memory = f"{'peak MB':>10}" if case.memory else ""
        print(f"\n{case.name}")
        print(
            f"{'':4}{'':28}{'best':>10}{'median':>10}{'rate':>12}{'ratio':>9}{'of best':>9}"
            f"{memory}",
        )
        timings = [case.comparison.ours, *case.comparison.others]
        for timing in sorted(timings, key=lambda timing: timing.median):
            ratios = ["", ""]
            if timing.ratios:
                ratio = case.comparison.ratio(timing.label)
                best = case.comparison.ratio_of_best(timing.label)
                ratios = [f"{ratio:.2f}", f"{best:.2f}"]
            peak = case.memory.get(timing.label)
            memory = f"{peak / 1e6:10.0f}" if peak is not None else ""
            print(
                f"{'':4}{timing.label:28}{show_seconds(timing.best / case.units):>10}"
                f"{show_seconds(timing.median / case.units):>10}"
                f"{case.rate(timing.median / case.units):>12}{ratios[0]:>9}{ratios[1]:>9}{memory}",
                flush=True,
            )

    def _print_row(self, case: Case, columns: list[str]) -> None:
        if self._columns != columns:
            self._columns = columns
            heads = "".join(f"{'/ ' + label:>{max(14, len(label) + 4)}}" for label in columns)
            print(f"\n{'case':52}{'median':>10}{'rate':>12}{'share':>8}{'of best':>9}{heads}")
        shares = [
            f"{share:.3f}" if share is not None else ""
            for share in (case.share, case.share_of_best)
        ]
        ratios = ""
        for label in columns:
            ratio = f"{case.comparison.ratio(label):.2f}" if case.has(label) else "-"
            ratios += f"{ratio:>{max(14, len(label) + 4)}}"
        print(
            f"{case.name:52}{show_seconds(case.seconds):>10}{case.rate(case.seconds):>12}"
            f"{shares[0]:>8}{shares[1]:>9}{ratios}  {case.note}".rstrip(),
            flush=True,
        )

    def figure(self, name: str, value: Any, text: str) -> None:
        """Adds and prints a single value."""
        self.figures[name] = value
        print(f"{name:44}{text}", flush=True)

    def target(self, text: str, value: float | None, bound: float, *, at_least: bool) -> None:
        """Compares a value with a bound; a value of None was not measured and is left out."""
        if value is not None:
            self.targets.append(Target(text, value, bound, at_least))

    def finish(self) -> None:
        """Prints the targets and writes what the command line asked for."""
        if self.targets:
            print("\ntargets")
        for target in self.targets:
            sign = ">=" if target.at_least else "<="
            verdict = "met" if target.met else "MISSED"
            print(f"{'':4}{target.text:64}{target.value:9.3g} {sign} {target.bound:<8g}{verdict}")
        if self.arguments.quick:
            print("\n--quick: the figures above mean nothing.")
        if self.arguments.out is not None:
            self.write(self.arguments.out)
        if self.arguments.plot:
            self.plot(self.arguments.plot)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as it is written."""
        return {
            "format": 1,
            "benchmark": self.benchmark,
            # Where an interpreter lies says nothing to anybody else.
            "arguments": {
                name: value
                for name, value in vars(self.arguments).items()
                if "python" not in name and name not in ("out", "plot")  # places on one machine
            },
            "machine": self.machine,
            "libraries": self.libraries,
            "missing": self.missing,
            "ceilings": self.ceilings,
            "cases": [case.to_dict() for case in self.cases],
            "figures": self.figures,
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
        }

    def write(self, name: str) -> None:
        """Writes the report as JSON; an empty name stands for one made of benchmark and time."""
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S")
        path = Path(name) if name else BENCHMARKS / "results" / f"{self.benchmark}-{stamp}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten: {path}")

    def plot(self, name: str) -> None:
        """Draws the ratio of every peer in every case; 1 is a tie, right of it we are faster."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        labels = sorted({timing.label for case in self.cases for timing in case.peers()})
        height = 0.8 / max(len(labels), 1)
        figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.25 * len(self.cases) * len(labels)))
        for i, label in enumerate(labels):
            ratios = [
                case.comparison.ratio(label) if case.has(label) else math.nan for case in self.cases
            ]
            positions = [row + i * height for row in range(len(self.cases))]
            lengths = [ratio - 1.0 for ratio in ratios]
            axes.barh(positions, lengths, height, left=1.0, label=label)
        axes.axvline(1.0, color="black", linewidth=1)
        axes.set_yticks(
            [row + 0.4 - height / 2 for row in range(len(self.cases))],
            [case.name for case in self.cases],
        )
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.set_xlabel(f"time / time of {self.arguments.ours}, median over the rounds")
        axes.set_title(f"{self.benchmark}, {self.machine['cpu']}", fontsize="medium")
        axes.legend()
        figure.savefig(name, bbox_inches="tight", dpi=120)
        print(f"\nwritten: {name}")
