"""Limits on what quantization may cost, and notes where it costs too much."""

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import cut
from .deviation import Share
from .scores import Figures

LARGEST_LOSS = 0.05  # of R²; a larger one is worth a note


class Gates(NamedTuple):
    """How much worse than the float model a quantized model may be; None for no limit."""

    max_r2_drop: float | None = None
    max_deviation: float | None = None

    def failures_without_model(self) -> list[str]:
        """Return one line if there is a limit: where there is no quantized model, none is kept.

        >>> Gates(max_r2_drop=0.01).failures_without_model(), Gates().failures_without_model()
        (['no uint8 model to hold to --max-r2-drop: rescale the features and the target, or set no limit'], [])
        """
        given = [f"--{name.replace('_', '-')}" for name, limit in self._asdict().items() if limit is not None]
        what = f"no uint8 model to hold to {' and '.join(given)}: rescale the features and the target, or set no limit"
        return [what] if given else []

    def hold(self, quantized: Figures, reference: Figures) -> bool:
        """Whether no limit is broken; NaN breaks each.

        >>> Gates(max_deviation=0.1).hold(Figures(0.5, 1, 0.25, 0.1), Figures(0.5, 1, 0, 0))
        False
        """
        return not (self._is_low(quantized, reference) or self._is_far(quantized))

    def _is_low(self, quantized: Figures, reference: Figures) -> bool:
        return self.max_r2_drop is not None and not reference.r2 - quantized.r2 <= self.max_r2_drop

    def _is_far(self, quantized: Figures) -> bool:
        return self.max_deviation is not None and not quantized.largest_deviation <= self.max_deviation

    def failures(self, name: str, quantized: Figures, reference: Figures, shares: list[Share]) -> list[str]:
        """Return one line for each broken limit: by how much, and which feature has most of the error.

        >>> shares = [Share("rooms", 0.5, 0.4, 0.25, 0.1)]
        >>> float_figures, its_figures = Figures(0.5, 1, 0, 0), Figures(0.5, 1, 0.25, 0.1)
        >>> (line,) = Gates(max_deviation=0.1).failures("uint8", its_figures, float_figures, shares)
        >>> print(*line.split("; "), sep="\\n")
        uint8: the largest deviation is 0.25, over the limit 0.1
        most of the error is in the weight of rooms
        nothing is written
        """
        worst = max(shares, key=lambda share: share.refitted)
        because = f"most of the error is in the weight of {cut(worst.feature)}; nothing is written"
        drop = reference.r2 - quantized.r2
        lines = []
        if self._is_low(quantized, reference):
            lines.append(f"{name}: R² drops by {drop:.3g}, over the limit {self.max_r2_drop:g}; {because}")
        if self._is_far(quantized):
            deviation = f"{quantized.largest_deviation:.3g}"
            lines.append(
                f"{name}: the largest deviation is {deviation}, over the limit {self.max_deviation:g}; {because}"
            )
        return lines


def is_lossy(quantized: Figures, reference: Figures) -> bool:
    """Whether a quantized model is far worse than the float model, or worse than the mean of the target alone."""
    return not reference.r2 - quantized.r2 <= LARGEST_LOSS or quantized.r2 < 0 <= reference.r2


def losses(
    quantized: Mapping[str, Figures], reference: Figures, others: Mapping[str, Figures] | None = None
) -> list[str]:
    """Return one line for each quantized model that loses too much: how much, and which of the others to use instead.

    Those are by default the quantized ones; the reference is the float model.

    >>> losses({"a": Figures(-3.0, 4, 9, 2), "b": Figures(0.9, 0.1, 0.1, 0.1)}, Figures(0.95, 0.05, 0, 0))
    ['a: R² is -3, worse than the mean of the target; the float model has 0.95; take b, which has 0.9']
    """
    good = {name: each for name, each in (others or quantized).items() if not is_lossy(each, reference)}
    advice = f"no scheme loses less than {LARGEST_LOSS}: take the float model"
    if good:
        # At four bytes a weight, float32 is for where no uint8 model will do.
        best = max(good, key=lambda name: (not name.endswith("float32"), good[name].r2))
        advice = f"take {best}, which has {good[best].r2:.4g}"
    lines = []
    for name, each in quantized.items():
        if is_lossy(each, reference):
            what = f"{reference.r2 - each.r2:.2g} less than the float model's {reference.r2:.4g}"
            if not each.r2 >= 0:
                what = f"worse than the mean of the target; the float model has {reference.r2:.4g}"
            lines.append(f"{name}: R² is {each.r2:.4g}, {what}; {advice}")
    return lines
