"""Draws recorded training steps as one picture, the fastest mode of every library.

    python benchmarks/plot_results.py docs/training_steps.svg benchmarks/results/train_step*.json

The figures are those of the reports, `ratio_of_best`: nothing is measured here.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

# The peers, by the first word of a mode's label, and their colours.
PEERS = {
    "torch": ("PyTorch", "#ee4c2c"),
    "jax": ("JAX", "#6a3d9a"),
    "keras": ("Keras on JAX", "#b2a1c7"),
    "keras-tf": ("Keras on TensorFlow", "#ff9f1c"),
    "sklearn": ("scikit-learn", "#3182bd"),
}


def fastest_modes(case: dict) -> dict[str, float]:
    """Returns the least ratio to our time for each peer that took part in a case."""
    ratios: dict[str, float] = {}
    for mode in case["others"]:
        peer = mode["label"].split()[0]
        if peer in PEERS:
            ratios[peer] = min(ratios.get(peer, math.inf), mode["ratio_of_best"])
    return ratios


def case_label(case: dict) -> str:
    """Returns the case's name without the number of threads, and our time."""
    name = case["name"].rsplit(" ", 1)[0]
    return f"{name}\ndlnative {1e3 * case['ours']['best']:.3g} ms"


def draw(cases: list[dict], machine: str, name: str) -> None:
    """Draws one group of bars per case; 1 is our time."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "dlnative"  # the same file for the same figures
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    from matplotlib import pyplot

    height = 0.8 / len(PEERS)
    figure, axes = pyplot.subplots(figsize=(8, 1.2 + 0.75 * len(cases)))
    for i, (peer, (label, colour)) in enumerate(PEERS.items()):
        rows = [
            (n, fastest_modes(case)[peer])
            for n, case in enumerate(cases)
            if peer in fastest_modes(case)
        ]
        positions = [n - 0.4 + (i + 0.5) * height for n, _ in rows]
        bars = axes.barh(positions, [ratio for _, ratio in rows], height, label=label, color=colour)
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize="x-small")
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(range(len(cases)), [case_label(case) for case in cases], fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel("time of a training step / time of dlnative, best times (1: a tie)")
    axes.set_title(machine, fontsize="small")
    axes.legend(fontsize="small", loc="lower right")
    figure.savefig(name, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Reads the reports and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("picture", help="the SVG file to write")
    parser.add_argument("reports", nargs="+", help="reports of bench_train_step.py, as JSON")
    arguments = parser.parse_args()
    reports = [json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments.reports]
    machines = {report["machine"]["cpu"] for report in reports}
    if len(machines) > 1:
        parser.error(f"the reports are from several machines: {', '.join(sorted(machines))}")
    cases = [case for report in reports for case in report["cases"]]
    draw(cases, f"{machines.pop()}, {cases[0]['threads']} threads", arguments.picture)


if __name__ == "__main__":
    main()
