"""The columns of a user's table in C: an enum for each category, a struct for a row, and functions to its features."""

from typing import NamedTuple, Self

from ..rows.columns import MISSING, Columns
from .c_functions import Function, Part
from .c_text import apart, double, fields, identifier, literal, quoted, wrapped
from .facts import Facts


class Row(NamedTuple):
    """How the columns of a model are named in C."""

    columns: Columns
    fields: dict[str, str]  # the field of each column in the struct
    constants: dict[str, list[str]]  # what the constants of each category's levels end in
    prefix: str  # what the functions begin with, before an underscore; macros in capitals

    @classmethod
    def of(cls, facts: Facts, prefix: str) -> Self:
        """Return the names; those of fields differ from macros."""
        columns = facts.columns
        of_columns = dict(zip(columns.names, fields(columns.names, f"{prefix.upper()}_"), strict=True))
        return cls(columns, of_columns, _constants(columns), prefix)

    def renamed_fields(self) -> dict[str, str]:
        """Return the fields that are not called as their columns, by these; none where there is no struct."""
        return {} if self.columns.is_plain else {name: field for name, field in self.fields.items() if name != field}

    def renamed_levels(self) -> dict[str, str]:
        """Return what the constants end in of levels that are not called so, by column=level."""
        return {
            f"{name}={level}": constant
            for name, constants in self.constants.items()
            for level, constant in zip(self.columns.levels[name], constants, strict=True)
            if level != MISSING and constant != f"{name}_{level}"
        }

    def level_features(self) -> list[str]:
        """Return the names of the features that are 1 for a level, else 0."""
        return [feature for name in self.constants for feature in self.columns.features_of(name)]

    def lookups(self) -> list[Part]:
        """Return a function for each category, which takes no float: a text to the level."""
        found: list[Part] = [_FIND] if self.constants else []
        return [*found, *map(self._lookup, self.constants)]

    def _lookup(self, name: str) -> Function:
        field, levels = self.fields[name], self.columns.levels[name]
        doc = f"The level of {field} with this text in UTF-8, without blanks around it; @UNKNOWN_{field} for others."
        missing = ""
        if MISSING in levels:
            level = f"@LEVEL_{self.constants[name][levels.index(MISSING)]}"
            doc += f" No text, or an empty one, is {level}."
            missing = f"    if (!text || !*text) {{\n        return {level};\n    }}\n"
        texts = wrapped(list(map(literal, levels))).replace("\n", "\n    ")
        body = (
            f"{missing}    static const char *const texts[{len(levels)}] = {{\n        {texts}\n    }};\n"
            f"    return (enum @level_{field})@find(text, texts, {len(levels)});\n"
        )
        return Function(doc, f"enum @level_{field} @find_{field}(const char *text)", body)

    def encoding(self) -> list[Part]:
        """Return the function from a row to its features, and what it calls."""
        private: list[Part] = [_NUMBER] if len(self.constants) < len(self.fields) else []
        private += [_LEVEL] if self.constants else []
        places = self.columns.places.items()
        lines = [f"    unknown += {self._encoded(name)}, &x[{place.start}]);" for name, place in places]
        body = "\n".join(["    int unknown = 0;", *lines, "    return unknown;"]) + "\n"
        return [*private, Function(_ENCODE_DOC, "int @encode(const struct @row *row, double x[@FEATURES])", body)]

    def _encoded(self, name: str) -> str:
        """Return the call for one column, without its last argument."""
        cell = f"row->{self.fields[name]}"
        if name in self.constants:
            return f"@level((int){cell}, {len(self.constants[name])}"
        if name in self.columns.fills:
            return f"@number({cell} == {cell} ? {cell} : {double(self.columns.fills[name])}"
        return f"@number({cell}"

    def enumeration(self, name: str) -> str:
        """Return the enum of a category's levels."""
        macros, levels = self.prefix.upper(), self.columns.levels[name]
        lines = [f"    {macros}_UNKNOWN_{self.fields[name]} = -1, /* none of them: its features are NaN */"]
        for i, (level, constant) in enumerate(zip(levels, self.constants[name], strict=True)):
            comma, about = "," if i < len(levels) - 1 else "", ", for a missing cell" if level == MISSING else ""
            about = ", the baseline" + about if i == 0 else about
            lines.append(f"    {macros}_LEVEL_{constant} = {i}{comma} /* {quoted(level)}{about} */")
        head = f"/* The levels of {quoted(name)}. */\nenum {self.prefix}_level_{self.fields[name]} {{"
        return "\n".join([head, *lines, "};"])

    def struct(self, known: dict[str, str]) -> str:
        """Return the struct of a row; what is known of a column of numbers is said beside it."""
        lines = [self._declared(name, known.get(name, "")) for name in self.columns.names]
        about = f"/* A row in the columns of the user's table: {self.prefix}_encode makes features of it. */"
        return "\n".join([about, f"struct {self.prefix}_row {{", *lines, "};"])

    def _declared(self, name: str, known: str) -> str:
        field = self.fields[name]
        if name in self.constants:
            known = f", one of {len(self.constants[name])} levels"
            return f"    enum {self.prefix}_level_{field} {field}; /* {quoted(name)}{known} */"
        fill = self.columns.fills.get(name)
        missing = "" if fill is None else f"; NaN, for a missing cell, counts as {double(fill)}"
        return f"    double {field}; /* {quoted(name)}{known}{missing} */"

    def cell(self, name: str, value: float) -> str:
        """Return the initializer of a field: for a number, or the position of a level."""
        if name in self.constants:
            return f"{self.prefix.upper()}_LEVEL_{self.constants[name][int(value)]}"
        return "(double)NAN" if value != value else double(value)


def _constants(columns: Columns) -> dict[str, list[str]]:
    """Return what the constants of each category's levels end in, all apart: two categories may meet in one name."""
    # In the order of the columns, which a file keeps.
    names = {name: f"x{i}" for i, name in enumerate(columns.names) if name in columns.levels}
    levels = [(name, i, level) for name in names for i, level in enumerate(columns.levels[name])]
    wanted = [f"{identifier(name, names[name])}_{identifier(level, str(i))}" for name, i, level in levels]
    stay = [each == f"{name}_{level}" for each, (name, _, level) in zip(wanted, levels, strict=True)]
    found: dict[str, list[str]] = {name: [] for name in names}
    for (name, _, _), constant in zip(levels, apart(wanted, stay), strict=True):
        found[name].append(constant)
    return found


_ENCODE_DOC = (
    "Write the features of a row, and return how many of its columns the model cannot use: 0 if all is well. The "
    "features of a level that is not in its enum are NaN; NaN without a fill, and infinity, stay. Each counts: the "
    "prediction is not finite then, and Python refuses the row."
)
_FIND = """\
static inline int @find(const char *text, const char *const *texts, int count) {
    for (int i = 0; i < count; i++) {
        const char *a = text, *b = texts[i];
        while (a && b && *a && *a == *b) {
            a++;
            b++;
        }
        if (a && b && *a == *b) {
            return i;
        }
    }
    return -1;
}"""
_NUMBER = """\
static inline int @number(double value, double *x) {
    *x = value;
    return !(value - value == 0.0); /* NaN or infinity */
}"""
_LEVEL = """\
/* A feature of 0 and 1 for each level but the first; NaN for all where the level is none of them. */
static inline int @level(int level, int levels, double *x) {
    volatile double largest = DBL_MAX;
    int is_known = level >= 0 && level < levels;
    for (int i = 1; i < levels; i++) {
        x[i - 1] = !is_known ? largest * 2.0 - largest * 2.0 : level == i ? 1.0 : 0.0;
    }
    return !is_known;
}"""
