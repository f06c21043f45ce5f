"""callbacks.RemoteMonitor: the requests that a server gets are those of real Keras."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest

import dlnative

LOGS = [{"loss": 0.5, "a": np.float32(0.25)}, {"loss": np.array([2.0])}, {}]


@pytest.fixture
def server():
    """(address, list of (path, type, header, body) of the requests, status of the answers)."""
    seen, status = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            kind = self.headers["Content-Type"]
            seen.append((self.path, kind, self.headers.get("X-Run"), body))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", seen, status
        found.shutdown()
        thread.join()


@pytest.mark.parametrize("as_json", [False, True])
def test_requests_as_keras(keras, server, as_json):
    pytest.importorskip("requests", reason="Keras needs requests")
    address, seen, _ = server
    for library in (dlnative, keras):
        monitor = library.callbacks.RemoteMonitor(
            address, "/here/", "field", {"X-Run": "7"}, send_as_json=as_json
        )
        for epoch, logs in enumerate(LOGS):
            monitor.on_epoch_end(epoch, logs)
    ours, theirs = seen[:3], seen[3:]
    for (*a, x), (*b, y) in zip(ours, theirs, strict=True):
        assert a == b
        if not as_json:
            assert [*parse_qs(x)] == ["field"]
            x, y = parse_qs(x)["field"][0], parse_qs(y)["field"][0]
        x, y = json.loads(x), json.loads(y)
        if isinstance(x.get("loss"), list):
            x["loss"] = x["loss"][0]  # Keras sends the one number of an array, and no others
        assert x == y


def test_in_training(server):
    address, seen, status = server
    model = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = dlnative.callbacks.RemoteMonitor(address, send_as_json=True)
    x, y = np.ones((4, 2)), np.ones(4)
    losses = model.fit(x, y, epochs=3, verbose=0, callbacks=[monitor]).history["loss"]
    assert [json.loads(body) for *_, body in seen] == [
        {"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses)
    ]
    status[0] = 500
    with pytest.warns(UserWarning, match="could not be reached: HTTP Error 500"):
        model.fit(x, y, epochs=1, verbose=0, callbacks=[monitor])


def test_a_server_that_is_not_there():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monitor = dlnative.callbacks.RemoteMonitor(f"http://127.0.0.1:{port}")
    with pytest.warns(UserWarning, match="RemoteMonitor: http.* could not be reached"):
        monitor.on_epoch_end(0, {"loss": float("nan")})


def test_what_is_refused():
    with pytest.raises(TypeError, match="RemoteMonitor: expected path to be text"):
        dlnative.callbacks.RemoteMonitor(path=3)
    with pytest.raises(ValueError, match="expected root to begin with http"):
        dlnative.callbacks.RemoteMonitor("file:///etc")
