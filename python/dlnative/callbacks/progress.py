"""What training shows: a progress bar while an epoch runs, and one line per epoch."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from ..config import is_interactive_logging_enabled
from ..utils.messages import print_message
from .callback import Callback, Logs

SHOW_AFTER = 0.15  # seconds: shorter runs show their line only, and never import tqdm
BAR = {
    "unit": " samples",
    "unit_scale": True,
    "leave": False,
    "mininterval": 0,
    "bar_format": "{desc}: {percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt} "
    "[{elapsed}<{remaining}, {rate_fmt}{postfix}]",
}
PREDICT_AFTER = 0.5  # `predict` with verbose="auto" shows nothing at all if it is faster


class ProgbarLogger(Callback):
    """Shows progress and results on standard output.

    While an epoch runs, a terminal or a notebook shows a tqdm bar with samples per second and the
    metrics so far. When it ends, one line is printed; a redirected file gets these lines only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verbose = 1
        self.epochs = 1
        self.samples: int | None = None
        self.delay = SHOW_AFTER
        self._in_fit = False
        self._title = ""
        self._bar: Any = None
        self._silent = False
        self._start = self._stop = 0.0

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose in ("auto", True) else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.samples = params.get("samples")

    @property
    def live(self) -> bool:
        """Whether a bar may be shown: not in a file or log, and not with one line per epoch."""
        if self.verbose != 1 or not is_interactive_logging_enabled():
            return False
        return _in_notebook() or _is_terminal(sys.stdout)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._begin(f"Epoch {epoch + 1}/{self.epochs}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._end(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if self._in_fit:
            self._stop = time.perf_counter()
            self.close()
        else:
            self._begin("Evaluate")

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._silent = self.params.get("verbose") == "auto"
        if self._silent:
            self.delay = PREDICT_AFTER
        self._begin("Predict")

    def on_predict_end(self, logs: Logs | None = None) -> None:
        if self._silent:
            self.close()
        else:
            self._end(None)

    def on_progress(self, steps: int, samples: int, logs: Logs) -> None:
        """Refreshes the bar.

        Args:
            steps: Steps of this epoch so far.
            samples: Samples of this epoch so far.
            logs: Means so far.
        """
        if self._bar is None:
            if time.perf_counter() - self._start < self.delay or not self.live:
                return
            self._bar = _make_bar(self.samples, self._title)
            self._bar.start_t = self._bar.last_print_t = self._start_on_clock_of(self._bar)
        self._bar.set_postfix_str(format_logs(logs), refresh=False)
        self._bar.update(samples - self._bar.n)

    def close(self) -> None:
        """Takes the bar from the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _begin(self, title: str) -> None:
        self._title = title
        self._start = time.perf_counter()
        self._stop = 0.0

    def _end(self, logs: Logs | None) -> None:
        seconds = (self._stop or time.perf_counter()) - self._start
        self.close()
        if not self.verbose:
            return
        parts = [self._title, format_seconds(seconds)]
        if self.samples and seconds > 0:
            parts.append(f"{self.samples / seconds:.0f} samples/s")
        if logs:
            parts.append(format_logs(logs, " - "))
        print_message(" - ".join(parts))

    def _start_on_clock_of(self, bar: Any) -> float:
        """When the epoch began, on tqdm's clock: the bar itself came later."""
        return bar._time() - (time.perf_counter() - self._start)


def format_logs(logs: Logs | None, separator: str = ", ") -> str:
    """Logs as text, such as "accuracy: 0.9712, loss: 0.0954"."""
    return separator.join(f"{name}: {format_number(value)}" for name, value in (logs or {}).items())


def format_number(value: Any) -> str:
    """Four decimals, or a power of ten where these would say little; of arrays some values."""
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, threshold=8, max_line_width=sys.maxsize)
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4e}"


def format_seconds(seconds: float) -> str:
    """A duration as text, such as "12ms", "3.4s" or "2m05s"."""
    if seconds < 1:
        return f"{seconds * 1e3:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}m{seconds:02d}s"


def _is_terminal(stream: Any) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel (not IPython in a terminal)."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython  # type: ignore[import-not-found]

    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


def _make_bar(total: int | None, title: str) -> Any:
    """tqdm's bar for this place."""
    if _in_notebook():
        from tqdm import notebook

        if notebook.IProgress is not None:  # without ipywidgets a bar of characters does, too
            return _without_thread(notebook.tqdm)(total=total, desc=title, **BAR)
    import shutil

    from tqdm.std import tqdm

    size = shutil.get_terminal_size()  # 80 x 24 for a terminal that does not know
    place = {"file": sys.stdout, "ncols": size.columns, "nrows": size.lines}
    return _without_thread(tqdm)(total=total, desc=title, **BAR, **place)


def _without_thread(bar: type) -> Any:
    """tqdm starts a thread that watches all bars; this subclass does not."""
    return type("Bar", (bar,), {"monitor_interval": 0})
