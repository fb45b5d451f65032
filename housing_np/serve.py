"""python -m housing_np.serve: a model over HTTP."""

if __name__ == "__main__":
    from .__main__ import script

    script("serve")

import os
import signal
import socket
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module

from .command import cli
from .command.models import DEFAULT_MODEL, default_model
from .errors import HousingError, extra
from .service.settings import Settings
from .store.artifact import load
from .store.report_file import ranges_of

_QUEUE = 2048  # connections that wait to be accepted


def main(arguments: Sequence[str]) -> int:
    """Answer requests until a signal ends the process."""
    parser = _parser()
    options = parser.parse(arguments)
    settings = _settings(parser, options)
    model = load(settings.model)  # errors of the files come before the server starts
    if settings.range:
        ranges_of(settings.range, model.columns)
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(options.host, options.port))
        if options.workers > 1:  # workers add up their counts in files
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(_folder())
        _serve(settings, listening, options.workers)
    return cli.DONE


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
    return parser


def _settings(parser: cli.Parser, options: Namespace) -> Settings:
    for name in ("workers", "max_body", "max_rows", "max_concurrent", "timeout"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name.replace('_', '-')} is {getattr(options, name):g}: expected more than 0")
    if not 0 <= options.port < 1 << 16:
        parser.error(f"--port is {options.port}: expected 0 to 65535")
    limits = (options.max_body, options.max_rows, options.max_concurrent, options.timeout)
    return Settings(options.model or default_model(), options.range, *limits, tuple(options.cors))


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


def _folder() -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix="housing_np-")
    except OSError as error:
        raise HousingError(
            f"several workers need a temporary folder that can be written ({error.strerror}); set TMPDIR"
        ) from None


def _serve(settings: Settings, listening: socket.socket, workers: int) -> None:
    for name in ("prometheus_client", "starlette", "uvicorn"):
        with extra("serve", f"a server needs {name}"):
            import_module(name)
    with extra("serve", "a server needs uvicorn"):
        import uvicorn
        from uvicorn.supervisors import Multiprocess
    settings.hand_over()
    config = uvicorn.Config(
        "housing_np.service.app:create",
        factory=True,
        http="housing_np.service.connection:Impatient",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        workers=workers,
        lifespan="off",
        timeout_graceful_shutdown=int(settings.timeout) + 1,
        server_header=False,
    )
    host, port, *_ = listening.getsockname()
    host = f"[{host}]" if ":" in host else host
    cli.note(f"{settings.model} is served at http://{host}:{port}")
    if workers == 1:
        return uvicorn.Server(config).run([listening])
    Multiprocess(config, [listening]).run()
    # Only a signal ends it; unlike a single server, it does not raise the signal again.
    sys.exit(128 + signal.SIGTERM)
