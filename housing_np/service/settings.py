"""The settings of a server, which are handed to its worker processes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The model that is served, and the limits of each request.

    Attributes
    ----------
    model : str
        The path of its file.
    range : str
        Of the file whose range is told and compared with; empty for that of the model or its report.
    max_body, max_rows : int
        Bytes of a request's body, compressed or not, and rows in it.
    max_concurrent : int
        Requests that are answered at a time; others get status 503.
    timeout : float
        Seconds for a request, from its first byte to the last of its answer.
    max_connections : int
        Connections that are open at a time; others get status 503 and are closed.
    cors : tuple of str
        Origins whose pages may ask; none by default.
    hosts : tuple of str
        The names by which a request may call the server; any if there are none.
    """

    model: str
    range: str = ""
    max_body: int = 10 << 20
    max_rows: int = 100_000
    max_concurrent: int = 64
    timeout: float = 30.0
    max_connections: int = 1000
    cors: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def max_held(self) -> int:
        """The most bytes of bodies and answers in memory, of all requests together."""
        return 4 * self.max_body
