"""The settings of a server, which the command exports to its worker processes."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Self

_VARIABLE = "HOUSING_NP_SERVICE"


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
    cors : tuple of str
        Origins whose pages may ask; none by default.
    """

    model: str
    range: str = ""
    max_body: int = 10 << 20
    max_rows: int = 100_000
    max_concurrent: int = 64
    timeout: float = 30.0
    cors: tuple[str, ...] = ()

    @property
    def max_held(self) -> int:
        """The most bytes of bodies and answers in memory, of all requests together."""
        return 4 * self.max_body

    def hand_over(self) -> None:
        """Export the settings to the workers' environment."""
        os.environ[_VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def handed_over(cls) -> Self:
        """Return the settings that `hand_over` exported."""
        known = json.loads(os.environ[_VARIABLE])
        return cls(**{**known, "cors": tuple(known["cors"])})
