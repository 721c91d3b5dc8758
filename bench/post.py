"""POST of a batch over HTTP, against the bare multi-row INSERTs of the same rows.

The INSERTs go into the same tables of the same database, without triggers, in one transaction.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from bench.api_process import api
from bench.figure import Figure

MOST_RATIO = 3.0
CHANNELS = Jsonb(
    [{"channel": "iiif-img", "policy": "default"}, {"channel": "thumbs", "policy": "default"}]
)
BATCH = """
INSERT INTO batch (id, customer_id, kind, count, waiting, owned) OVERRIDING SYSTEM VALUE
VALUES (%s, 1, 'main', %s, %s, %s)
"""
ASSETS = """
INSERT INTO asset (customer_id, space_id, id, media_type, origin, delivery_channels, string1,
    number1, batch_id, ordinal) VALUES
"""
ENTRIES = """
INSERT INTO entry (batch_id, ordinal, customer_id, manifest_key, kind, space_id, asset_id) VALUES
"""


def _rows(statement: str, width: int, count: int) -> sql.Composed:
    row = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * width))
    return sql.SQL(statement) + sql.SQL(", ").join([row] * count)


def members(mark: str, count: int) -> list[dict[str, Any]]:
    """What is sent."""
    return [
        {
            "id": f"{mark}-{number}",
            "space": 1,
            "mediaType": "image/jpeg",
            "origin": f"https://example.org/books/{mark}/{number}.jpg",
            "string1": mark,
            "number1": number,
        }
        for number in range(count)
    ]


def ours(client: httpx.Client, sent: list[dict[str, Any]]) -> float:
    """Seconds of a POST."""
    started = time.perf_counter()
    response = client.post("/queue", json={"@type": "Collection", "member": sent})
    spent = time.perf_counter() - started
    if response.status_code != 201:
        raise RuntimeError(response.text)
    return spent


def bare(connection: psycopg.Connection[Any], sent: list[dict[str, Any]]) -> float:
    """Seconds of the INSERTs alone: their text is made before."""
    count = len(sent)
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        row = cursor.execute("SELECT nextval(pg_get_serial_sequence('batch', 'id'))").fetchone()
        assert row
        (batch_id,) = row
        assets = [
            value
            for number, each in enumerate(sent, 1)
            for value in (
                *(1, each["space"], each["id"], each["mediaType"], each["origin"], CHANNELS),
                *(each["string1"], each["number1"], batch_id, number),
            )
        ]
        entries = [
            value
            for number, each in enumerate(sent, 1)
            for value in (batch_id, number, 1, 0, "main", each["space"], each["id"])
        ]
        texts = [
            cursor.mogrify(BATCH, (batch_id, count, count, count)),
            cursor.mogrify(_rows(ASSETS, 10, count), assets),
            cursor.mogrify(_rows(ENTRIES, 7, count), entries),
        ]
        started = time.perf_counter()
        for text in texts:
            cursor.execute(text)
    return time.perf_counter() - started


def run(count: int, rounds: int) -> Figure:
    """The figure for batches of `count` assets; medians, both alternating."""
    spent: dict[str, list[float]] = {"ours": [], "bare": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        api(Path(folder)) as running,
        running.customer(1) as client,
        psycopg.connect(running.database_url, autocommit=True) as connection,
    ):
        connection.execute("SET session_replication_role = replica")
        for number in range(rounds + 2):
            seconds = {
                "ours": ours(client, members(f"ours-{number}", count)),
                "bare": bare(connection, members(f"bare-{number}", count)),
            }
            if number >= 2:
                for side, value in seconds.items():
                    spent[side].append(value)
    milliseconds = (1000 * median(spent["ours"]), 1000 * median(spent["bare"]))
    name = f"POST of {count:,} assets against bare INSERTs"
    return Figure(name, *milliseconds, "ms", MOST_RATIO, "at most")
