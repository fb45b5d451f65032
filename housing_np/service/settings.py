"""What a server is told: by the command, and by it to each of its worker processes."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Self

_VARIABLE = "HOUSING_NP_SERVICE"


@dataclass(frozen=True)
class Settings:
    """What is served, and the limits of each request.

    Attributes
    ----------
    model : str
        The path of its file.
    range : str
        Of the file whose ranges count as seen; empty for the model's own.
    max_body, max_rows : int
        Bytes of a request's body, compressed or not, and rows in it.
    max_concurrent : int
        Requests that are answered at a time; to more, the server says that it is busy.
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
        """Bytes of all bodies and answers that are in memory at a time."""
        return 4 * self.max_body

    def hand_over(self) -> None:
        """Leave the settings where the worker processes look."""
        os.environ[_VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def handed_over(cls) -> Self:
        """Return what `hand_over` left."""
        known = json.loads(os.environ[_VARIABLE])
        return cls(**{**known, "cors": tuple(known["cors"])})
