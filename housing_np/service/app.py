"""The routes of a server: MLflow's, those of the Open Inference Protocol, and the page of the model."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from .. import __version__
from ..command.models import float_model, float_model_beside
from ..errors import HousingError
from ..evaluation.ranges import known_range, outside
from ..export.facts import Facts
from ..export.page import page
from ..fit.linear import LinearRegression
from ..quantized.model import Model
from ..rows.threads import thread_count
from ..store.artifact import load
from ..store.report_file import ranges_of, training_of
from .answering import RefusedError, Wanted, reply, uncompressed, wanted
from .limits import Limits, Memory
from .metrics import Metrics
from .openapi import document
from .settings import Settings

# Bodies of this many bytes are answered in a thread; for smaller ones, a thread would take more time than it saves.
_LARGE = 32 << 10
_PIECE = 64 << 10
_MOST_THREADS = 4
_SERVER = {"name": "housing_np", "version": __version__, "extensions": []}


class Response(NamedTuple):
    """The response to a request."""

    body: bytes
    type: str = "application/json"
    status: int = 200


Handler = Callable[[dict[str, Any], Any, Memory], Awaitable[Response]]


def create(settings: Settings | None = None) -> Starlette:
    """Return the ASGI application of a model."""
    return Service(settings or Settings.handed_over()).app


class Service:
    """A model that is served, and its counters."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model = load(settings.model)
        self.name = Path(settings.model).stem
        training = training_of(settings.model, self.model.feature_names)
        given = ranges_of(settings.range, self.model.columns) if settings.range else None
        self.is_outside = outside(self.model, known_range(self.model, given, training.ranges if training else None))
        self.facts = Facts.of_file(settings.model, self.model, self.name, given)
        self.limits, self.metrics = Limits(settings), Metrics()
        self.threads = ThreadPoolExecutor(thread_count(_MOST_THREADS, per_thread=1))
        self.app = self._app()

    def _app(self) -> Starlette:
        of_model = f"/v2/models/{self.name}"
        texts = {
            "/": (self._page, "text/html; charset=utf-8"),
            "/ping": (lambda: b"\n", "text/plain"),
            "/health": (lambda: b"\n", "text/plain"),
            "/version": (__version__.encode, "text/plain"),
            "/metrics": (self.metrics.text, self.metrics.type),
            "/openapi.json": (lambda: _json(document(self.model, self.name, self.settings)), "application/json"),
            "/v2": (lambda: _json(_SERVER), "application/json"),
            "/v2/health/live": (lambda: _json({"live": True}), "application/json"),
            "/v2/health/ready": (lambda: _json({"ready": True}), "application/json"),
            of_model: (lambda: _json(self._metadata()), "application/json"),
            f"{of_model}/ready": (lambda: _json({"name": self.name, "ready": True}), "application/json"),
        }
        inference = {"/invocations": False, f"{of_model}/infer": True}
        # Starlette takes the first route that fits, and rows come most often.
        routes = [self._route(path, "POST", partial(self._infer, tensors)) for path, tensors in inference.items()]
        routes += [self._route(path, "GET", partial(_text, *text)) for path, text in texts.items()]
        cors = Middleware(CORSMiddleware, allow_origins=self.settings.cors, allow_headers=["*"], allow_methods=["*"])
        middleware = [cors] if self.settings.cors else []
        return Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: self._unknown})

    def _route(self, path: str, method: str, handler: "Handler") -> Route:
        return Route(path, _Endpoint(self, path, handler), methods=[method])

    async def _infer(self, tensors: bool, scope: dict[str, Any], receive: Any, memory: Memory) -> Response:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1")) if scope["query_string"] else {}
        want = wanted(
            headers.get(b"content-type", ""), headers.get(b"accept", ""), query.get("bounds", [""])[-1], tensors
        )
        encoding = headers.get(b"content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            raise RefusedError(415, f"Content-Encoding is {encoding[:80]!r}: expected gzip, or none")
        if b"inference-header-content-length" in headers:
            raise RefusedError(400, "tensors in binary are not read: send 'data' in JSON (binary_data=False)")
        body = await memory.body(scope, receive)
        with self.limits.answering():
            if len(body) < _LARGE and not body.startswith(b"\x1f\x8b"):
                made = self._reply(want, body)
            else:
                made = await asyncio.get_running_loop().run_in_executor(self.threads, self._reply, want, body)
        memory.reserve(len(made.text))
        self.metrics.rows.inc(made.rows)
        self.metrics.outside.inc(made.outside)
        return Response(made.text, made.type)

    def _reply(self, want: Wanted, body: bytes) -> Any:
        body = uncompressed(body, self.settings.max_body)
        return reply(self.model, self.name, body, want, self.settings.max_rows, self.is_outside)

    def _page(self) -> bytes:
        return self._page_text.encode()

    @cached_property
    def _page_text(self) -> str:
        against = _float_model(self.settings.model, self.model)
        return page(self.model, self.facts._replace(against=against))

    def _metadata(self) -> dict[str, Any]:
        """Return the model's metadata in the form of the Open Inference Protocol."""
        tensor = {"datatype": "FP64", "shape": [-1]}
        return {
            "name": self.name,
            "versions": [],
            "platform": "housing_np",
            "inputs": [{"name": name, **tensor} for name in self.model.feature_names],
            "outputs": [{"name": name, **tensor} for name in self.model.target_names_],
        }

    async def _unknown(self, request: Any, error: Any) -> JSONResponse:
        text = f"no such path: {request.url.path}; see /openapi.json" if error.status_code == 404 else error.detail
        if request.url.path.startswith("/v2/models/") and error.status_code == 404:
            text = f"no such model or path: {request.url.path}; the model is {self.name!r}"
        self.metrics.requests.labels("other", error.status_code).inc()
        return JSONResponse({"error": text}, error.status_code, error.headers)


class _Endpoint:
    """One route with its limits, counters and errors."""

    def __init__(self, service: Service, route: str, handler: Handler) -> None:
        self.service, self.route, self.handler = service, route, handler
        self.seconds = service.metrics.seconds.labels(route)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        start, sending = perf_counter(), False
        response = Response(b"")
        try:
            async with self.service.limits.request() as memory:
                response = await self.handler(scope, receive, memory)
                sending = True
                await _send(response, send)
        except ConnectionError:
            response = response._replace(status=499)  # the client has gone: there is no answer
        except RefusedError as refusal:
            response = self._refused(refusal)
            if not sending:
                await _send(response, send)
        self.service.metrics.requests.labels(self.route, response.status).inc()
        self.seconds.observe(perf_counter() - start)

    def _refused(self, refusal: RefusedError) -> Response:
        if refusal.status == 400:
            self.service.metrics.refused.inc()
        if self.route == "/invocations":  # as MLflow's servers say it
            return Response(
                _json({"error_code": HTTPStatus(refusal.status).name, "message": str(refusal)}), status=refusal.status
            )
        return Response(_json({"error": str(refusal)}), status=refusal.status)


async def _text(text: Callable[[], bytes], type: str, scope: dict[str, Any], receive: Any, memory: Memory) -> Response:
    return Response(text(), type)


async def _send(response: Response, send: Any) -> None:
    headers = [(b"content-type", response.type.encode()), (b"content-length", str(len(response.body)).encode())]
    if response.status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    # In pieces, because a client may read slowly until its time is over.
    for start in range(0, max(1, len(response.body)), _PIECE):
        piece, end = response.body[start : start + _PIECE], start + _PIECE
        await send({"type": "http.response.body", "body": piece, "more_body": end < len(response.body)})


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _float_model(path: str, model: Model) -> LinearRegression | None:
    """Return the float model beside a quantized one, if there is one of the same columns."""
    if model.scheme is None:
        return None
    try:
        return float_model(float_model_beside(path), model)
    except HousingError:
        return None
