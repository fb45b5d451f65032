"""A model as C99: a header, or a header and a source, that need no library."""

import re
from collections.abc import Callable, Sequence
from textwrap import wrap

import numpy as np

from .. import __version__
from ..errors import listed
from ..quantized.model import Model, is_quantized
from .c_columns import Row
from .c_functions import Part, Parts
from .c_text import comment, identifier, identifiers, quoted
from .facts import Facts

_BEGIN_C, _END_C = '#ifdef __cplusplus\nextern "C" {\n#endif', "#ifdef __cplusplus\n}\n#endif"


def header(model: Model, facts: Facts) -> str:
    """Return a header that needs no other file: its functions are static and inline."""
    parts = _parts(model, facts)
    return _header(model, facts, parts, _texts(parts, _inline))


def header_and_source(model: Model, facts: Facts, header_name: str) -> tuple[str, str]:
    """Return a header, and the source of its functions, which includes it by its name."""
    parts = _parts(model, facts)
    about = comment(f"The functions of {quoted(header_name)}, which says what they do.")
    source = [about, f'#include "{header_name}"', *named(_texts(parts, _defined), facts)]
    return _header(model, facts, parts, [_BEGIN_C, *_texts(parts, _declared), _END_C]), _joined(source)


def renamed(facts: Facts) -> list[str]:
    """Return notes on the names that are not identifiers in C, and were changed."""
    row = row_of(facts)
    prefix, levels = row.prefix, row.level_features()
    constants = [
        f"{quoted(name)} is {constant}"
        for kind, names in _enumerated(facts).items()
        for name, constant in zip(names, _constants(kind, names, facts), strict=True)
        if not constant.endswith(f"_{kind.upper()}_{name}") and name not in levels
    ]
    fields = [f"{quoted(name)} is {field}" for name, field in row.renamed_fields().items()]
    of_levels = [f"{quoted(name)} is {prefix.upper()}_LEVEL_{level}" for name, level in row.renamed_levels().items()]
    notes = [f"the functions of {quoted(facts.name)} begin with {prefix}_"] if prefix != facts.name else []
    notes += [f"as constants of C, {', '.join(constants)}"] if constants else []
    notes += [f"as fields of C's struct, {listed(fields)}"] if fields else []
    return [*notes, f"as levels in C, {listed(of_levels)}"] if of_levels else notes


def row_of(facts: Facts) -> Row:
    """Return how the user's columns are named."""
    return Row.of(facts, _prefix(facts))


def _parts(model: Model, facts: Facts) -> Parts:
    """Return the parts of a model, with those for its columns if these are not plain numbers."""
    parts = Parts.of(model)
    if facts.columns.is_plain:
        return parts
    row = row_of(facts)
    if parts.whole:
        return parts._replace(whole=[*parts.whole, *row.lookups()], real=[*parts.real, *row.encoding()])
    return parts._replace(real=[*parts.real, *row.lookups(), *row.encoding()])


def _header(model: Model, facts: Facts, parts: Parts, functions: Sequence[str]) -> str:
    counts = [f"#define @FEATURES {len(facts.features)}", f"#define @TARGETS {len(facts.targets)}"]
    before = ["#ifndef @H\n#define @H", "#include <stdint.h>", "\n".join([*counts, *parts.macros])]
    constants = [_enumeration(kind, model, facts) for kind in _enumerated(facts)]
    texts = [*constants, *_rows(facts), *named([*functions, "#endif"], facts)]
    return _joined([_about(model, facts), *named(before, facts), *texts])


def _rows(facts: Facts) -> list[str]:
    """Return the types of a row in the user's columns; none where these are the features."""
    if facts.columns.is_plain:
        return []
    row = row_of(facts)
    known = {name: _unit(facts, name) + _range(facts, i) for i, name in enumerate(facts.features)}
    return [*map(row.enumeration, row.constants), row.struct(known)]


def _joined(texts: Sequence[str]) -> str:
    return "\n\n".join(texts) + "\n"


def named(texts: Sequence[str], facts: Facts) -> list[str]:
    """Return parts of the program with the model's name inserted; they must not contain names of the user."""
    prefix = f"{_prefix(facts)}_"
    return [re.sub("@(?=[A-Z])", prefix.upper(), text).replace("@", prefix) for text in texts]


def _prefix(facts: Facts) -> str:
    """Return what the functions begin with, before an underscore."""
    plain = identifier(facts.name, "model")
    return f"model_{plain}" if plain[0].isdigit() else plain


def _texts(parts: Parts, write: Callable[[Part], str]) -> list[str]:
    """Return the parts, each written by one of the three functions below."""
    whole, real = (list(filter(None, map(write, each))) for each in (parts.whole, parts.real))
    # The functions of integers compile alone too.
    return [*whole, "#ifndef @NO_DOUBLE", *real, "#endif /* @NO_DOUBLE */"] if whole else real


def _declared(part: Part) -> str:
    return "" if isinstance(part, str) else f"{comment(*wrap(part.doc, 100))}\n{part.signature};"


def _defined(part: Part) -> str:
    return part if isinstance(part, str) else f"{part.signature} {{\n{part.body}}}"


def _inline(part: Part) -> str:
    return part if isinstance(part, str) else f"{comment(*wrap(part.doc, 100))}\nstatic inline {_defined(part)}"


def _about(model: Model, facts: Facts) -> str:
    targets = ", ".join(quoted(name) + _unit(facts, name) for name in facts.targets)
    return comment(
        f"{quoted(facts.name)}: a linear model of {targets}",
        "",
        f"scheme   {facts.scheme}, {model.payload_bytes} bytes of numbers",
        f"SHA-256  {facts.sha256}, of the model's file",
        f"made by  housing_np {__version__}; make it again rather than change it",
    )


def _unit(facts: Facts, name: str) -> str:
    # Escaped like a name, for a comment; without the quotes.
    return f" in {quoted(facts.units[name])[1:-1]}" if name in facts.units else ""


def _range(facts: Facts, i: int) -> str:
    return "" if facts.low is None or facts.high is None else f", from {facts.low[i]:.6g} to {facts.high[i]:.6g}"


def _steps(model: Model, i: int) -> str:
    """Return the formula from a uint8 input to the feature."""
    if not is_quantized(model) or model.input_scale is None or model.input_offset is None:
        return ""
    return f": {model.input_offset[i]} + {model.input_scale[i]!s} * uint8"


def _enumerated(facts: Facts) -> dict[str, tuple[str, ...]]:
    """Return the names that get constants: the features, and the targets if there are several."""
    return {"feature": facts.features} | ({"target": facts.targets} if len(facts.targets) > 1 else {})


def _constants(kind: str, names: Sequence[str], facts: Facts) -> list[str]:
    return identifiers(names, f"{_prefix(facts).upper()}_{kind.upper()}_")


def _enumeration(kind: str, model: Model, facts: Facts) -> str:
    names = _enumerated(facts)[kind]
    levels, lines = _level_features(model, facts), []
    for i, (name, constant) in enumerate(zip(names, _constants(kind, names, facts), strict=True)):
        known = _unit(facts, name) + (f"{_range(facts, i)}{_steps(model, i)}" if kind == "feature" else "")
        known = levels.get(name, known)
        comma = "," if i < len(names) - 1 else ""
        lines.append(f"    {constant} = {i}{comma} /* {quoted(name)}{known} */")
    return "\n".join([f"/* The place of each {kind}, and what is known of it. */", "enum {", *lines, "};"])


def _level_features(model: Model, facts: Facts) -> dict[str, str]:
    """Return what is known of each feature that is 1 for a level, by its name; also what 0 and 1 are in uint8."""
    levels = dict.fromkeys(row_of(facts).level_features(), ": 1 for its level, else 0")
    if levels and is_quantized(model) and model.input_scale is not None:
        zeros, ones = model.quantize_input(np.outer([0.0, 1.0], np.ones(len(facts.features)))).tolist()
        for name, zero, one in zip(facts.features, zeros, ones, strict=True):
            if name in levels:
                levels[name] += f"; in uint8 {one}, else {zero}"
    return levels
