"""The explorer's small server: the page, and what it asks for."""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import InputError
from .description import describe, scatter_points
from .explorer import Explorer
from .local_requests import HOSTS, SameOriginOnly

PAGE = Path(__file__).parent / "page"
LONGEST_BODY = 2**20  # bytes of a request
MOST_SAMPLES = 64  # in one answer


def make_app(explorer: Explorer) -> Starlette:
    """The ASGI application. Requests of other hosts get 400, of other origins 403, and bad values 400 with a reason.

    `GET /api/run` describes the run; `GET /api/points?x=0&y=1` gives two coefficients of the points in the scatter;
    `GET /api/samples?split=test&indices=0,1` samples with their coefficients; `GET /api/coefficients?index=0` all those
    of a training sample; `POST /api/decode` a decoded point; `POST /api/nearest` the samples next to a point. Samples
    are float32 in little-endian order, as base64.
    """
    answers = _Answers(explorer)
    routes = [
        Route("/api/run", _answering(answers.run)),
        Route("/api/points", _answering(answers.points)),
        Route("/api/samples", _answering(answers.samples)),
        Route("/api/coefficients", _answering(answers.coefficients)),
        Route("/api/decode", _answering(answers.decode), methods=["POST"]),
        Route("/api/nearest", _answering(answers.nearest), methods=["POST"]),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    return Starlette(routes=routes, middleware=[hosts, Middleware(SameOriginOnly)])


class _Answers:
    """The answer to each request: from the values of its address or of its body to values for JSON."""

    def __init__(self, explorer: Explorer):
        self._explorer = explorer
        self._description = describe(explorer)
        self._points = scatter_points(explorer.run)

    def run(self, _: dict[str, Any]) -> dict[str, Any]:
        """What the page needs once: name, rank, kind of samples, ranges of the coefficients, the scatter's colours."""
        return self._description

    def points(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The scatter: coefficients number `x` and number `y` of training samples."""
        rank = self._explorer.run.rank
        columns = {name: _integer(asked.get(name), name, rank) for name in ("x", "y")}
        shown = self._explorer.run.training_coefficients[self._points]
        return {name: shown[:, column].tolist() for name, column in columns.items()}

    def samples(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Values, coefficients and labels of the samples `indices` ("0,5,7") of the `split` training or test."""
        split = asked.get("split")
        if split not in ("training", "test"):
            raise InputError(f"`split` must be training or test; got {split!r}")
        parts = str(asked.get("indices", "")).split(",")
        count = len(self._explorer.coefficients_of(split))
        if len(parts) > MOST_SAMPLES:
            raise InputError(f"`indices` must be at most {MOST_SAMPLES}; got {len(parts)}")
        indices = np.array([_integer(part, "indices", count) for part in parts])
        return {
            "values": _encoded(self._explorer.samples(split, indices)),
            "coefficients": self._explorer.coefficients_of(split)[indices].tolist(),
            "labels": [self._explorer.label_of(split, int(index)) for index in indices],
        }

    def coefficients(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The coefficients of training sample number `index`."""
        known = self._explorer.coefficients_of("training")
        return {"coefficients": known[_integer(asked.get("index"), "index", len(known))].tolist()}

    def decode(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The sample of `coefficients`, or of the point `between` two: their weighted mean `weight`, by `method`."""
        started = time.perf_counter()
        if "between" in asked:
            path = _object(asked["between"], "between")
            a, b = (_vector(path.get(name), name) for name in ("a", "b"))
            point = self._explorer.between(a, b, _number(path.get("weight"), "weight"), path.get("method", "linear"))
        else:
            point = _vector(asked.get("coefficients"), "coefficients")
        sample = self._explorer.decode(point)
        milliseconds = 1e3 * (time.perf_counter() - started)
        return {"coefficients": point.tolist(), "values": _encoded(sample), "milliseconds": round(milliseconds, 2)}

    def nearest(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The samples with the nearest coefficients, as `samples` answers, with indices and distances."""
        indices, distances = self._explorer.nearest(_vector(asked.get("coefficients"), "coefficients"))
        split = self._explorer.neighbours_are
        found = self.samples({"split": split, "indices": ",".join(map(str, indices))})
        return found | {"split": split, "indices": indices.tolist(), "distances": distances.tolist()}


def _answering(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint; the answer is computed in another thread, so that a slow one does not hold up the rest."""

    async def endpoint(request: Request) -> Response:
        try:
            asked = dict(request.query_params) if request.method != "POST" else await _body(request)
            return JSONResponse(await run_in_threadpool(answer, asked))
        except InputError as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return endpoint


async def _body(request: Request) -> dict[str, Any]:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > LONGEST_BODY:
            raise InputError(f"the body of a request must have at most {LONGEST_BODY} bytes")
    try:
        return _object(json.loads(content), "the body of a request")
    except (ValueError, RecursionError):
        raise InputError("the body of a request must be an object in JSON") from None


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"`{name}` must be an object")
    return value


def _vector(value: Any, name: str) -> np.ndarray:
    if not isinstance(value, list) or not all(_is_number(item) for item in value):
        raise InputError(f"`{name}` must be a list of numbers")
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused as not finite
        return np.array(value, np.float64).astype(np.float32)


def _number(value: Any, name: str) -> float:
    if not _is_number(value):
        raise InputError(f"`{name}` must be a number")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _integer(value: Any, name: str, count: int) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < count):
        raise InputError(f"`{name}` must be from 0 to {count - 1}; got {text[:40]!r}")
    return int(text)


def _encoded(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
