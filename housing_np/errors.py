"""The errors that a user can meet; each message is one line: what is wrong, where, what was expected, what to do."""


class HousingError(ValueError):
    """Wrong input: data, shapes, names or options."""


class NumbersError(HousingError, TypeError):
    """An argument holds what are no numbers."""


class TableError(HousingError):
    """A table of rows cannot be read or used."""


class ArtifactError(HousingError):
    """A model file cannot be read or trusted."""
