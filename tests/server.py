"""A server that tests talk to over real sockets, and the memory that its process takes."""

import contextlib
import signal
import socket
import subprocess
from pathlib import Path

from running import command, environment


class Server:
    """A running server: its address, and its process."""

    def __init__(self, process, url):
        self.process, self.url = process, url
        host, port = url.removeprefix("http://").rsplit(":", 1)
        self.address = host.strip("[]"), int(port)

    def connect(self, head=b"", receives=None):
        """A connection to it, over which some bytes have been sent, with a buffer for so many of its answers."""
        client = socket.socket()
        client.settimeout(30)
        if receives:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        try:
            client.connect(self.address)
            client.sendall(head)
        except OSError:
            client.close()
            raise
        return client

    def descriptors(self):
        """How many files and connections it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def reset_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def memory(self, of="VmHWM"):
        """MiB of memory, by default the most since the peak was reset."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(of)) / 1024

    @contextlib.contextmanager
    def growth(self, most):
        """Fails if the peak of memory within the block is so many MiB above what there was before."""
        self.reset_peak()
        before = self.memory("VmRSS")
        yield
        assert self.memory() - before < most


@contextlib.contextmanager
def served(*arguments, cwd, stop=signal.SIGTERM, says="", prefix=(), env=None):
    """A server, while it runs; it ends by a signal, with the status of that, and has said nothing, or one line.

    With None it may have said anything.
    """
    process = subprocess.Popen(
        [*prefix, *command("serve", *map(str, arguments), "--port", "0")],
        cwd=cwd,
        env=environment(**env or {}),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        note = process.stderr.readline()
        assert " is served at http://" in note, note + process.stderr.read()
        yield Server(process, note.split(" is served at ")[1].strip())
        process.send_signal(stop)
        assert process.wait(30) == 128 + stop
        said = process.stderr.read()
        assert says is None or (said.startswith(says) and said.count("\n") == bool(says)), said
    finally:
        process.kill()
        process.communicate()


def answer(client):
    """All that a server sends until it ends the connection."""
    with contextlib.suppress(ConnectionError):
        return b"".join(iter(lambda: client.recv(1 << 16), b""))
    return b""
