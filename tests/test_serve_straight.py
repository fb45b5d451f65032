"""The straight way of a small request gives the answer, or the refusal, that the readers of files lead to."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from housing_np import LinearRegression, QuantizedLinear
from housing_np.evaluation.ranges import outside
from housing_np.rows.columns import Columns
from housing_np.service.answering import reply
from housing_np.service.settings import Settings
from housing_np.service.straight import straight
from housing_np.service.wanted import RefusedError, wanted

NAMES = [("rooms", "age"), ("x0", "x1"), ("x1", "x0"), ("# x1", "b"), ("features", "data"), ("inputs", "b"), ("age",)]
FEW = st.integers(-99, 99) | st.floats(-1e3, 1e3)
PLAIN = st.one_of(st.integers(-(2**53), 2**53), st.floats(width=64), st.sampled_from([0.1, -0.0, 5e-324, 1e300]))
CELLS = st.one_of(PLAIN, st.sampled_from([True, None, "1", "near", 2**53 + 1, 10**400, [1.0], [], {"a": 1}]))


def served(names, scheme=None, targets=1, columns=None, max_rows=5):
    names = columns.feature_names if columns else names
    X = np.random.default_rng(0).normal(size=(40, len(names)))
    y = X @ np.arange(1.0, 1 + len(names) * targets).reshape(len(names), targets)
    of = {"feature_names": names, "target_names": tuple("yz"[:targets])}
    model = LinearRegression().fit(X, y if targets > 1 else y[:, 0], **of)
    if columns:
        model = LinearRegression.from_coefficients(model.coef_, model.intercept_, names, of["target_names"], columns)
    model = QuantizedLinear.from_linear(model, X, scheme=scheme) if scheme else model
    settings = Settings("", max_rows=max_rows)
    return SimpleNamespace(model=model, name="m", settings=settings, columns=model.columns, targets=of["target_names"])


SERVED = [
    *map(served, NAMES),
    served(NAMES[0], "integer"),
    served(NAMES[0], "per-channel", targets=2),
    served((), columns=Columns(("rooms", "age"), fills={"age": 3.0})),
    served((), columns=Columns(("rooms", "age"), levels={"age": ("near", "1")})),
]


def outcome(service, body, accept="", query="", tensors=False, charset="utf-8"):
    """The answer to a request, or how it is refused."""
    want = wanted(f"application/json; charset={charset}", accept, query, tensors)
    try:
        return reply(service, body, want, outside(service.model, None))
    except RefusedError as error:
        return error.status, str(error), error.is_for_rows


def same(service, body, *how):
    # Another name of the encoding is no matter of the straight way.
    assert outcome(service, body, *how) == outcome(service, body, *how, charset="utf_8")


@st.composite
def documents(draw, names, cells):
    """JSON in one of the known forms, or nearly so."""
    keys = draw(st.permutations(names) if draw(st.integers(0, 4)) == 0 else st.just(names))
    keys = [*keys, *draw(st.sampled_from([*[[]] * 6, ["more"]]))]
    n = draw(st.integers(0, 6))
    rows = [[draw(cells) for _ in keys] for _ in range(n)]
    if draw(st.integers(0, 9)) == 0 and rows:
        rows[-1] = rows[-1][:-1]
    objects = [dict(zip(keys, row, strict=False)) for row in rows]
    columns = {key: [row[i] for row in rows if i < len(row)] for i, key in enumerate(keys)}
    some = draw(st.sampled_from([rows, rows, objects, objects, [*rows, *objects]]))
    split = {"columns": keys, "data": rows}
    tensor = {"name": "a", "shape": [n, len(keys)], "datatype": "FP64", "data": rows}
    tensors = [{"name": k, "shape": [n], "datatype": "FP64", "data": v} for k, v in columns.items()]
    outputs = draw(st.sampled_from([{}, {"outputs": [{"name": "y"}]}, {"outputs": [{"name": "no"}]}, {"outputs": 1}]))
    return draw(
        st.sampled_from(
            [
                *(some, objects[:1], objects[0] if objects else [], columns, split),
                *({"dataframe_split": split}, {"dataframe_split": split | {"index": [*range(n)]}}),
                *({key: some} for key in ("dataframe_records", "instances", "inputs", "input_data", "data")),
                *({"inputs": columns}, {"instances": [{"features": row} for row in rows]}),
                *({"inputs": [tensor], "id": "7"} | outputs, {"inputs": tensors} | outputs),
            ]
        )
    )


@given(data=st.data())
def test_a_request_has_one_answer_whichever_way_it_goes(data):
    service = data.draw(st.sampled_from(SERVED))
    cells = data.draw(st.sampled_from([FEW, FEW, FEW, PLAIN, CELLS]))
    document = data.draw(documents(service.columns.names, cells))
    text = json.dumps(document, indent=data.draw(st.sampled_from([None, 1])))
    text += data.draw(st.sampled_from([*["", "\n", " "] * 3, "\xa0", "]"]))
    query = data.draw(st.sampled_from(["", "true"]))
    accept = data.draw(st.sampled_from(["", "text/csv; header=absent", "application/x-ndjson"]))
    same(service, text.encode(), accept, query, data.draw(st.booleans()))


@given(st.text('[]{}:,"\\ae1-.0 \n\ufefftrue', max_size=40).map(str.encode) | st.binary(max_size=12))
@example(b'[{"rooms": 1, "age": 2, "age": 3}]')
@example(b'{"inputs": [[1, 2]], "inputs": [[3, 4]]}')
@example(b"[[1, 2]]\x00")
@example(b"[[1, NaN]]")
@example(b"[[1, 1e999]]")
@example(b"[" * 100_000)
@example(b"[[1, 2]]" + b" " * 70_000)
@example("[[1, 2]]".encode("utf-16-le"))
@example("\ufeff[[1, 2]]".encode())
@example(b"[[01, 2]]")
@example(b"[[" + b"1" * 5000 + b", 2]]")
def test_what_is_hardly_json_is_refused_alike(body):
    same(SERVED[0], body)


DOUBTFUL = [
    *(
        "[[true, 2]]",
        '[["1", 2]]',
        "[[null, 2]]",
        "[[9007199254740993, 2]]",
        "[[1e300, 2]]",
        "[[-0, 0.0]]",
        "[[], [1, 2]]",
    ),
    *(
        "[]",
        '[{"x1": 1, "x0": 2}]',
        '[{"age": 1, "rooms": 2}, [1, 2]]',
        '{"features": 1, "data": 2}',
        "[[1, 2, 3]]",
        "[3]",
    ),
    *('{"columns": ["age", "rooms"], "data": [[1, 2]]}', '{"data": [[1, 2]]}', '[{"rooms": 1, "age": 2, "more": 3}]'),
    '{"columns": ["a", "a"], "data": [{"rooms": 1, "age": 2}]}',
    *('[{"rooms": 1, "age": 2, "features": [3, 4]}]', '[{"rooms": 1, "age": 2, "rooms": 1}]'),
    *('{"schema": {"fields": [], "primaryKey": ["age"]}, "data": [{"rooms": 1, "age": 2}]}', '{"inputs": 5, "b": 1}'),
]


@pytest.mark.parametrize("service", SERVED, ids=lambda service: str(service.columns.names))
def test_what_may_be_doubtful_has_one_answer_for_each_model(service):
    for body in [*DOUBTFUL, "[[1, 2]]"]:
        same(service, body.encode())
        same(service, body.encode(), "", "", True)


FORMS = [
    lambda names, rows: rows,
    lambda names, rows: [dict(zip(names, row, strict=True)) for row in rows],
    lambda names, rows: {"dataframe_split": {"columns": names, "data": rows}},
    lambda names, rows: {"dataframe_records": [dict(zip(names, row, strict=True)) for row in rows]},
    lambda names, rows: {"instances": rows},
    lambda names, rows: {"inputs": [dict(zip(names, row, strict=True)) for row in rows]},
    lambda names, rows: {"inputs": [{"name": "in", "shape": [len(rows), 2], "datatype": "FP64", "data": rows}]},
]


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_of_common_clients_go_straight(form):
    names, rows = ("rooms", "age"), [[3, 10.5], [4, 5]]
    found = straight(Columns(names), json.dumps(form(names, rows)).encode(), wanted("application/json", "", "", False))
    np.testing.assert_array_equal(found.X, rows, strict=False)


def test_more_rows_than_are_allowed_are_refused_by_either_way():
    body = json.dumps([[1, 2]] * 6).encode()
    same(SERVED[0], body)
    assert outcome(SERVED[0], body)[:2] == (413, "more than 5 rows in a request; send fewer at a time")
