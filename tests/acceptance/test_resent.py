"""An asset is sent again while an older batch holds it: processed once, for the newest, and never
twice at the same time, in every order of events."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import SAMPLES
from tests.stack import Customer, Json, iiifq, until

VERSIONS = {"1": "rocket.jpg", "2": "retina.jpg", "3": "rocket.jpg"}
WIDTHS = {"1": 640, "2": 1411, "3": 640}


@dataclass
class Gate:
    """An origin whose answers wait until they are let go; `url` is of one asset's versions."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    missing: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: dict[str, threading.Event] = field(
        default_factory=lambda: {version: threading.Event() for version in VERSIONS}
    )

    def open(self, *versions: str) -> None:
        for version in versions or VERSIONS:
            self.opened[version].set()

    def reached(self, version: str) -> None:
        """Waits until the original is being fetched."""
        until(f"version {version} is fetched", lambda: self.asked[version])

    def member(self, version: str) -> Json:
        return {
            "id": "a",
            "space": 1,
            "origin": f"{self.url}/{version}",
            "mediaType": "image/jpeg",
            "deliveryChannels": ["thumbs"],
        }


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            version = self.path.strip("/")
            with gate.lock:
                gate.asked[version] += 1
                gate.at_once += 1
                gate.most_at_once = max(gate.most_at_once, gate.at_once)
            gate.opened[version].wait(60)
            missing = version in gate.missing
            body = b"" if missing else (SAMPLES / VERSIONS[version]).read_bytes()
            with gate.lock:
                gate.at_once -= 1
            self.send_response(404 if missing else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    gate.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield gate
    gate.open()
    server.shutdown()
    server.server_close()
    thread.join()


def check(customer: Customer, gate: Gate, newest: Json, version: str) -> None:
    """The asset is what its newest batch made of it, and none was processed beside another."""
    customer.finished(newest)
    asset = customer.get("/spaces/1/images/a")
    assert asset["batch"].endswith(f"/batches/{newest['id']}")
    assert asset["width"] == WIDTHS[version]
    assert asset["ingesting"] is False
    assert "error" not in asset
    assert gate.most_at_once == 1
    assert max(gate.asked.values()) == 1, "each was fetched once"
    queue = customer.get("/queue")
    assert (queue["size"], queue["imagesWaiting"]) == (0, 0)


@pytest.mark.parametrize("path", ["/queue", "/queue/priority"])
def test_while_the_older_waits(customer: Customer, gate: Gate, path: str) -> None:
    gate.open()
    queue = ("--customer", str(customer.id), "--queue", "main", "--data", str(customer.stack.data))
    assert iiifq("pause", *queue).returncode == 0
    older = customer.submit([gate.member("1")])
    newer = customer.submit([gate.member("2")], path)
    ended = customer.get(older["@id"])
    assert (ended["completed"], ended["errors"], ended["superseded"]) == (1, 0, True)
    assert "finished" in ended
    assert iiifq("resume", *queue).returncode == 0
    check(customer, gate, newer, "2")
    assert gate.asked == {"2": 1}


@pytest.mark.parametrize("path", ["/queue", "/queue/priority"])
def test_while_the_older_is_in_process(customer: Customer, gate: Gate, path: str) -> None:
    older = customer.submit([gate.member("1")])
    gate.reached("1")
    newer = customer.submit([gate.member("2")], path)
    assert customer.get(older["@id"])["completed"] == 0
    gate.open()
    check(customer, gate, newer, "2")
    assert customer.finished(older)["errors"] == 0


def test_while_the_older_is_failing(customer: Customer, gate: Gate) -> None:
    gate.missing.add("1")
    older = customer.submit([gate.member("1")])
    gate.reached("1")
    newer = customer.submit([gate.member("2")])
    gate.open()
    check(customer, gate, newer, "2")
    customer.finished(older)
    assert customer.post(older["retry"], {}).status_code == 409, "it is the newer batch's now"
    check(customer, gate, newer, "2")


def test_three_in_a_row(customer: Customer, gate: Gate) -> None:
    first = customer.submit([gate.member("1")])
    gate.reached("1")
    second = customer.submit([gate.member("2")])
    third = customer.submit([gate.member("3")])
    ended = customer.get(second["@id"])
    assert (ended["completed"], ended["errors"]) == (1, 0)
    gate.open()
    check(customer, gate, third, "3")
    customer.finished(first)
    assert gate.asked["2"] == 0


def test_the_newer_is_cancelled_and_retried(customer: Customer, gate: Gate) -> None:
    older = customer.submit([gate.member("1")])
    gate.reached("1")
    newer = customer.submit([gate.member("2")])
    url = customer.url(newer["@id"])
    assert customer.stack.client.delete(url, auth=customer.auth).status_code == 202
    assert customer.finished(newer)["errors"] == 1
    assert customer.get("/spaces/1/images/a")["error"] == "Cancelled"
    assert customer.post(newer["retry"], {}).status_code == 202
    gate.open()
    assert customer.finished(newer)["errors"] == 0
    check(customer, gate, newer, "2")
    customer.finished(older)


def test_the_older_is_cancelled(customer: Customer, gate: Gate) -> None:
    older = customer.submit([gate.member("1")])
    gate.reached("1")
    newer = customer.submit([gate.member("2")])
    url = customer.url(older["@id"])
    assert customer.stack.client.delete(url, auth=customer.auth).status_code == 202
    gate.open()
    check(customer, gate, newer, "2")
    assert customer.finished(older)["completed"] == 1


def test_deleted_while_in_process_and_sent_again(customer: Customer, gate: Gate) -> None:
    older = customer.submit([gate.member("1")])
    gate.reached("1")
    url = customer.url("/spaces/1/images/a")
    assert customer.stack.client.delete(url, auth=customer.auth).status_code == 204
    newer = customer.submit([gate.member("2")])
    gate.open()
    check(customer, gate, newer, "2")
    customer.finished(older)


def test_put_while_in_process(customer: Customer, gate: Gate) -> None:
    older = customer.submit([gate.member("1")])
    gate.reached("1")
    waiting = threading.Timer(0.5, gate.open)
    waiting.start()
    put = customer.put("/spaces/1/images/a", gate.member("2"))
    assert put.status_code == 200, put.text
    assert put.json()["width"] == WIDTHS["2"]
    customer.finished(older)
    assert customer.get("/spaces/1/images/a")["width"] == WIDTHS["2"]
    assert gate.most_at_once == 1
    assert gate.asked == {"1": 1, "2": 1}


def test_sent_again_while_its_worker_dies(customer: Customer, gate: Gate) -> None:
    older = customer.submit([gate.member("1")])
    gate.reached("1")
    killed = customer.stack.kill("worker")
    newer = customer.submit([gate.member("2")])
    gate.open()
    until("the worker was replaced", lambda: customer.stack.run["worker"] != killed)
    customer.stack.wait_ready()
    customer.finished(older)
    check(customer, gate, newer, "2")
