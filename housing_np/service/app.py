"""The routes of a server: MLflow's, those of the Open Inference Protocol, and the page of the model."""

import asyncio
import errno
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from functools import cache, lru_cache, partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from .. import __version__
from ..evaluation.ranges import outside
from .answering import Reply, is_large, is_tiny, reply, uncompressed
from .limits import Limits, Memory, unless_gone
from .metrics import Metrics
from .notes import note, report
from .openapi import document, input_tensors, output_tensors
from .served import Served
from .wanted import RefusedError, Wanted, wanted

_PIECE = 64 << 10
_LONGEST = 4 << 10  # bytes of a header that are looked at: all 64 KiB of a head would take a while
_SERVER = {"name": "housing_np", "version": __version__, "extensions": []}
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Response(NamedTuple):
    """The response to a request."""

    body: bytes | bytearray
    type: str = "application/json"
    status: int = 200


Handler = Callable[[dict[str, Any], Any, Memory], Awaitable[Response]]


def create(served: Served) -> "Service":
    """Return the ASGI application of a model; errors of the running event loop become one line each."""
    asyncio.get_running_loop().set_exception_handler(_loop_error)
    gc.collect()
    gc.freeze()  # what is there now stays, and need not be searched again
    sys.setswitchinterval(0.001)  # seconds that the event loop waits for a thread: five times less than usual
    return Service(served)


class Service:
    """The ASGI application of a model, with its limits and counters."""

    def __init__(self, served: Served) -> None:
        self.served, self.settings = served, served.settings
        self.is_outside = outside(served.model, served.reference)
        self.limits, self.metrics = Limits(self.settings), Metrics()
        self.endpoints: dict[tuple[str, str], _Endpoint] = {}
        self.starlette = self._starlette()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer a request at the very path of an endpoint; Starlette has all others, and all where CORS matters."""
        endpoint = None if self.settings.cors else self.endpoints.get((scope["method"], scope["path"]))
        await (endpoint or self.starlette)(scope, receive, send)

    def _starlette(self) -> Starlette:
        of_model = f"/v2/models/{self.served.name}"
        texts = {
            "/ping": (lambda: b"\n", "text/plain"),
            "/health": (lambda: b"\n", "text/plain"),
            "/version": (__version__.encode, "text/plain"),
            "/metrics": (self.metrics.text, self.metrics.type),
            "/v2": (lambda: _json(_SERVER), "application/json"),
            "/v2/health/live": (lambda: _json({"live": True}), "application/json"),
            "/v2/health/ready": (lambda: _json({"ready": True}), "application/json"),
            f"{of_model}/ready": (lambda: _json({"name": self.served.name, "ready": True}), "application/json"),
        }
        documents = {
            "/": (lambda: self.served.page().encode(), "text/html; charset=utf-8"),
            "/openapi.json": (lambda: _json(document(self.served)), "application/json"),
            of_model: (lambda: _json(self._metadata()), "application/json"),
        }
        inference = {"/invocations": False, f"{of_model}/infer": True}
        routes = [self._route(path, "POST", partial(self._infer, tensors)) for path, tensors in inference.items()]
        routes += [self._route(path, "GET", partial(_text, *text)) for path, text in texts.items()]
        routes += [self._route(path, "GET", _Document(self.limits, *each)) for path, each in documents.items()]
        cors = Middleware(CORSMiddleware, allow_origins=self.settings.cors, allow_headers=["*"], allow_methods=["*"])
        middleware = [cors] if self.settings.cors else []
        return Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: self._unknown})

    def _route(self, path: str, method: str, handler: Handler) -> Route:
        # A parameter, because the name of a file may hold what Starlette would take for one.
        pattern = path.replace(f"/v2/models/{self.served.name}", "/v2/models/{model}", 1)
        endpoint = self.endpoints[method, path] = _Endpoint(self, path, handler)
        return Route(pattern, endpoint, methods=[method])

    async def _infer(self, tensors: bool, scope: dict[str, Any], receive: Any, memory: Memory) -> Response:
        headers = dict(scope["headers"])
        query = parse_qs(scope["query_string"].decode("latin-1")) if scope["query_string"] else {}
        content_type, accept = (
            headers.get(name, b"")[:_LONGEST].decode("latin-1") for name in (b"content-type", b"accept")
        )
        want = wanted(content_type, accept, query.get("bounds", [""])[-1], tensors)
        encoding = headers.get(b"content-encoding", b"identity").lower()
        if encoding not in (b"identity", b"gzip"):
            told = encoding[:80].decode("latin-1")
            raise RefusedError(415, f"Content-Encoding is {told!r}: expected gzip, or none")
        if b"inference-header-content-length" in headers:
            raise RefusedError(400, "tensors in binary are not read: send 'data' in JSON (binary_data=False)")
        body = await memory.body(headers, receive)
        if is_tiny(self.served, body):
            made = reply(self.served, body, want, self.is_outside, partial(memory.reserve_more, len(body)))
        else:
            with self.limits.answering():
                work = partial(self._reply, want, body, memory)
                made = await unless_gone(receive, self.limits.in_thread(work, memory, is_large(body)))
        memory.reserve(len(made.text))
        self.metrics.rows.inc(made.rows)
        if made.outside:
            self.metrics.outside.inc(made.outside)
        return Response(made.text, made.type)

    def _reply(self, want: Wanted, body: bytes, memory: Memory) -> Reply:
        if is_large(body):
            # A reader's closures refer to themselves: what the last request left is freed before this one takes more.
            gc.collect()
        sent = len(body)
        body = uncompressed(body, self.settings.max_body, lambda size: memory.reserve_more(sent, size))
        held = len(body) if len(body) == sent else sent + len(body)
        return reply(self.served, body, want, self.is_outside, partial(memory.reserve_more, held))

    def _metadata(self) -> dict[str, Any]:
        """Return the model's metadata in the form of the Open Inference Protocol."""
        return {
            "name": self.served.name,
            "versions": [],
            "platform": "housing_np",
            "inputs": input_tensors(self.served.model),
            "outputs": output_tensors(self.served.model),
        }

    async def _unknown(self, request: Any, error: Any) -> JSONResponse:
        path = request.scope["path"]
        text = f"no such path: {path}; see /openapi.json"
        if error.status_code == 405:
            text = f"{path} takes no {request.method}; expected {error.headers['Allow']}"
        elif path.startswith("/v2/models/"):
            text = f"no such model or path: {path}; the model is {self.served.name!r}"
        self.metrics.requests.labels("other", error.status_code).inc()
        return JSONResponse(_told(path, error.status_code, text), error.status_code, error.headers)


class _Endpoint:
    """One route with its limits, counters and errors."""

    def __init__(self, service: Service, route: str, handler: Handler) -> None:
        self.service, self.route, self.handler = service, route, handler
        self.requests = cache(partial(service.metrics.requests.labels, route))
        self.seconds = service.metrics.seconds.labels(route)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        served = self.service.served
        if scope.get("path_params", {}).get("model", served.name) != served.name:
            raise HTTPException(404)
        start, sending = perf_counter(), False
        response = Response(b"")
        try:
            with Memory(self.service.limits) as memory:
                async with asyncio.timeout(self.service.settings.timeout):
                    _check_host(scope, self.service.settings.hosts)
                    response = await self.handler(scope, receive, memory)
                    sending = True
                    await _send(response, send)
        except ConnectionError:
            response = response._replace(status=499)  # the client has gone: there is no answer
        except Exception as error:
            response = self._refused(self._refusal(error))
            if not sending:
                await _send(response, send)
        self.requests(response.status).inc()
        self.seconds.observe(perf_counter() - start)

    def _refusal(self, error: Exception) -> RefusedError:
        if isinstance(error, RefusedError):
            return error
        if isinstance(error, TimeoutError):
            return RefusedError(408, f"the request took more than {self.service.settings.timeout:g} seconds")
        if isinstance(error, MemoryError):
            return RefusedError(503, "the server has no memory left; send fewer rows at a time, or try again")
        report(error, self.route)
        return RefusedError(500, "the server failed at this request, and says more on its stderr")

    def _refused(self, refusal: RefusedError) -> Response:
        if refusal.is_for_rows:
            self.service.metrics.refused.inc()
        return Response(_json(_told(self.route, refusal.status, str(refusal))), status=refusal.status)


class _Document:
    """A text that is made once, in a thread: with many columns it takes some time."""

    def __init__(self, limits: Limits, make: Callable[[], bytes], type: str) -> None:
        self.limits, self.make, self.type = limits, make, type
        self.text: bytes | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, memory: Memory) -> Response:
        if self.text is None:
            with self.limits.answering():
                self.text = await self.limits.in_thread(self.make, memory)
        return Response(self.text, self.type)


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


def _check_host(scope: dict[str, Any], allowed: tuple[str, ...]) -> None:
    """Refuse a request under a foreign name: a page of that name could read the answer (DNS rebinding)."""
    if not allowed:
        return
    given = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    if _host(given) not in allowed:
        known = ", ".join(allowed)
        raise RefusedError(421, f"Host is {given[:80]!r}: expected {known}; the server allows no other")


@lru_cache(64)
def _host(given: str) -> str | None:
    try:
        return urlsplit(f"//{given}").hostname
    except ValueError:
        return None


def _loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _USED_UP:
        note(f"no new connections for a second: {error.strerror}; lower --max-connections, or raise ulimit -n")
    else:
        note(f"{context['message']} ({type(error).__name__})")


def _told(path: str, status: int, text: str) -> dict[str, str]:
    """Return what is told of an error: as MLflow's servers say it at their path, else as the protocol has it."""
    return {"error_code": HTTPStatus(status).name, "message": text} if path == "/invocations" else {"error": text}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
