"""Several processes that answer at one port, all with what the first process has read."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from ..command.statuses import BAD_INPUT
from .app import Service, create
from .notes import report
from .served import Served

_MERCY = 5  # seconds


class Workers(Multiprocess):
    """uvicorn's supervisor; `status` is the exit status once it has run."""

    status = BAD_INPUT  # a worker that cannot start ends all

    def init_processes(self) -> None:
        """Start the workers."""
        with _interrupt_blocked():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died."""
        with _interrupt_blocked():
            super().keep_subprocess_alive()

    def join_all(self) -> None:
        """Wait for the workers; one that does not end in its time is killed."""
        for worker in self.processes:
            worker.process.join((self.config.timeout_graceful_shutdown or 0) + _MERCY)
            if worker.process.is_alive():
                worker.kill()
                worker.join()

    def handle_int(self) -> None:
        """End as Ctrl-C asks."""
        self.status = 128 + signal.SIGINT
        super().handle_int()

    def handle_term(self) -> None:
        """End as SIGTERM asks."""
        self.status = 128 + signal.SIGTERM
        super().handle_term()


def create_in_worker(served: Served) -> Service:
    """Return the application of a worker, which ends with the process that started it."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        return create(served)
    except Exception as error:
        report(error, "a worker cannot start")
        sys.exit(STARTUP_FAILURE)  # the supervisor starts no other one


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Let Ctrl-C wait: a worker inherits this, and has no traceback if it comes while modules are imported."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Its start unblocks Ctrl-C: later it would do so for the workers.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
