"""A model over HTTP: the numbers of predict, the forms of its protocols, and limits that hold."""

import contextlib
import gzip
import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import requests
from cases import every
from running import ROOT, assert_refused, command, environment, run

from housing_np import LinearRegression, load, load_california, save
from housing_np.rows.columns import Columns
from housing_np.service.answering import uncompressed
from housing_np.service.wanted import RefusedError

NAMES = load_california(1).feature_names


@contextlib.contextmanager
def served(*arguments, cwd, stop=signal.SIGTERM):
    """A server's address, while it runs; it ends by a signal, with the status of that."""
    process = subprocess.Popen(
        command("serve", *map(str, arguments), "--port", "0"),
        cwd=cwd,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        note = process.stderr.readline()
        assert " is served at http://" in note, note + process.stderr.read()
        yield note.split(" is served at ")[1].strip()
        process.send_signal(stop)
        assert process.wait(30) == 128 + stop
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def integer(models):
    with served(models / "uint8-integer.npz", "--max-rows", 1000, "--max-body", 1 << 20, cwd=models) as url:
        yield url


def post(url, path, body, kind="application/json", **options):
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    headers = {"Content-Type": kind} | options.pop("headers", {})
    return requests.post(f"{url}{path}", data=data, headers=headers, timeout=30, **options)


def records(X):
    return [dict(zip(NAMES, row, strict=True)) for row in X.tolist()]


@every(
    ("file", "kind"),
    [
        ("rows.csv", "text/csv"),
        ("rows.json", "application/json"),
        ("rows.jsonl", "application/x-ndjson"),
        ("split.json", "application/json; charset=utf-8"),
    ],
)
@every("bounds", [False, True])
def test_the_answer_to_each_format_is_that_of_the_command(integer, models, rows, file, kind, bounds):
    expected = run("predict", models / "uint8-integer.npz", rows / file, *["--bounds"] * bounds, cwd=rows).stdout
    answer = post(integer, f"/invocations?bounds={str(bounds).lower()}", (rows / file).read_bytes(), kind)
    assert (answer.status_code, answer.text) == (200, expected)
    assert answer.headers["Content-Type"].split(";")[0] == kind.split(";")[0]


def test_npy_parquet_and_gzip_are_taken(integer, models, california, tmp_path):
    import pyarrow
    import pyarrow.parquet

    X = california.table.X[:50]
    expected = load(models / "uint8-integer.npz").predict(X).tolist()
    np.save(tmp_path / "a.npy", X)
    pyarrow.parquet.write_table(pyarrow.table(dict(zip(NAMES, X.T, strict=True))), tmp_path / "a.parquet")
    for name, kind in (("a.npy", "application/octet-stream"), ("a.parquet", "application/vnd.apache.parquet")):
        answer = post(integer, "/invocations", (tmp_path / name).read_bytes(), kind)
        assert answer.json() == {"predictions": expected}
    packed = gzip.compress(json.dumps(records(X)).encode())
    answer = post(integer, "/invocations", packed, headers={"Content-Encoding": "gzip"})
    assert answer.json() == {"predictions": expected}


def test_the_answer_comes_in_the_form_that_is_accepted(integer):
    answer = post(integer, "/invocations", records(load_california(1).X), headers={"Accept": "text/csv"})
    assert answer.text.splitlines()[0] == "MedHouseVal"
    X = ",".join(map(str, load_california(1).X[0]))
    unnamed = post(integer, "/invocations", X, "text/csv; header=absent")
    assert f"MedHouseVal\n{unnamed.text}" == answer.text


def test_the_charset_of_a_body_is_heeded(integer):
    X = load_california(1).X
    body = f"{','.join(NAMES)},Größe\n{','.join(map(str, X[0]))},1\n".encode("cp1252")
    expected = post(integer, "/invocations", records(X), headers={"Accept": "text/csv"}).text
    assert post(integer, "/invocations", body, "text/csv; charset=windows-1252").text == expected
    refused = post(integer, "/invocations", body, "text/csv")
    assert (refused.status_code, "charset=cp1252" in refused.text) == (400, True)


def test_the_open_inference_protocol(integer, california):
    X = california.table.X[:3]
    whole = [{"name": "rows", "shape": [3, 8], "datatype": "FP64", "data": X.tolist()}]
    columns = [
        {"name": name, "shape": [3], "datatype": "FP64", "data": column.tolist()}
        for name, column in zip(NAMES, X.T, strict=True)
    ]
    answers = [
        post(integer, "/v2/models/uint8-integer/infer", {"id": "7", "inputs": inputs}).json()
        for inputs in (whole, columns)
    ]
    assert answers[0] == answers[1]
    assert (answers[0]["id"], answers[0]["model_name"]) == ("7", "uint8-integer")
    (output,) = answers[0]["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("MedHouseVal", "FP64", [3])
    told = requests.get(f"{integer}/v2/models/uint8-integer", timeout=30).json()
    assert [each["name"] for each in told["inputs"]] == list(NAMES)
    assert requests.get(f"{integer}/v2/health/ready", timeout=30).json() == {"ready": True}
    unknown = post(integer, "/v2/models/other/infer", {"inputs": whole})
    assert (unknown.status_code, "uint8-integer" in unknown.json()["error"]) == (404, True)


def test_a_public_client_of_the_protocol(integer, models, california):
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(integer.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("uint8-integer")
    X = california.table.X[:20]
    tensor = http.InferInput("rows", list(X.shape), "FP64")
    tensor.set_data_from_numpy(X, binary_data=False)
    wanted = [http.InferRequestedOutput("MedHouseVal", binary_data=False)]
    found = client.infer("uint8-integer", [tensor], outputs=wanted).as_numpy("MedHouseVal")
    assert found.tolist() == load(models / "uint8-integer.npz").predict(X).tolist()
    client.close()


@every(
    ("body", "kind", "status", "text"),
    [
        (b'[{"MedInc": 1}]', "application/json", 400, "the request: no column 'HouseAge'"),
        (b"MedInc,b\n1,x\n", "text/csv", 400, "the request: no column 'HouseAge'"),
        (b"", "application/json", 400, "the request"),
        (b"{", "application/json", 400, "not JSON"),
        (b"a=1", "text/plain", 415, "Content-Type is 'text/plain'"),
        (b"x" * ((1 << 20) + 1), "text/csv", 413, "more than 1,048,576 bytes"),
        (gzip.compress(b" " * (2 << 20)), "application/json", 413, "uncompressed"),
        (json.dumps([[1.0] * 8] * 1001), "application/json", 413, "more than 1,000 rows"),
        (b"\x1f\x8b\x08garbage", "application/json", 400, "compress it again"),
    ],
)
def test_what_is_refused_is_told_in_one_line(integer, body, kind, status, text):
    answer = post(integer, "/invocations", body, kind)
    message = answer.json()["message"]
    assert (answer.status_code, text in message, "\n" in message) == (status, True, False), answer.text
    assert post(integer, "/v2/models/uint8-integer/infer", body, kind).json() == {"error": message}


def test_a_float_model_has_no_bounds(models):
    with served(models / "float64.npz", cwd=models, stop=signal.SIGINT) as url:
        answer = post(url, "/invocations?bounds=1", records(load_california(1).X))
        assert (answer.status_code, "bounds are for quantized ones" in answer.json()["message"]) == (400, True)


def test_what_is_counted(models):
    with served(models / "uint8-integer.npz", cwd=models) as url:
        post(url, "/invocations", records(load_california(3).X))
        post(url, "/invocations", [[1e6] * 8])
        post(url, "/invocations", [{}])
        lines = requests.get(f"{url}/metrics", timeout=30).text.splitlines()
    assert "housing_np_rows_total 4.0" in lines
    assert "housing_np_rows_outside_range_total 1.0" in lines
    assert "housing_np_rows_refused_total 1.0" in lines
    assert 'housing_np_requests_total{route="/invocations",status="200"} 2.0' in lines
    assert 'housing_np_requests_total{route="/invocations",status="400"} 1.0' in lines


def test_workers_add_up_what_they_count(models):
    with served(models / "uint8-integer.npz", "--workers", 2, cwd=models) as url:
        for _ in range(8):
            assert post(url, "/invocations", [[1.0] * 8]).status_code == 200
        assert "housing_np_rows_total 8.0" in requests.get(f"{url}/metrics", timeout=30).text


def test_the_document_of_the_routes_is_valid(integer):
    validator = pytest.importorskip("openapi_spec_validator")
    document = requests.get(f"{integer}/openapi.json", timeout=30).json()
    validator.validate(document)
    for path, methods in document["paths"].items():
        assert requests.request("OPTIONS", f"{integer}{path}", timeout=30).status_code == 405
        if "get" in methods:
            assert requests.get(f"{integer}{path}", timeout=30).status_code == 200


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A server of a model with two categories, a number with a fill and one without."""
    columns = Columns(
        ("age", "sea", "beds", "town"),
        levels={"sea": ("far", "near"), "town": ("a, b", "(missing)", "</c>")},
        fills={"beds": 537.5},
    )
    model = LinearRegression.from_coefficients([1, 2, 3, 4, 5], 0.5, columns.feature_names, ["price"], columns)
    folder = tmp_path_factory.mktemp("houses")
    save(model, folder / "houses.npz")
    with served("houses.npz", cwd=folder) as url:
        yield url


@pytest.fixture(scope="module")
def house_document(houses):
    return requests.get(f"{houses}/openapi.json", timeout=30).json()


def row_schemas(document):
    """The schemas of a row as an object and as a list."""
    body = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return body["anyOf"][0]["items"]["anyOf"]


def test_the_document_of_a_model_with_categories_is_valid(house_document):
    pytest.importorskip("openapi_spec_validator").validate(house_document)


def test_the_document_lists_the_levels(house_document):
    cells = row_schemas(house_document)[0]["properties"]
    assert cells["sea"] == {"type": "string", "enum": ["far", "near"]}


def test_the_document_says_what_may_be_missing(house_document):
    cells = row_schemas(house_document)[0]["properties"]
    assert cells["town"] == {"type": ["string", "null"], "enum": ["a, b", "(missing)", "</c>", None]}
    assert cells["beds"] == {"type": ["number", "null"]}
    assert cells["age"] == {"type": "number"}


def test_the_document_has_examples_of_rows_with_the_user_s_columns(house_document):
    as_object, as_list = row_schemas(house_document)
    assert as_object["examples"] == [{"age": 0.0, "sea": "far", "beds": 537.5, "town": "a, b"}]
    assert as_list["examples"] == [[0.0, "far", 537.5, "a, b"]]


@every(
    ("row", "is_valid"),
    [
        ([1, "near", None, None], True),
        ([1, "near", 3.5, "</c>"], True),
        ([1, "on Mars", 3.5, "</c>"], False),
        ([None, "near", 3.5, "</c>"], False),
        ([1, None, 3.5, "</c>"], False),
        ([1, "near", 3.5], False),
    ],
)
def test_rows_fit_the_schemas_of_the_document_or_not(row, is_valid, house_document):
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    as_object, as_list = row_schemas(house_document)
    assert validator(as_list).is_valid(row) is is_valid
    names = ["age", "sea", "beds", "town"][: len(row)]
    assert validator(as_object).is_valid(dict(zip(names, row, strict=True))) is is_valid


def test_a_category_is_an_input_of_text_in_the_protocol(houses):
    told = requests.get(f"{houses}/v2/models/houses", timeout=30).json()
    assert told["inputs"] == [
        {"name": "age", "datatype": "FP64", "shape": [-1]},
        {"name": "sea", "datatype": "BYTES", "shape": [-1]},
        {"name": "beds", "datatype": "FP64", "shape": [-1]},
        {"name": "town", "datatype": "BYTES", "shape": [-1]},
    ]
    assert told["outputs"] == [{"name": "price", "datatype": "FP64", "shape": [-1]}]


def test_the_page_of_a_model_with_categories_is_served(houses):
    assert '"levels":["a, b","(missing)","\\u003c/c>"]' in requests.get(houses, timeout=30).text


def test_no_other_site_may_ask_unless_it_is_named(integer, models):
    headers = {"Origin": "https://a.example"}
    assert "access-control-allow-origin" not in requests.get(f"{integer}/ping", headers=headers, timeout=30).headers
    with served(models / "uint8-integer.npz", "--cors", "https://a.example", cwd=models) as url:
        found = requests.get(f"{url}/ping", headers=headers, timeout=30).headers["access-control-allow-origin"]
    assert found == "https://a.example"


def test_a_request_that_is_sent_slowly_or_without_an_end_is_ended(models):
    with served(models / "uint8-integer.npz", "--timeout", 1, cwd=models) as url:
        host, port = url.removeprefix("http://").split(":")
        begun = [
            b"POST /invocations HTTP/1.1\r\nHost: [::1]\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n\r\nMed",
            b"POST /invocations HTTP/1.1\r\nHo",
            b"",
            b"GET / HTTP/1.1\r\nA: " + b"a" * (1 << 20),
            b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        ]
        ends = []
        for head in begun:
            with (
                contextlib.suppress(ConnectionError),
                socket.create_connection((host, int(port)), timeout=20) as client,
            ):
                client.sendall(head)
                ends.append(b"".join(iter(lambda c=client: c.recv(1 << 16), b"")))
        assert ends[0].startswith(b"HTTP/1.1 408") and b"1 seconds" in ends[0]
        assert requests.get(f"{url}/ping", timeout=30).status_code == 200


def test_what_has_begun_is_answered_before_the_end(models):
    body = json.dumps([[1.0] * 8]).encode()
    head = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with served(models / "uint8-integer.npz", cwd=models) as url:
        host, port = url.removeprefix("http://").split(":")
        client = socket.create_connection((host, int(port)), timeout=20)
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
        assert requests.get(f"{url}/ping", timeout=30).status_code == 200
        threading.Timer(0.5, client.sendall, [body[5:]]).start()
    with client:
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_gzipped_body_may_have_several_parts():
    assert uncompressed(gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n"), 100) == b"a,b\n1,2\n"
    with pytest.raises(RefusedError, match="more than 7 bytes uncompressed"):
        uncompressed(gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n"), 7)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["missing.npz"], 3, "missing.npz"),
        (["--workers", "0"], 2, "--workers is 0"),
        (["--port", "70000"], 2, "--port is 70000"),
        (["--host", "no.such.host.invalid"], 2, "cannot listen on no.such.host.invalid"),
        (["--range", "missing.csv"], 2, "missing.csv"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(models, arguments, status, text):
    model = [] if arguments[0].endswith(".npz") else [models / "uint8-integer.npz"]
    done = run("serve", *model, *arguments, cwd=models)
    assert (done.returncode, len(done.stderr.splitlines()), text in done.stderr) == (status, 1, True), done.stderr


def test_a_port_that_is_taken_is_told_in_one_line(models):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("serve", models / "uint8-integer.npz", "--port", str(taken.getsockname()[1]), cwd=models)
    assert (done.returncode, "cannot listen on 127.0.0.1" in done.stderr) == (2, True)


def test_many_at_a_time_that_are_broken_off_or_no_requests_do_not_stop_it(models):
    body = json.dumps([[1.0] * 8]).encode()
    head = (
        b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    bomb = gzip.compress(b" " * (50 << 20))
    sent = [
        head % len(body) + body[:5],
        b"POST /invoc",
        bytes(range(256)) * 8,
        head % (1 << 30),
        head % len(bomb) + bomb,
    ]
    with served(models / "uint8-integer.npz", "--timeout", 2, cwd=models) as url:
        host, port = url.removeprefix("http://").split(":")
        clients = [socket.create_connection((host, int(port)), 20) for _ in range(100)]
        for i, client in enumerate(clients):
            with contextlib.suppress(ConnectionError):
                client.sendall(sent[i % len(sent)])
        for client in clients[::2]:
            client.close()
        assert requests.get(f"{url}/ping", timeout=30).status_code == 200
        for client in clients[1::2]:
            with contextlib.suppress(ConnectionError), client:
                while client.recv(1 << 16):
                    pass
        assert post(url, "/invocations", [[1.0] * 8]).status_code == 200


def test_who_sends_slowly_keeps_nobody_else_waiting(models):
    head = b"POST /invocations HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[["
    with served(models / "uint8-integer.npz", "--max-concurrent", 2, cwd=models) as url, contextlib.ExitStack() as slow:
        host, port = url.removeprefix("http://").split(":")
        for _ in range(20):
            slow.enter_context(socket.create_connection((host, int(port)), 20)).sendall(head)
        assert requests.get(f"{url}/ping", timeout=30).status_code == 200
        assert post(url, "/invocations", [[1.0] * 8]).status_code == 200
        slow.close()


@pytest.mark.parametrize("size", [2 << 20, 40 << 20])
def test_who_sends_too_much_is_told(integer, size):
    answer = post(integer, "/invocations", b"1" * size, "text/csv")
    assert (answer.status_code, "more than 1,048,576 bytes" in answer.json()["message"]) == (413, True)
    assert requests.get(f"{integer}/ping", timeout=30).status_code == 200


@pytest.mark.parametrize("missing", ["uvicorn", "starlette", "prometheus_client"])
def test_without_its_extra_it_says_what_to_install(missing, models, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    done = run("serve", models / "uint8-integer.npz", "--port", "0", cwd=models)
    assert_refused(done, 2, f"a server needs {missing}: install the extra serve", "pip install '.[serve]'")


def test_its_page_is_that_of_the_export(integer, models):
    text = requests.get(integer, timeout=30).text
    assert text.startswith("<!doctype html>")
    assert f'"{hashlib.sha256((models / "uint8-integer.npz").read_bytes()).hexdigest()}"' in text


def test_its_page_and_its_counts_have_the_range_of_the_training(models, tmp_path):
    (tmp_path / "rents.csv").write_text("Population,rent\n" + "".join(f"{i},{2 * i + i % 7}\n" for i in range(9)))
    run("train", "--data", "rents.csv", "--target", "rent", cwd=tmp_path)
    with served("models/uint8-per-channel.npz", cwd=tmp_path) as url:
        post(url, "/invocations", [[8], [9], [-1]])
        lines = requests.get(f"{url}/metrics", timeout=30).text.splitlines()
        page = requests.get(url, timeout=30).text
    assert "housing_np_rows_outside_range_total 2.0" in lines
    assert '{"name":"Population","unit":"","low":0.0,"high":8.0,' in page


def test_help_tells_sizes_in_words():
    done = run("serve", "--help", cwd=ROOT)
    assert "bytes of a request's body (default: 10 MiB)" in " ".join(done.stdout.split())


def test_the_answer_on_the_page_about_serving_is_the_server_s(integer):
    text = (Path(ROOT) / "docs" / "serving.md").read_text()
    (body,), (expected,) = re.findall(r"-d '(.*)'", text), re.findall(r"^\{\"predictions.*", text, re.MULTILINE)
    answer, told = post(integer, "/invocations?bounds=true", body).json(), json.loads(expected)
    for name in ("predictions", "bounds"):  # trained here, with the last bits of this machine
        assert answer[name] == pytest.approx(told[name], rel=1e-6)
