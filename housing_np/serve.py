"""python -m housing_np.serve: a model over HTTP."""

if __name__ == "__main__":
    from .__main__ import script

    script("serve")

import math
import os
import socket
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from .command import cli
from .command.models import DEFAULT_MODEL, default_model
from .errors import HousingError, extra
from .service.settings import Settings
from .store.signals import undone

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_QUEUE = 2048  # connections that wait to be accepted
_FILES = 64  # descriptors that are not for connections
_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def main(arguments: Sequence[str]) -> int:
    """Answer requests until a signal ends the process."""
    parser = _parser()
    options = parser.parse(arguments)
    settings = _settings(parser, options)
    _check_extra()
    from .service.served import Served

    served = Served.read(settings)  # errors of the files come before the server starts
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(options.host, options.port))
        served = replace(served, settings=replace(settings, hosts=_hosts(options, listening)))
        if options.workers > 1:  # workers add up their counts in files
            os.environ[_METRICS] = _folder(stack)
        elif not os.access(folder := os.environ.get(_METRICS, "."), os.W_OK | os.X_OK) or not Path(folder).is_dir():
            raise HousingError(f"{_METRICS} is {folder!r}: no folder that can be written; make it, or unset {_METRICS}")
        return _serve(served, listening, options.workers)


def _parser() -> cli.Parser:
    parser = cli.Parser("serve", "Answer rows over HTTP with a saved model.", "models/uint8-integer.npz --port 8080")
    parser.add_argument(
        "model", metavar="MODEL.npz", nargs="?", help=f"(default: $HOUSING_NP_MODEL or {DEFAULT_MODEL})"
    )
    parser.add_argument(
        "--host",
        default=os.environ.get("HOUSING_NP_HOST", "127.0.0.1"),
        help="address to listen on (default: $HOUSING_NP_HOST, or 127.0.0.1, this machine alone)",
    )
    parser.add_argument("--port", type=int, default=8080, help="0 for any that is free (default: 8080)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that answer (default: 1)")
    parser.add_argument(
        "--range",
        metavar="FILE",
        default="",
        help="rows, or the report.json of a training: the page shows their range, and rows outside it are counted "
        "(default: the integer model's own range, else that in the report.json beside the model)",
    )
    of = Settings("")
    limits = (
        ("--max-body", of.max_body, f"bytes of a request's body (default: {of.max_body >> 20} MiB)"),
        ("--max-rows", of.max_rows, f"rows of a request (default: {of.max_rows:,})"),
        (
            "--max-concurrent",
            of.max_concurrent,
            f"requests that a process answers at a time; others get status 503 (default: {of.max_concurrent})",
        ),
        ("--timeout", of.timeout, f"seconds that a request may take, its sending included (default: {of.timeout:g})"),
        (
            "--max-connections",
            min(of.max_connections, _most_connections(of.max_connections)),
            f"connections that a process has open at a time; others get status 503 (default: {of.max_connections:,}, "
            "or fewer where ulimit -n is low)",
        ),
    )
    for name, default, text in limits:
        parser.add_argument(name, type=type(default), default=default, metavar="N", help=text)
    parser.add_argument(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a site whose pages may ask, such as https://a.example (default: none)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which requests may call the server, in their Host (default: localhost, 127.0.0.1, "
        "[::1] and the address if the server listens on this machine alone, else any)",
    )
    return parser


def _settings(parser: cli.Parser, options: Namespace) -> Settings:
    most: dict[str, float] = {
        "workers": max(64, 4 * (os.cpu_count() or 1)),
        "max_body": 1 << 40,
        "max_rows": 1 << 40,
        "max_concurrent": 1 << 20,
        "timeout": 24 * 60 * 60,
        "max_connections": _most_connections(options.max_connections),
    }
    for name, largest in most.items():
        if not 0 < (value := getattr(options, name)) <= largest:
            parser.error(f"--{name.replace('_', '-')} is {value:.12g}: expected more than 0, and at most {largest:,}")
    if not 0 <= options.port < 1 << 16:
        parser.error(f"--port is {options.port}: expected 0 to 65535")
    limits = (options.max_body, options.max_rows, options.max_concurrent, options.timeout, options.max_connections)
    return Settings(options.model or default_model(), options.range, *limits, tuple(options.cors))


def _most_connections(wanted: int) -> int:
    """Return how many connections there are descriptors for; raise the soft limit of the system where that helps."""
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Those that wait are accepted before they can be refused, in a few turns of the event loop.
    needed = wanted + 4 * _QUEUE + _FILES
    if 0 <= soft < needed:
        soft = needed if hard < 0 else max(soft, min(hard, needed))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft < 0 else max(1, soft - _FILES)


def _hosts(options: Namespace, listening: socket.socket) -> tuple[str, ...]:
    """Return the names by which requests may call the server; none if any will do."""
    address = listening.getsockname()[0]
    allowed = [name.lower().strip("[]") for name in options.allow_host]
    if not ip_address(address).is_loopback and not allowed:
        return ()
    return tuple(dict.fromkeys([*_THIS_MACHINE, address, options.host.lower(), *allowed]))


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=_QUEUE)
        # Connections inherit it: without it, the second part of an answer waits 40 ms for an acknowledgment.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HousingError(f"cannot listen on {host}, port {port} ({reason}); give another --host or --port") from None


def _folder(stack: ExitStack) -> str:
    """Return a folder that is gone when the stack is closed, or a signal ends the process."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="housing_np-", ignore_cleanup_errors=True)
    except OSError as error:
        raise HousingError(
            f"several workers need a temporary folder that can be written ({error.strerror}); set TMPDIR"
        ) from None
    stack.enter_context(undone(folder.cleanup))
    return folder.name


def _check_extra() -> None:
    for name in ("httptools", "prometheus_client", "starlette", "uvicorn"):
        with extra("serve", f"a server needs {name}"):
            import_module(name)


def _serve(served: Any, listening: socket.socket, workers: int) -> int:
    import uvicorn

    from .service.app import create
    from .service.connection import Impatient
    from .service.workers import Workers, create_in_worker

    settings = served.settings
    config = uvicorn.Config(
        partial(create if workers == 1 else create_in_worker, served),
        factory=True,
        http=partial(Impatient, settings=settings),  # type: ignore[arg-type]
        loop="asyncio",
        ws="none",
        log_config=None,
        log_level="critical",  # the service reports its errors itself
        access_log=False,
        proxy_headers=False,
        workers=workers,
        lifespan="off",
        backlog=_QUEUE,
        timeout_graceful_shutdown=math.ceil(settings.timeout) + 1,
        server_header=False,
    )
    host, port, *_ = listening.getsockname()
    host = f"[{host}]" if ":" in host else host
    cli.note(f"{settings.model} is served at http://{host}:{port}")
    if workers == 1:
        uvicorn.Server(config).run([listening])
        return cli.DONE
    supervisor = Workers(config, [listening])
    supervisor.run()
    # Only a signal ends it; unlike a single server, it does not raise the signal again.
    sys.exit(supervisor.status)
