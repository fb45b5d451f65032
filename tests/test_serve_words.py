"""A server in its clients' words: headers in, headers out, advice that a client can follow, and honest counts."""

import json
import os
import re

import numpy as np
import pytest
import requests
from reading import read_file
from running import ROOT, run
from server import answer, served

from housing_np import LinearRegression, QuantizedLinear, TableError, save

NAMED, UNNAMED = "rooms,age\n3,10\n4,5\n", "3,10\n4,5\n"
ANSWERS = "210.0\n255.0\n"  # 40 rooms - age + 100
ROW = [{"rooms": 3, "age": 10}]
TENSOR = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": [3, 10]}
INVOCATIONS = "/invocations"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model of rooms and age, and a quantized one of the same columns for two targets."""
    folder = tmp_path_factory.mktemp("words")
    save(LinearRegression.from_coefficients([40.0, -1.0], 100.0, ["rooms", "age"], ["price"]), folder / "one.npz")
    X = np.random.default_rng(0).normal(size=(50, 2))
    names = {"feature_names": ("rooms", "age"), "target_names": ("price", "rent")}
    save(QuantizedLinear.from_linear(LinearRegression().fit(X, X @ [[1, 2], [3, 4]], **names), X), folder / "two.npz")
    return folder


@pytest.fixture(scope="module")
def one(folder):
    with served(folder / "one.npz", cwd=folder) as server:
        yield server.url


@pytest.fixture(scope="module")
def two(folder):
    with served(folder / "two.npz", cwd=folder) as server:
        yield server.url


def post(url, body, kind="application/json", path=INVOCATIONS, **headers):
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    headers = {"Content-Type": kind} | headers
    return requests.post(f"{url}{path}", data=data, headers={k: v for k, v in headers.items() if v}, timeout=30)


# The line of names


@pytest.mark.parametrize(
    ("kind", "accept", "has_names"),
    [
        ("text/csv", "", True),
        ("text/csv; header=present", "", True),
        ("text/csv; header=absent", "", False),
        ('text/csv; charset="utf-8" ; Header = "ABSENT"', "*/*", False),
        (r'text/csv; header="abs\ent"', "text/csv", False),
        ("text/csv; header=absent", "text/csv; header=present", True),
        ("text/csv", 'text/csv; q=0.5; header="absent"', False),
        ("application/json", "text/csv", True),
        ("application/json", "text/csv; header=absent", False),
        ("application/json", "text/html, application/xhtml+xml, text/csv;header=absent;q=0.1", False),
    ],
)
def test_an_answer_has_a_line_of_names_where_the_request_has_one_or_wants_one(kind, accept, has_names, one):
    body = [[3, 10], [4, 5]] if "json" in kind else UNNAMED if "abs" in kind.lower() else NAMED
    answer = post(one, body, kind, Accept=accept)
    assert answer.text == ("price\n" if has_names else "") + ANSWERS
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8" + ("" if has_names else "; header=absent")


@pytest.mark.parametrize(
    ("kind", "accept", "format"),
    [
        ("text/csv", "text/csv;q=0", "json"),
        ("text/csv", "text/csv;q=0.000, */*", "json"),
        ("text/csv", "*/*", "csv"),
        ("text/csv", "application/json;q=0.5, text/*", "csv"),
        ("text/csv", "application/json, text/csv;q=0.9", "json"),
        ("text/csv", "application/*;q=0.2, */*;q=0.1", "json"),
        ("text/csv", "application/json, text/plain, */*", "json"),
        ("text/csv", "image/png", "csv"),
        ("application/json", "text/csv;q=0", "json"),
        ("application/json", "application/json;q=0", "csv"),
        ("application/json", 'image/png; of="a, text/csv", application/x-ndjson', "jsonl"),
        ("application/json", 'text/csv; q="0"', "json"),
        ("application/json", "text/csv, application/json", "csv"),
        ("application/json", "TEXT/CSV; Q=1", "csv"),
        ("application/json", "text/csv;q=x", "csv"),
        ("application/json", "*/*;q=0", "json"),
        ("application/json", '"' + "\\" * 4001, "json"),
    ],
)
def test_the_format_is_the_one_that_is_liked_best(kind, accept, format, one):
    answer = post(one, NAMED if kind == "text/csv" else [[3, 10], [4, 5]], kind, Accept=accept)
    expected = {
        "csv": f"price\n{ANSWERS}",
        "json": '{"predictions": [210.0, 255.0]}\n',
        "jsonl": '{"price": 210.0}\n{"price": 255.0}\n',
    }
    assert answer.text == expected[format]


def test_another_header_than_present_or_absent_is_refused(one):
    answer = post(one, UNNAMED, "text/csv; header=none")
    assert answer.status_code == 400
    assert answer.json()["message"] == "header is 'none' in Content-Type: expected present or absent"


# Each door has its own words

WRONG = {
    "numbers as names": (UNNAMED, {}, "say header=absent in Content-Type,", "say --no-header,", "say header=False,"),
    "names as a row": (
        NAMED,
        {"header": False},
        "leave header=absent in Content-Type out",
        "leave --no-header out",
        "leave header=False out",
    ),
    "cp1252": (
        b"rooms,age,\xe9\n3,10,1\n",
        {},
        "or say charset=cp1252 in Content-Type if Excel",
        "or say --encoding cp1252 if Excel",
        "or say encoding='cp1252' if Excel",
    ),
    "JSON": (
        '[{"rooms": 3}]',
        {},
        "found JSON; say Content-Type: application/json",
        "found JSON; say --format json, or end its name in .json",
        "found JSON; say format='json'",
    ),
    "another separator": (
        "rooms,age\n3;10\n",
        {},
        "row 1 (line 2): 1 column, expected 2",
        "; say --separator ';' if that is what separates them (--on-error skip leaves such rows out)",
        "; say separator=';' if that is what separates them (on_error='skip' leaves such rows out)",
    ),
    "a decimal comma": (
        'rooms,age\n"3,5",10\n',
        {},
        "it has a decimal comma; write 3.5",
        "say --decimal , or write 3.5 (--on-error skip",
        "say decimal=',' or write 3.5 (on_error='skip'",
    ),
    "an identifier": (
        "rooms,age\n9007199254740993,10\n",
        {},
        "; give it as a decimal to round it",
        "; train with --ignore rooms if it is an identifier, else give",
        "; train with ignore=['rooms'] if it is an identifier, else give",
    ),
}


@pytest.mark.parametrize(("body", "reading", "header", "option", "argument"), WRONG.values(), ids=WRONG)
def test_each_door_says_what_to_do_in_its_own_words(body, reading, header, option, argument, one, folder):
    content = body if isinstance(body, bytes) else body.encode()
    (folder / "rows.csv").write_bytes(content)
    told = post(one, content, "text/csv; header=absent" if reading else "text/csv").json()["message"]
    done = run("predict", "one.npz", "rows.csv", *["--no-header"] * bool(reading), cwd=folder)
    assert header in told
    assert option in done.stderr
    with pytest.raises(TableError) as caught:
        read_file(folder / "rows.csv", ["rooms", "age"], **reading)
    assert argument in str(caught.value)
    for word in ("--", "on_error", "=False"):
        assert word not in told


# Bodies, types, encodings and paths that are wrong in some way
REFUSED = [
    *((body, "text/csv") for body in ("", "\n", "a\n1\n", "rooms,age\nx,y\n", 'rooms,age\n"3\n', "rooms|age\n1|\n")),
    *((body, "text/csv") for body in ("rooms,age\n1,234,5\n", "rooms,age\n2020-01-01,$5\n", "rooms,rooms\n1,2\n")),
    *((body, "text/csv") for body in ('"rooms" "age"\n"1" 3 4\n"2" 5\n', "rooms  age\n 1 2\n 3\n", "0,1\n3,4\n")),
    *((body, "text/csv") for body in (b"rooms,age\n\xff,1\n", b"r\0o\0o\0m\0s\0,\0a\0g\0e\0\n\0", b"\xd0\xcf\x11\xe0")),
    *((body, "text/csv; header=absent") for body in (NAMED, "age,rooms\n1,2\n", "1,2,3\n", "1;2\n3\n", "1,5;2\n")),
    *((body, "application/json") for body in ("", "{", NAMED, "[1, 2]\n[3, 4]", '{"rooms": 3}\n{"rooms": 4}')),
    *((body, "application/json") for body in ("{rooms: 1}", "[[NaN, 1]]", '[["3", "4"]]', "[[1e999, 1]]", "[3, 10]")),
    *((body, "application/json") for body in ('[{"a": 1, "a": 2}]', '{"inputs": 5}', "[[12345678901234567890, 1]]")),
    *((body, "application/json") for body in ('{"inputs": [{"name": "a", "shape": [1]}]}', "[" * 5000, b"[\xff]")),
    *((body, "application/x-ndjson") for body in ("[\n1]", NAMED, '{"instances": [[1, 2]]}', '[[{"rooms": 1}]]', "5")),
    *((body, "application/octet-stream") for body in (b"PAR1", b"\x93NUMPY", b"\x1f\x8b", b"PK\x03\x04", b"\x80\x04")),
    *((UNNAMED, kind) for kind in ("", "text/plain", "text/csv; charset=klingon", "text/csv; header=maybe")),
]


def test_no_refusal_tells_a_client_of_options_or_of_an_installation(one):
    foreign = re.compile(r"(^|[ (])--(?!data-binary)|=False|=True|on_error|pip install|end its name|\n")
    answers = [(body, kind, post(one, body, kind)) for body, kind in REFUSED]
    assert [each[:2] for each in answers if not 400 <= each[2].status_code < 500] == []
    told = [(*each[:2], each[2].json()["message"]) for each in answers]
    assert [each for each in told if foreign.search(each[2])] == []


def test_an_extra_that_the_server_lacks_is_no_matter_of_its_clients(folder):
    (folder / "no").mkdir()
    (folder / "no" / "pyarrow.py").write_text("raise ModuleNotFoundError('pyarrow')")
    with served(folder / "one.npz", cwd=folder, env={"PYTHONPATH": f"{folder / 'no'}{os.pathsep}{ROOT}"}) as server:
        message = post(server.url, b"PAR1....PAR1", "application/vnd.apache.parquet").json()["message"]
    assert message == "the request: Parquet needs pyarrow: the server lacks its extra parquet; send another format"


# What curl sends


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("rooms,age,id3,10,7", "text/csv"),  # as curl -d @rows.csv sends them
        ("rooms,age", "text/csv"),
        ("3,104,5", "text/csv; header=absent"),
        ('{"rooms": 3, "age": 10}{"rooms": 4, "age": 5}', "application/x-ndjson"),
    ],
)
def test_lines_that_lost_their_ends_are_not_taken_for_fewer(body, kind, one):
    answer = post(one, body, kind)
    assert answer.status_code == 400
    assert answer.json()["message"].endswith("; curl -d strips line ends, --data-binary keeps them")


def test_a_line_without_an_end_is_a_row_where_there_are_no_names(one):
    assert post(one, "3,10", "text/csv; header=absent").text == "210.0\n"
    assert post(one, "rooms,age\n3,10", "text/csv").text == "price\n210.0\n"
    assert post(one, "rooms,age\n", "text/csv").text == "price\n"


def test_the_type_that_curl_sends_unasked_is_json_in_the_protocol_alone(one):
    kind = "application/x-www-form-urlencoded"
    answer = post(one, {"inputs": [TENSOR]}, kind, "/v2/models/one/infer")
    assert answer.json()["outputs"][0]["data"] == [210.0]
    refused = post(one, [[3, 10]], kind)
    assert refused.status_code == 415
    assert refused.json()["message"].endswith("; curl -d sends this one unless -H 'Content-Type: …' names another")


# The protocols' own forms


def test_the_outputs_that_a_request_names_are_answered_and_no_others(two):
    path, inputs = "/v2/models/two/infer", [TENSOR]

    def names(*outputs, query=""):
        wanted = {"inputs": inputs, "outputs": [{"name": name} for name in outputs]}
        answer = post(two, wanted, path=f"{path}{query}").json()
        return [output["name"] for output in answer["outputs"]]

    assert names() == ["price", "rent"]
    assert names("rent") == ["rent"]
    assert names("price_bound", "rent", query="?bounds=true") == ["rent", "price_bound"]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([{"name": "rent"}, {"name": "Rent"}], "no output 'Rent'; the outputs are: price, rent"),
        ([{"name": "price_bound"}], "no output 'price_bound'; the outputs are: price, rent"),
        (["price"], "the request: 'outputs' is no list of objects with a 'name'; leave it out for all outputs"),
        ("price", "the request: 'outputs' is no list of objects with a 'name'; leave it out for all outputs"),
    ],
)
def test_outputs_that_are_not_known_are_refused_in_the_protocol_s_form(outputs, message, two):
    answer = post(two, {"inputs": [TENSOR], "outputs": outputs}, path="/v2/models/two/infer")
    assert (answer.status_code, answer.json()) == (400, {"error": message})


def test_a_method_that_a_path_does_not_take_is_told_in_its_form(one):
    answer = requests.get(f"{one}/invocations", timeout=30)
    told = {"error_code": "METHOD_NOT_ALLOWED", "message": "/invocations takes no GET; expected POST"}
    assert (answer.status_code, answer.headers["Allow"], answer.json()) == (405, "POST", told)
    answer = requests.get(f"{one}/v2/models/one/infer", timeout=30)
    assert (answer.status_code, answer.json()) == (405, {"error": "/v2/models/one/infer takes no GET; expected POST"})


# Counts


def count(url, name):
    text = requests.get(f"{url}/metrics", timeout=30).text
    return float(re.search(rf"^{re.escape(name)} (.*)$", text, re.MULTILINE)[1])


def test_what_is_wrong_about_a_request_is_no_refused_row(folder):
    with served(folder / "one.npz", cwd=folder) as server:
        for path, kind in (
            (f"{INVOCATIONS}?bounds=maybe", "application/json"),
            (f"{INVOCATIONS}?bounds=true", "application/json"),  # of a float model
            (INVOCATIONS, "text/csv; header=none"),
        ):
            assert post(server.url, ROW, kind, path).status_code == 400
        wanted = {"inputs": [TENSOR], "outputs": [{"name": "rent"}]}
        assert post(server.url, wanted).status_code == 400
        assert count(server.url, "housing_np_rows_refused_total") == 0
        assert post(server.url, [{"rooms": "x", "age": 1}]).status_code == 400
        assert count(server.url, "housing_np_rows_refused_total") == 1
        assert count(server.url, 'housing_np_requests_total{route="/invocations",status="400"}') == 5


@pytest.mark.parametrize("model", ["float64", "uint8-per-channel", "uint8-integer"])
@pytest.mark.parametrize("given", [False, True])
def test_rows_are_outside_where_the_page_says_so(model, given, tmp_path):
    (tmp_path / "homes.csv").write_text("rooms,price\n" + "".join(f"{i},{2 * i + i % 7}\n" for i in range(41)))
    (tmp_path / "few.csv").write_text("rooms\n10\n20\n")
    run("train", "--data", "homes.csv", "--target", "price", cwd=tmp_path)
    arguments = ["--range", "few.csv"] if given else []
    with served(f"models/{model}.npz", *arguments, cwd=tmp_path) as server:
        column = json.loads(re.search(r'"columns":\[(\{.*?\})\]', requests.get(server.url, timeout=30).text)[1])
        low, high = column["low"], column["high"]
        assert (low, high) == pytest.approx((10, 20) if given else (0, 40))
        away = (high - low) / 100
        post(server.url, [[low], [high], [low / 2 + high / 2]])
        assert count(server.url, "housing_np_rows_outside_range_total") == 0
        post(server.url, [[low - away], [high + away]])
        assert count(server.url, "housing_np_rows_outside_range_total") == 2


# Over one connection


def test_heads_without_bodies_and_what_is_asked_ahead_come_in_order(folder):
    body = b"[[3, 10]]"
    head = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    ping = b"%s /ping HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    with served(folder / "one.npz", cwd=folder) as server:
        with server.connect(head + b"Expect: 100-continue\r\n\r\n") as client:
            assert client.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(body)
            assert client.recv(1 << 16).endswith(b'{"predictions": [210.0]}\n')  # head and body in one packet
        asked = (
            ping % (b"HEAD", b"")
            + head
            + b"\r\n"
            + body
            + ping % (b"HEAD", b"")
            + ping % (b"GET", b"Connection: close\r\n")
        )
        with server.connect(asked) as client:
            answers = answer(client).split(b"HTTP/1.1 200 OK\r\n")
    assert [each.partition(b"\r\n\r\n")[2] for each in answers] == [b"", b"", b'{"predictions": [210.0]}\n', b"", b"\n"]
