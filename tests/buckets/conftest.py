"""Object stores on this machine: moto's S3, which can be told to misbehave, and an emulator of Cloud Storage."""

import logging
import re
import threading
import time
import uuid
import warnings
from functools import reduce
from operator import or_
from typing import NamedTuple

import pytest
import tyro

from fastrrae.buckets import address as addresses
from fastrrae.cli.main import COMMANDS
from fastrrae.cli.recipe_options import SETTINGS


class Faults:
    """What the S3 server does wrong: `fail("PUT /bucket/name")` says whether to answer 500, after `delay` seconds."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.fail, self.delay, self.failed = (lambda request: False), 0.0, 0


@pytest.fixture(scope="session")
def s3_server():
    """Its address, and its faults."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto, faults, one_write = DomainDispatcherApplication(create_backend_app), Faults(), threading.Lock()

    def answer(environment, start_response):
        time.sleep(faults.delay)
        if faults.fail(f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}"):
            faults.failed += 1
            environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
            start_response("500 Internal Server Error", [("Content-Type", "text/xml")])
            return [b"<Error><Code>InternalError</Code></Error>"]
        if environment["REQUEST_METHOD"] != "PUT":
            return moto(environment, start_response)
        with one_write:  # moto looks for the object and then writes it; a store does both at once
            return moto(environment, start_response)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", faults
    server.shutdown()


@pytest.fixture
def faults(s3_server):
    yield s3_server[1]
    s3_server[1].reset()


@pytest.fixture
def s3(s3_server, faults, monkeypatch, tmp_path):
    """The address of a new S3 bucket, in this process and those that it starts."""
    variables = {
        "AWS_ENDPOINT_URL": s3_server[0],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FASTRRAE_STAGING": str(tmp_path / "staging"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    addresses.store_of.cache_clear()
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    addresses.store_of("s3").mkdir(bucket)
    yield f"s3://{bucket}"
    faults.reset()
    addresses.store_of.cache_clear()


@pytest.fixture
def gcs(monkeypatch, tmp_path):
    """The address of a new Cloud Storage bucket."""
    from gcp_storage_emulator.server import create_server

    logging.getLogger("gcp_storage_emulator").setLevel(logging.ERROR)
    emulator = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    emulator.start()
    port = emulator._api._httpd.socket.getsockname()[1]  # pyright: ignore[reportOptionalMemberAccess]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # asks a service that the emulator lacks
    monkeypatch.setenv("FASTRRAE_STAGING", str(tmp_path / "staging"))
    addresses.store_of.cache_clear()
    yield "gs://bucket"
    addresses.store_of.cache_clear()
    emulator.stop()


@pytest.fixture(scope="session")
def text_options():
    """Every option of every command that takes text, from the parsers: command, flag or name, metavar, required."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parser = tyro.extras.get_parser(reduce(or_, COMMANDS), config=SETTINGS)
    return list(_text_options(parser, ()))


def _text_options(parser, path):
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, inner in action.choices.items():
                if path not in _WITH_RECIPES or name == "digits":  # recipes have the same options of text
                    yield from _text_options(inner, (*path, name))
        elif action.metavar and _takes_text(str(action.metavar).replace("{None}", "")):
            flag = next(iter(action.option_strings), None)
            needed = bool(action.required) or (flag is None and action.nargs == "*")
            yield TextOption(path, flag or action.dest.rpartition(".")[2], needed)


def _takes_text(metavar):
    return "{" not in metavar and _NO_TEXT.isdisjoint(re.findall("[A-Z]+", metavar))


_WITH_RECIPES = (("train",), ("sweep",), ("plan",))
_NO_TEXT = {"INT", "FLOAT", "BOOL"}


class TextOption(NamedTuple):
    """`name` is a flag, or the name of a positional argument."""

    command: tuple[str, ...]
    name: str
    required: bool
