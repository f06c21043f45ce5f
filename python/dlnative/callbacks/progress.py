"""What training shows: a progress bar while an epoch runs, and one line per epoch."""

from __future__ import annotations

import sys
import time

import numpy as np

from .callback import Callback

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

    def __init__(self):
        super().__init__()
        self.verbose = 1
        self.epochs = 1
        self.samples = None
        self.delay = SHOW_AFTER
        self._in_fit = False
        self._title = ""
        self._bar = None
        self._silent = False
        self._start = self._stop = 0.0

    def set_params(self, params):
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose in ("auto", True) else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.samples = params.get("samples")

    @property
    def live(self):
        """Whether a bar may be shown: not in a file, and not with one line per epoch."""
        return self.verbose == 1 and (_in_notebook() or _is_terminal(sys.stdout))

    def on_train_begin(self, logs=None):
        self._in_fit = True

    def on_train_end(self, logs=None):
        self._in_fit = False

    def on_epoch_begin(self, epoch, logs=None):
        self._begin(f"Epoch {epoch + 1}/{self.epochs}")

    def on_epoch_end(self, epoch, logs=None):
        self._end(logs)

    def on_test_begin(self, logs=None):
        if self._in_fit:
            self._stop = time.perf_counter()
            self.close()
        else:
            self._begin("Evaluate")

    def on_test_end(self, logs=None):
        if not self._in_fit:
            self._end(logs)

    def on_predict_begin(self, logs=None):
        self._silent = self.params.get("verbose") == "auto"
        if self._silent:
            self.delay = PREDICT_AFTER
        self._begin("Predict")

    def on_predict_end(self, logs=None):
        if self._silent:
            self.close()
        else:
            self._end(None)

    def on_progress(self, steps, samples, logs):
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

    def close(self):
        """Takes the bar from the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _begin(self, title):
        self._title = title
        self._start = time.perf_counter()
        self._stop = 0.0

    def _end(self, logs):
        seconds = (self._stop or time.perf_counter()) - self._start
        self.close()
        if not self.verbose:
            return
        parts = [self._title, format_seconds(seconds)]
        if self.samples and seconds > 0:
            parts.append(f"{self.samples / seconds:.0f} samples/s")
        if logs:
            parts.append(format_logs(logs, " - "))
        print(" - ".join(parts), flush=True)

    def _start_on_clock_of(self, bar):
        """When the epoch began, on tqdm's clock: the bar itself came later."""
        return bar._time() - (time.perf_counter() - self._start)


def format_logs(logs, separator=", "):
    """Logs as text, such as "accuracy: 0.9712, loss: 0.0954"."""
    return separator.join(f"{name}: {format_number(value)}" for name, value in (logs or {}).items())


def format_number(value):
    """Four decimals, or a power of ten where these would say little; of arrays some values."""
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, threshold=8, max_line_width=sys.maxsize)
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4e}"


def format_seconds(seconds):
    if seconds < 1:
        return f"{seconds * 1e3:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}m{seconds:02d}s"


def _is_terminal(stream):
    return bool(getattr(stream, "isatty", lambda: False)())


def _in_notebook():
    """Whether this process is a notebook's kernel (not IPython in a terminal)."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython  # type: ignore[import-not-found]

    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


def _make_bar(total, title):
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


def _without_thread(bar):
    """tqdm starts a thread that watches all bars; this subclass does not."""
    return type("Bar", (bar,), {"monitor_interval": 0})
