"""Files that a user names: regular ones are replaced, links followed, everything else written to.

The command line's `predict --out` writes this way; no path of the machine itself is touched here,
as an earlier version replaced devices.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading

import pytest

from dlnative.saving import atomic_write, check_output

pytestmark = pytest.mark.skipif(os.name == "nt", reason="files of POSIX")
COMMAND = [sys.executable, "-m", "dlnative"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a trained model, and beside it `rows.csv` to predict."""
    from dlnative.cli import main

    folder = tmp_path_factory.mktemp("trained")
    rows = "".join(f"{i % 7},{i % 5},{'ab'[i % 2]}\n" for i in range(40))
    (folder / "rows.csv").write_text(f"x,y,name\n{rows}")
    arguments = ["--data", str(folder / "rows.csv"), "--hidden", "4", "--epochs", "1", "--quiet"]
    assert main(["train", *arguments, "--out", str(folder / "model")]) == 0
    return folder / "model"


@pytest.fixture
def expected(run, model):
    """What `predict` prints: the header and 40 rows."""
    status, out, _ = run("predict", model, "--data", model.parent / "rows.csv")
    assert status == 0 and len(out.splitlines()) == 41
    return out


@pytest.fixture
def predict(run, model, expected):
    """Returns a function that predicts into a file, and is quiet about it."""

    def call(path):
        arguments = ["predict", model, "--data", model.parent / "rows.csv", "--out", path]
        assert run(*arguments) == (0, "", "")

    return call


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o666])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_file_keeps_its_mode(predict, expected, tmp_path, mode, umask):
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(mode)
    before = os.umask(umask)
    try:
        predict(path)
    finally:
        os.umask(before)
    assert path.read_text() == expected
    assert mode_of(path) == mode
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_private_file_is_never_readable_by_others(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o600)
    seen = []
    flush = os.fsync

    def watch(file):
        seen.extend(mode_of(entry.path) for entry in os.scandir(tmp_path))
        flush(file)

    monkeypatch.setattr(os, "fsync", watch)
    atomic_write(path, "new")
    assert set(seen) == {0o600}
    assert path.read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_file_keeps_its_owner(predict, expected, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    path.chmod(0o640)
    predict(path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, mode_of(path)) == (12345, 23456, 0o640)
    assert path.read_text() == expected


def test_a_group_that_cannot_be_kept_gives_its_rights_to_no_other(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o660)
    former = os.stat_result([*path.stat()[:5], path.stat().st_gid + 1, *path.stat()[6:]])

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr("dlnative.saving.output.check_output", lambda _: former)
    atomic_write(path, "new")
    assert mode_of(path) == 0o600
    assert path.read_text() == "new"


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    """Another name of the old file keeps its content: it was not written into."""
    path = tmp_path / "out.csv"
    path.write_text("old")
    os.link(path, tmp_path / "other.csv")
    atomic_write(path, "new")
    assert path.read_text() == "new"
    assert (tmp_path / "other.csv").read_text() == "old"


@pytest.mark.parametrize("relative", [False, True])
def test_a_link_is_followed_and_stays(predict, expected, tmp_path, relative):
    for name in ("links", "files"):
        (tmp_path / name).mkdir()
    target, link = tmp_path / "files" / "out.csv", tmp_path / "links" / "link.csv"
    target.write_text("old")
    target.chmod(0o600)
    middle = tmp_path / "links" / "middle.csv"
    middle.symlink_to("../files/out.csv" if relative else target)
    link.symlink_to("middle.csv" if relative else middle)
    predict(link)
    assert link.is_symlink() and middle.is_symlink() and not target.is_symlink()
    assert target.read_text() == expected
    assert mode_of(target) == 0o600
    assert sorted(os.listdir(tmp_path / "links")) == ["link.csv", "middle.csv"]
    assert os.listdir(tmp_path / "files") == ["out.csv"]


def test_a_dangling_link_makes_its_target(predict, expected, tmp_path):
    (tmp_path / "files").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to("files/out.csv")
    predict(link)
    assert link.is_symlink()
    assert (tmp_path / "files" / "out.csv").read_text() == expected


def test_a_pipe_is_written_to(predict, expected, tmp_path):
    path, received = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: received.append(path.read_text()), daemon=True)
    reader.start()
    predict(path)
    reader.join(timeout=60)
    assert received == [expected]
    assert stat.S_ISFIFO(os.lstat(path).st_mode)


def test_a_link_to_a_pipe_is_written_to(predict, expected, tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to("pipe")
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()), daemon=True)
    reader.start()
    predict(tmp_path / "link")
    reader.join(timeout=60)
    assert received == [expected]
    assert stat.S_ISFIFO(os.lstat(pipe).st_mode) and (tmp_path / "link").is_symlink()


def test_a_socket_is_written_to(predict, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    received = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        server.listen()

        def receive():
            with server.accept()[0] as connection, connection.makefile("rb") as stream:
                received.append(stream.read().decode())

        reader = threading.Thread(target=receive, daemon=True)
        reader.start()
        predict("socket")
        reader.join(timeout=60)
    assert received == [expected]
    assert stat.S_ISSOCK(os.lstat("socket").st_mode)


def test_a_device_is_written_to(predict, tmp_path):
    path = tmp_path / "null"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        path.write_text("")
    except OSError:
        pytest.skip("devices can be made by root only, and not everywhere")
    predict(path)
    assert stat.S_ISCHR(os.lstat(path).st_mode)
    assert os.listdir(tmp_path) == ["null"]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd/1"), reason="descriptors of Linux")
@pytest.mark.parametrize("sink", ["pipe", "file", "socket"])
def test_standard_output_by_its_name(model, expected, tmp_path, sink):
    """By a link such as /dev/stdout: appended to a log, and as one of many writers."""
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")
    data = model.parent / "rows.csv"
    command = [*COMMAND, "predict", str(model), "--data", str(data), "--out", str(link)]
    log = tmp_path / "log"
    log.write_text("kept\n")
    if sink == "pipe":
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        assert out.stdout == expected
    elif sink == "file":
        with open(log, "a") as stream:
            subprocess.run(command, stdout=stream, timeout=60, check=True)
        assert log.read_text() == f"kept\n{expected}"
    else:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            subprocess.run(command, stdout=theirs, timeout=60, check=True)
            theirs.close()
            with ours.makefile("rb") as stream:
                assert stream.read().decode() == expected
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["log", "stdout"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("folder", "folder: a folder; expected the name of a file"),
        ("link", "link: a folder; expected the name of a file"),
        ("new/", "new/: a folder; expected the name of a file"),
        ("", ": a folder; expected the name of a file"),
        ("none/out.csv", "none/out.csv: there is no folder "),
        ("dangling", "dangling: there is no folder "),
        ("file/out.csv", "file/out.csv: Not a directory"),
        ("loop", "loop: Too many levels of symbolic links"),
    ],
)
def test_errors_come_before_any_work(fails, tmp_path, monkeypatch, path, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("none/out.csv")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("mine")
    # The model does not exist: that would be the next error.
    assert message in fails("predict", "absent", "--data", "digits", "--out", path)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_what_may_not_be_written_is_refused(tmp_path, monkeypatch, closed):
    """Root may write everything, so the system's answer is replaced."""
    path = tmp_path / "out.csv"
    path.write_text("mine")
    refused = {"file": path, "folder": tmp_path}[closed]
    monkeypatch.setattr(os, "access", lambda name, _: str(name) != str(refused))
    for check in (check_output, lambda name: atomic_write(name, "new")):
        with pytest.raises(PermissionError, match="no permission to write there"):
            check(path)
    assert path.read_text() == "mine"


def test_an_error_names_the_users_file(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left on device: .*out.csv'"):
        atomic_write(tmp_path / "out.csv", "new")
    assert os.listdir(tmp_path) == []


def test_ctrl_c_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def interrupt(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]
