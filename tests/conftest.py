"""What all tests share: hypothesis's settings, and the bundled table with the model that is fitted to it."""

from typing import NamedTuple

import pytest
from hypothesis import settings

from housing_np import LinearRegression, Table, load_california

pytest.register_assert_rewrite("reading")
settings.register_profile("housing_np", deadline=None, database=None, max_examples=60)
settings.load_profile("housing_np")


class California(NamedTuple):
    """The bundled table, and the float model fitted to all of it."""

    table: Table
    model: LinearRegression


@pytest.fixture(scope="session")
def california() -> California:
    table = load_california()
    names = {"feature_names": table.feature_names, "target_names": (table.target_name,)}
    return California(table, LinearRegression().fit(table.X, table.y, **names))
