"""How the explorer is started, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from fastrrae import InputError
from fastrrae.cli import run_command
from fastrrae.explore import explore, serve


def test_a_port_that_is_in_use_is_named(signals, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run_command(["explore", str(signals[0].folder.root), "--port", str(port), "--no-browser"]) == 1
    assert f"--port {port} is in use: choose another, or 0 for any that is free" in capsys.readouterr().err


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_refused(signals, port):
    with pytest.raises(InputError, match=f"`port` must be from 0 to 65535; got {port}"):
        explore(signals[0], port=port, browser=False)


def test_without_the_extra_it_says_what_to_install(signals, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(InputError, match=r"install `fastrrae\[explore\]`"):
        explore(signals[0])


def test_data_of_another_run_are_refused(signals, digits):
    with pytest.raises(InputError, match="the data is not that of the run"):
        explore(signals[0], digits[1], browser=False)


def test_data_that_has_changed_is_done_without(table, capsys):
    run, _ = table
    path = run.folder.root.parent / "x.csv"
    whole = path.read_text()
    try:
        path.write_text(whole.rsplit("\n", 2)[0])
        assert serve._data_of(run) is None
        assert "without training samples and parameters: the data is not that of the run" in capsys.readouterr().out
        path.unlink()
        assert serve._data_of(run) is None
        assert "is not a file" in capsys.readouterr().out
    finally:
        path.write_text(whole)
    assert serve._data_of(run) is not None


@pytest.mark.parametrize(
    ("environment", "has_screen"), [({}, False), ({"DISPLAY": ":0"}, True), ({"BROWSER": "x"}, True)]
)
def test_a_browser_is_opened_where_there_is_a_screen(environment, has_screen, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert serve._has_screen() is has_screen


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent to the process alone on POSIX only")
def test_it_answers_until_ctrl_c_and_ends_well(table):
    command = [sys.executable, "-m", "fastrrae", "explore", str(table[0].folder.root), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        address = first.split(" at ")[1].split()[0]
        with urllib.request.urlopen(address + "api/run") as answer:
            assert answer.status == 200
        port = int(address.rsplit(":", 1)[1].rstrip("/"))
        assert _listening_addresses(port) == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out, error) == (0, "the explorer has ended\n", "")


def _listening_addresses(port):
    """The addresses of this machine on which the port answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells which address packets would leave from
        outer = probe.getsockname()[0]
    found = set()
    for address in {"127.0.0.1", outer}:
        with socket.socket() as client:
            if client.connect_ex((address, port)) == 0:
                found.add(address)
    return found
