"""Origins that ask for credentials: strategies over HTTP, and what they send to whom."""

import base64
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from tests.conftest import SAMPLES
from tests.stack import Customer, Json

PICTURE = (SAMPLES / "rocket.jpg").read_bytes()
PASSWORD = "open sésame"
KEY = {"accessKeyId": "id", "secretAccessKey": "kept/secret+key="}
GOOD = "Basic " + base64.b64encode(f"reader:{PASSWORD}".encode()).decode()


@dataclass
class Guarded:
    """An origin that asks for credentials below `/kept/`, and leads elsewhere from `/moved/`."""

    url: str = ""
    elsewhere: str = ""
    sent: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    origin = Guarded()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization")
            host = self.headers["Host"]
            origin.sent.append((f"{host}{self.path}", given))
            status, headers, body = 200, {}, PICTURE
            if self.path.startswith("/moved/"):
                status, headers, body = 302, {"Location": f"{origin.elsewhere}/open/a.jpg"}, b""
            elif self.path.startswith("/kept/") and given != GOOD:
                status, body = 401, b""
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            return

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    origin.url, origin.elsewhere = (
        f"http://127.0.0.1:{server.server_address[1]}" for server in servers
    )
    yield origin
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


def strategy(guarded: Guarded, **more: object) -> Json:
    return {
        "regex": f"^{guarded.url}/",
        "strategy": "basic-http-authentication",
        "order": 5,
        "credentials": {"user": "reader", "password": PASSWORD},
        **more,
    }


def error_of(customer: Customer, url: str) -> str | None:
    """What processing an asset from there comes to."""
    member = {"id": "a", "space": 1, "origin": url, "mediaType": "image/jpeg"}
    customer.finished(customer.submit([member]))
    error: str | None = customer.get("/spaces/1/images/a").get("error")
    return error


def test_credentials_are_sent_where_they_belong(customer: Customer, guarded: Guarded) -> None:
    assert "401 Unauthorized" in (error_of(customer, f"{guarded.url}/kept/a.jpg") or "")
    assert customer.post("/originStrategies", strategy(guarded)).status_code == 201
    assert error_of(customer, f"{guarded.url}/kept/a.jpg") is None
    guarded.sent.clear()
    assert error_of(customer, f"{guarded.url}/moved/a.jpg") is None
    hosts = {place.partition("/")[0]: given for place, given in guarded.sent}
    there = guarded.elsewhere.removeprefix("http://")
    assert hosts == {guarded.url.removeprefix("http://"): GOOD, there: None}

    stranger = customer.stack.customer("stranger")
    assert "401" in (error_of(stranger, f"{guarded.url}/kept/a.jpg") or "")


def test_the_first_that_matches_counts(customer: Customer, guarded: Guarded) -> None:
    customer.post("/originStrategies", strategy(guarded))
    plain = {"regex": r"kept/.*\.jpg$", "strategy": "default", "order": 1}
    assert customer.post("/originStrategies", plain).status_code == 201
    assert "401" in (error_of(customer, f"{guarded.url}/kept/a.jpg") or "")
    listed = customer.get("/originStrategies")["member"]
    assert [each["order"] for each in listed] == [1, 5]
    url = customer.url(listed[0]["@id"])
    assert customer.stack.client.delete(url, auth=customer.auth).status_code == 204
    assert customer.stack.client.get(url, auth=customer.auth).status_code == 404
    assert error_of(customer, f"{guarded.url}/kept/a.jpg") is None


def test_credentials_are_never_given_back(customer: Customer, guarded: Guarded) -> None:
    made = customer.post("/originStrategies", strategy(guarded))
    assert made.headers["location"] == made.json()["@id"]
    assert made.json()["credentials"] == "xxx"
    assert PASSWORD not in made.text
    changed = {**made.json(), "order": 9}
    put = customer.put(f"/originStrategies/{made.json()['id']}", changed)
    assert (put.status_code, put.json()["order"], put.json()["credentials"]) == (200, 9, "xxx")
    assert error_of(customer, f"{guarded.url}/kept/a.jpg") is None, "it has kept them"
    with psycopg.connect(customer.stack.run["database_url"]) as connection:
        kept = connection.execute("SELECT credentials FROM origin_strategy").fetchall()
    assert all(PASSWORD.encode() not in bytes(row[0]) for row in kept if row[0])
    key = customer.stack.data / "secret.key"
    assert key.stat().st_mode & 0o077 == 0


def test_credentials_are_for_one_strategy(customer: Customer, guarded: Guarded) -> None:
    made = customer.post("/originStrategies", strategy(guarded)).json()
    place = f"/originStrategies/{made['id']}"
    other = {"regex": "^s3://scans/", "strategy": "s3-access-key"}
    assert customer.put(place, other).status_code == 400, "those it has are of no use"
    put = customer.put(place, {**other, "credentials": KEY})
    assert (put.status_code, put.json()["credentials"]) == (200, "xxx")
    assert KEY["secretAccessKey"] not in put.text
    put = customer.put(place, {**other, "strategy": "s3-ambient"})
    assert "credentials" not in put.json()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"regex": "("}, "'regex' is no regular expression"),
        ({"regex": ""}, "'regex' must be"),
        ({"regex": 7}, "'regex' must be"),
        ({"regex": r"(a)\1"}, "'regex' is no regular expression"),
        ({"strategy": "sftp"}, "'strategy' must be one of"),
        ({"order": -1}, "'order' must be"),
        ({"order": True}, "'order' must be"),
        ({"credentials": None}, "'credentials' must be given"),
        ({"credentials": "reader"}, "'credentials' must have"),
        ({"credentials": {"user": "a:b", "password": "c"}}, "without a colon"),
        ({"strategy": "default"}, "are of no use"),
        ({"strategy": "s3-ambient"}, "are of no use"),
        ({"strategy": "s3-access-key"}, "an 'accessKeyId' and a 'secretAccessKey'"),
        (
            {"strategy": "s3-access-key", "credentials": {**KEY, "region": "evil.example/"}},
            "must be one such as eu-west-1",
        ),
        ({"strategy": "s3-access-key", "credentials": None}, '{"accessKeyId": "i"'),
    ],
)
def test_what_is_no_strategy_is_named(
    customer: Customer, guarded: Guarded, change: Json, words: str
) -> None:
    response = customer.post("/originStrategies", strategy(guarded, **change))
    assert response.status_code == 400
    assert words in response.json()["detail"]
    assert customer.get("/originStrategies")["totalItems"] == 0


def test_an_expression_cannot_hold_up_a_worker(customer: Customer, guarded: Guarded) -> None:
    slow = {"regex": "^(a+)+$", "strategy": "default"}
    assert customer.post("/originStrategies", slow).status_code == 201
    url = f"{guarded.url}/open/{'a' * 5000}.jpg"
    assert error_of(customer, url) is None


def test_anothers_strategies_are_not_there(customer: Customer, guarded: Guarded) -> None:
    made = customer.post("/originStrategies", strategy(guarded)).json()
    stranger = customer.stack.customer("stranger")
    response = stranger.stack.client.get(
        stranger.url(f"/originStrategies/{made['id']}"), auth=stranger.auth
    )
    assert response.status_code == 404
