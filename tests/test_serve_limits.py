"""A server among hostile clients: memory, time and connections stay within what its page says."""

import contextlib
import gzip
import json
import re
import resource
import signal
import socket
import threading
import time

import numpy as np
import pytest
import requests
from cases import every
from server import answer, served

from housing_np import LinearRegression, load, save

TIMEOUT = 2
MAX_BODY = 4 << 20
HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ROW = b"[[1, 2, 3]]"
GET = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(ROW), ROW)
ALLOWED = 4 * MAX_BODY >> 20  # MiB: what all requests together may keep
READING = 35 * MAX_BODY >> 20  # MiB: JSON, of one large body at a time
SLACK = 20  # MiB, for the rows that are answered at a time
GROWN = 10  # MiB, for what has to be refused or dropped while it comes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Float models of three features, for one and for fifty targets, and of one feature for 500."""
    folder, random = tmp_path_factory.mktemp("served"), np.random.default_rng(0)
    for name, p, k in (("one", 3, ()), ("fifty", 3, (50,)), ("wide", 1, (500,))):
        model = LinearRegression().fit(random.normal(size=(50, p)), random.normal(size=(50, *k)))
        save(model, folder / f"{name}.npz")
    return folder


@pytest.fixture(scope="module")
def one(folder):
    limits = ("--timeout", TIMEOUT, "--max-body", MAX_BODY)
    with served(folder / "one.npz", *limits, cwd=folder) as server:
        yield server


@pytest.fixture(scope="module")
def fifty(folder):
    with served(folder / "fifty.npz", "--max-body", MAX_BODY, cwd=folder) as server:
        yield server


@pytest.fixture(scope="module")
def wide(folder):
    with served(folder / "wide.npz", "--max-body", MAX_BODY, cwd=folder) as server:
        yield server


def post(server, body, kind="application/json", path="/invocations", **headers):
    return requests.post(f"{server.url}{path}", data=body, headers={"Content-Type": kind} | headers, timeout=60)


def is_alive(server):
    return requests.get(f"{server.url}/ping", timeout=30).status_code == 200


def wait_until_alive(server):
    """Wait until a server has noticed that other clients have gone."""
    for _ in range(100):
        with contextlib.suppress(requests.ConnectionError):
            if is_alive(server):
                return
        time.sleep(0.1)
    pytest.fail("it refuses connections")


def send_on(client, piece, seconds):
    """Whether a server ends a connection over which the same bytes are sent again and again."""
    client.settimeout(0.1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            client.send(piece)
        except TimeoutError:
            pass
        except ConnectionError:
            return True
    return False


@every(
    ("begun", "piece"),
    [
        (CHUNKED + b"3\r\na,b\r\n0\r\n", b"A: bbbbbbbb\r\n" * 1000),
        (GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: bbbbbbbb\r\n" * 1000),
        (CHUNKED + b"0\r\nA: ", b"b" * 10_000),
        (CHUNKED + b"3;a=", b"b" * 10_000),
        (b"GET /ping HTTP/1.1\r\n", b"A:\r\n" * 1000),
        (b"GET /", b"a" * 10_000),
    ],
    ids=["trailers", "trailers of a GET", "one trailer", "chunk extension", "fields", "path"],
)
def test_a_head_or_trailer_without_end_is_ended(one, begun, piece):
    with one.growth(GROWN), one.connect(begun) as client:
        assert send_on(client, piece, TIMEOUT)
    assert is_alive(one)


def test_many_small_chunks_are_no_head(one):
    body = json.dumps([[1, 2, 3]] * 8000).encode()
    chunks = (body[start : start + 8] for start in range(0, len(body), 8))  # framed in 5 bytes each
    assert len(post(one, chunks).json()["predictions"]) == 8000


def test_a_pipeline_without_end_waits_unread_and_is_ended_if_its_answers_are_not_read(one):
    with one.growth(GROWN), one.connect(receives=4096) as client:
        assert send_on(client, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000, 60)
    assert is_alive(one)


def test_each_request_of_a_pipeline_is_answered(one):
    count, found = 1000, b""
    with one.growth(GROWN), one.connect() as client:
        sender = threading.Thread(target=client.sendall, args=(POST * count,))
        sender.start()
        while found.count(b'{"predictions"') < count and (piece := client.recv(1 << 20)):
            found += piece
        sender.join()
    assert found.count(b"HTTP/1.1 200") == found.count(b'{"predictions"') == count


def test_a_client_that_does_not_read_its_answer_is_ended(folder):
    body = json.dumps([[1.0, 2.0, 3.0]] * 8000).encode()
    with served(folder / "fifty.npz", "--timeout", TIMEOUT, cwd=folder) as server:
        assert is_alive(server)
        time.sleep(0.5)  # until its connection is closed
        before = server.descriptors()
        with server.connect(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body), receives=4096):
            while server.descriptors() == before:  # until it is accepted
                time.sleep(0.01)
            start = time.monotonic()
            while server.descriptors() > before:
                time.sleep(0.1)
                assert time.monotonic() - start < 10 * TIMEOUT
        assert is_alive(server)


def test_the_bodies_of_requests_that_are_over_are_not_kept(one):
    body = b"[" + b"[1,2,3]," * (MAX_BODY // 8 - 2) + b"[1,2,3]]"
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)

    def leave():
        with contextlib.suppress(ConnectionError), one.connect(head + body):
            time.sleep(0.2)

    with one.growth(ALLOWED + READING):
        for _ in range(3):
            threads = [threading.Thread(target=leave) for _ in range(24)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            _until_idle(one)
    assert post(one, ROW).status_code == 200


def _until_idle(server):
    """Wait until a large request gets through."""
    body = b"[" + b"[1,2,3]," * 30_000 + b"[1,2,3]]"
    while post(server, body).status_code == 503:
        time.sleep(0.1)


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/x-ndjson"])
def test_an_answer_that_can_never_be_held_is_413_from_an_idle_server(wide, accept):
    with wide.growth(ALLOWED + SLACK):
        refused = post(wide, b"1\n" * 20_000, "text/csv; header=absent", Accept=accept)
    assert (refused.status_code, "the answer can take more than" in refused.json()["message"]) == (413, True)


def test_fifty_targets_are_answered_or_413_from_an_idle_server(fifty, folder):
    X = np.random.default_rng(1).normal(size=(40_000, 3))
    expected = load(folder / "fifty.npz").predict(X)
    assert post(fifty, json.dumps(X.tolist())).status_code == 413
    with fifty.growth(4 * ALLOWED):
        found = post(fifty, json.dumps(X[:8000].tolist()))
    assert found.json()["predictions"] == expected[:8000].tolist()


def test_large_requests_leave_room_for_small_ones(one):
    slow = [one.connect(HEAD + b"Content-Length: %d\r\n\r\n" % MAX_BODY + b" " * (MAX_BODY - 1)) for _ in range(5)]
    assert post(one, ROW).status_code == 200
    for client in slow:
        client.close()


def test_others_are_answered_while_a_large_body_is(one):
    body = b"[" + b"[1,2,3]," * (MAX_BODY // 8 - 2) + b"[1,2,3]]"
    done, answered = threading.Thread(target=post, args=(one, body)), 0
    done.start()
    while done.is_alive():
        answered += is_alive(one)
    assert answered > 1


def test_a_body_of_many_gzip_parts_is_read(fifty):
    body = gzip.compress(b"[[1,2,3]") + gzip.compress(b"") * 10_000 + gzip.compress(b"]")
    assert post(fifty, body, **{"Content-Encoding": "gzip"}).status_code == 200


def test_a_length_of_many_digits_is_refused(one):
    for digits in (b"0" * 5000, b"9" * 5000, b"1" * 18):
        with one.connect(HEAD + b"Connection: close\r\nContent-Length: " + digits + b"\r\n\r\n") as client:
            client.shutdown(socket.SHUT_WR)
            assert re.match(rb"HTTP/1\.1 4(00|13) ", answer(client))


@every("host", ["evil.example", "localhost.evil.example:80", "", "[", "127.0.0.1.", "10.0.0.1"])
@every(("path", "key"), [("/invocations", "message"), ("/v2/models/one/infer", "error")])
def test_a_host_that_is_not_this_machine_is_refused(one, host, path, key):
    refused = post(one, ROW, path=path, Host=host)
    assert (refused.status_code, refused.json()[key].startswith(f"Host is {host!r}: expected localhost")) == (421, True)
    assert "--" not in refused.json()[key]  # an option is no matter of a client


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "[::1]:80"])
def test_this_machine_s_names_are_hosts(one, host):
    assert post(one, ROW, Host=host).status_code == 200


def test_further_hosts_are_allowed_by_name(folder):
    with served(folder / "one.npz", "--allow-host", "model.example", cwd=folder) as server:
        statuses = [post(server, ROW, Host=host).status_code for host in ("Model.example:80", "localhost", "b.example")]
    assert statuses == [200, 200, 421]


def test_a_server_that_listens_to_others_takes_any_host(folder):
    with served(folder / "one.npz", "--host", "0.0.0.0", cwd=folder) as server:
        assert post(server, ROW, Host="model.example").status_code == 200


def test_more_connections_than_allowed_are_closed_and_said_once(folder):
    says = "note: 40 connections are open, as many as --max-connections allows; others get status 503\n"
    with served(folder / "one.npz", "--max-connections", 40, cwd=folder, says=says) as server:
        clients = [server.connect() for _ in range(60)]
        refused = [client for client in clients[40:] if answer(client).startswith(b"HTTP/1.1 503")]
        for client in clients:
            client.close()
        wait_until_alive(server)
    assert len(refused) == 20


def test_a_server_out_of_descriptors_says_one_line_and_goes_on(folder):
    says = "note: no new connections for a second: Too many open files"
    limit = ("prlimit", "--nofile=100:100")
    # It may have fewer connections than descriptors, but these come faster than it refuses them.
    with served(folder / "one.npz", "--timeout", TIMEOUT, cwd=folder, prefix=limit, says=None) as server:
        clients = [server.connect() for _ in range(300)]
        time.sleep(1)
        for client in clients:
            client.close()
        wait_until_alive(server)
        server.process.send_signal(signal.SIGTERM)
        said = server.process.stderr.read().splitlines()
    assert (any(line.startswith(says) for line in said), len(said) <= 3) == (True, True)


def test_connections_are_fewer_than_descriptors(folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 0 or soft < 0:
        pytest.skip("there is no limit")
    from running import assert_refused, run

    assert_refused(run("serve", folder / "one.npz", "--max-connections", str(hard), cwd=folder), 2, "at most")


def test_large_bodies_are_answered_after_sigterm(folder):
    body = b"[" + b"[1,2,3]," * 90_000 + b"[1,2,3]]"
    with served(folder / "one.npz", cwd=folder) as server:
        clients = [server.connect(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)) for _ in range(4)]
        assert is_alive(server)
        server.process.send_signal(signal.SIGTERM)
        assert all(answer(client).startswith(b"HTTP/1.1 200") for client in clients)
        with pytest.raises(ConnectionError):
            server.connect()
        for client in clients:
            client.close()
