"""The explorer as it is started: on a port of this machine alone, until Ctrl-C."""

import errno
import os
import socket
import sys
import threading
import webbrowser
from contextlib import suppress

from ..data import Dataset, load_dataset
from ..errors import InputError
from ..run import Run

ADDRESS = "127.0.0.1"  # no other machine can reach it


def explore(run: Run, dataset: Dataset | None = None, *, port: int = 0, browser: bool = True) -> None:
    """Serve a page in which the coefficients of a run are moved and decoded, until Ctrl-C.

    Args:
        run: a finished run.
        dataset: the data of the run, if it was handed over in Python or has moved; by default loaded as the run's
            configuration says. Where that is not possible, the page does without training samples and parameters.
        port: a port of this machine; 0 means any free one.
        browser: open the page, where there is a screen.

    Raises:
        InputError: starlette and uvicorn are not installed (`pip install "fastrrae[explore]"`), the port is not free,
            or `dataset` is not that of the run.

    Example:
        >>> explore(load_run("runs/digits"))
    """
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ImportError:
        raise InputError("the explorer needs starlette and uvicorn: install `fastrrae[explore]`") from None
    from .app import make_app
    from .explorer import Explorer

    if dataset is None:
        dataset = _data_of(run)
    else:
        run.folder.require_same_data(dataset)
    with _listen(port) as listener:
        app = make_app(Explorer(run, dataset))
        address = f"http://{ADDRESS}:{listener.getsockname()[1]}/"
        print(f"exploring {run.folder.root} at {address} (Ctrl-C ends)", flush=True)
        if browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2
        )
        with suppress(KeyboardInterrupt):  # uvicorn has closed all connections, and says again what it was ended by
            uvicorn.Server(config).run(sockets=[listener])
    print("the explorer has ended")


def _data_of(run: Run) -> Dataset | None:
    """The data of a run, where it can be read and has not changed."""
    if run.config.data.source == "own":
        print("the data of the run was handed over in Python: without it, no training samples and no parameters")
        return None
    try:
        dataset = load_dataset(run.config.data)
        run.folder.require_same_data(dataset)
    except (InputError, OSError) as error:
        print(f"without training samples and parameters: {error}")
        return None
    return dataset


def _listen(port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise InputError(f"`port` must be from 0 to 65535; got {port}")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # a port that an explorer has just left may be taken again
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen()
    except OSError as error:
        listener.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise InputError(f"`port` {port} {why}: choose another, or 0 for any that is free") from None
    return listener


def _has_screen() -> bool:
    """Whether a browser with windows can be there: without a screen, a text browser would take the terminal."""
    if sys.platform in ("win32", "darwin") or "BROWSER" in os.environ:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
