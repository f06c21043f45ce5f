"""Sends the logs of every epoch to a server."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..utils.warn import warn_user
from .callback import Callback, Logs
from .jsonl_logger import plain_logs

TIMEOUT = 10.0  # seconds: a server that does not answer holds up training for no longer


class RemoteMonitor(Callback):
    """Sends a POST request to `root + path` after each epoch: its number and its logs as JSON.

    A server that cannot be reached, or refuses, is a warning, and training goes on. NaN and
    infinities, which JSON does not have, are "NaN", "Infinity" and "-Infinity", arrays are lists.

    Args:
        root: The address of the server.
        path: Where on the server.
        field: The field of a form that has the JSON.
        headers: More headers, {name: value}.
        send_as_json: Whether the JSON is the body of the request ("application/json"), and not a
            field of a form.

    Example:
        >>> import dlnative
        >>> monitor = dlnative.callbacks.RemoteMonitor("http://localhost:9000", send_as_json=True)

    Differs from Keras: the package `requests` is not needed. A request that is refused is a
    warning, too, and one that takes longer than 10 s is given up.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("root", root), ("path", path), ("field", field)):
            if not isinstance(value, str):
                raise TypeError(f"RemoteMonitor: expected {name} to be text, received {value!r}")
        if not root.startswith(("http://", "https://")):
            raise ValueError(
                f"RemoteMonitor: expected root to begin with http:// or https://, received {root!r}"
            )
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        from urllib.parse import urlencode
        from urllib.request import Request, urlopen

        text = json.dumps({"epoch": epoch, **plain_logs(logs)})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urlencode({self.field: text})
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = Request(self.root + self.path, body.encode(), headers, method="POST")
        try:
            with urlopen(request, timeout=TIMEOUT):
                pass
        except OSError as error:  # URLError and HTTPError are such
            warn_user(f"RemoteMonitor: {self.root + self.path} could not be reached: {error}")
