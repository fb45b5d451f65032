"""What a server knows of its model: read from the files once, and handed to every worker process."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from ..checks.paths import shown_path
from ..checks.unchanged import stamp
from ..command.models import float_model, float_model_beside
from ..errors import ArtifactError, HousingError
from ..evaluation.ranges import known_range
from ..export.facts import Facts
from ..export.page import page
from ..fit.linear import LinearRegression
from ..quantized.calibration import Calibration
from ..quantized.model import Model
from ..rows.columns import Columns
from ..store.artifact import read
from ..store.report_file import ranges_of, training_of
from .notes import note
from .settings import Settings


@dataclass(frozen=True)
class Served:
    """A model, and what its files tell of it.

    Attributes
    ----------
    model : LinearRegression or QuantizedLinear
    reference : Calibration, optional
        The rows that requests are compared with.
    facts : Facts
        What its page shows.
    """

    settings: Settings
    model: Model
    reference: Calibration | None
    facts: Facts

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read the model and the files beside it.

        Raises
        ------
        HousingError
            If a file is bad, or the model is replaced while it is read.
        """
        path, before = settings.model, stamp(settings.model)
        model, content = read(path)
        given = ranges_of(settings.range, model.columns) if settings.range else None
        training = training_of(path, model.feature_names, content)
        facts = Facts.of_file(path, model, content, _name(path), given, _float_model(path, model))
        if stamp(path) != before:
            raise ArtifactError(f"{shown_path(path)}: it changed while it was read; start the server again")
        return cls(settings, model, known_range(model, given, training.ranges if training else None), facts)

    @property
    def name(self) -> str:
        """The name of the model in routes and answers."""
        return self.facts.name

    # Models make their names anew each time.
    @cached_property
    def columns(self) -> Columns:
        """The columns of the model."""
        return self.model.columns

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return tuple(self.model.target_names_)

    def page(self) -> str:
        """Return the page of the model; without the float model if that is from another training."""
        try:
            return page(self.model, self.facts)
        except HousingError as error:
            beside = shown_path(float_model_beside(self.settings.model))
            note(f"{beside} is not on the page: {error}")
            return page(self.model, self.facts._replace(against=None))


def _name(path: str) -> str:
    """Return the name of a file without its ending, as a URL can hold it; "model" for a pipe, which has a number."""
    name = "model" if path.startswith(("/dev/", "/proc/")) else Path(path).stem
    return os.fsencode(name).decode("utf-8", "replace")


def _float_model(path: str, model: Model) -> LinearRegression | None:
    """Return the float model beside a quantized one, if there is one of the same columns."""
    if model.scheme is None:
        return None
    try:
        return float_model(float_model_beside(path), model)
    except HousingError:
        return None
