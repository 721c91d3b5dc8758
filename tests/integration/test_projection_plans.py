"""No statement behind a request or a worker reads a growing table whole, or sorts a customer's."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bench.seed import OF_EACH, seed
from projection.statements import statements

BATCHES = 250

BATCH, ASSET, ENTRY = statements("batch"), statements("asset"), statements("entry")
QUEUE, JOB, WORKER = statements("queue"), statements("job"), statements("worker")
UP = {"up": sql.SQL("ASC"), "down": sql.SQL("DESC")}
DOWN = {"up": sql.SQL("DESC"), "down": sql.SQL("ASC")}
COLUMNS = sql.SQL(BATCH["columns"])


def of_batches(name: str, order: Mapping[str, sql.SQL] = UP) -> sql.Composed:
    return sql.SQL(BATCH[name]).format(columns=COLUMNS, **order)


def of_assets(name: str, *order: str) -> sql.Composed:
    return sql.SQL(ASSET["page"]).format(
        columns=sql.SQL(ASSET["columns"]),
        source=sql.SQL(ASSET[name]),
        conditions=sql.SQL(""),
        order=sql.SQL(", ").join(sql.SQL(column) for column in order),
    )


QUEUE_UP = ("e.batch_id ASC", "e.ordinal ASC")
QUEUE_DOWN = ("e.batch_id DESC", "e.ordinal DESC")
STATEMENTS: dict[str, sql.Composed | sql.SQL] = {
    "queue": sql.SQL(QUEUE["counters"]),
    "global queue": sql.SQL(QUEUE["everywhere"]),
    "batch": of_batches("get"),
    **{
        f"{view}, {end} page": of_batches(f"{view}_batches", order)
        for view in ("all", "active", "recent", "manifest_all", "manifest_active")
        for end, order in (("first", UP), ("last", DOWN))
    },
    "manifest_recent": of_batches("manifest_recent_batches"),
    "images, first page": of_assets("of_queue", *QUEUE_UP),
    "images, last page": of_assets("of_queue", *QUEUE_DOWN),
    "manifest's images": of_assets("of_manifest_queue", *QUEUE_UP),
    "batch images, first page": of_assets("of_batch", "a.ordinal ASC"),
    "batch images, last page": of_assets("of_batch", "a.ordinal DESC"),
    "batch entries": of_assets("of_batch_entries", "e.ordinal ASC"),
    "batch errors": of_assets("of_batch_by_state", "e.ordinal ASC"),
    "space images": of_assets("of_space", "a.id ASC"),
    "all images": of_assets("of_customer", "a.space_id DESC", "a.id DESC"),
    "asset": sql.SQL(ASSET["get"]).format(columns=sql.SQL(ASSET["columns"])),
    **{
        f"batch: {name}": sql.SQL(BATCH[name])
        for name in ("undispatched", "newest_undispatched", "unfinished", "lock_many", "request")
    },
    **{
        f"batch: {name}": sql.SQL(BATCH[name])
        for name in ("plan", "progress", "dispatched", "lock_assets", "failed", "retry", "cancel")
    },
    **{
        f"entry: {name}": sql.SQL(ENTRY[name])
        for name in ("submit", "take", "open", "lock", "read", "begin", "end")
    },
    **{f"job: {name}": sql.SQL(JOB[name]) for name in ("lock", "read", "end")},
    **{
        f"asset: {name}": sql.SQL(ASSET[name])
        for name in ("lock", "lock_many", "end_entries", "pending_jobs", "pending_deletions")
    },
    "worker": sql.SQL(WORKER["alive"]),
}

ALL_OPEN = ("batch_undispatched", "batch_unfinished", "asset_job")
"""Indexes that hold nothing of what has finished."""

PARAMETERS: dict[str, Any] = {
    "manifest_key": 7,
    "limit": 100,
    "offset": 0,
    "id": 42,
    "batch_id": 42,
    "ordinal": 3,
    "ordinals": [1, 2, 3],
    "batch_ids": [1, 2, 3],
    "space_id": 1,
    "asset_id": "42-3",
    "ids": ["42-3", "42-4"],
    "after": 17,
    "state": "error",
    "error": None,
    "requests": [1, 1, 1],
    "kind": "main",
    "job_id": 5,
    "seconds": 10.0,
    **dict.fromkeys(("width", "height", "duration"), 5),
    "derivatives": "[]",
}


@pytest.fixture(scope="module")
def seeded(template: str) -> Iterator[tuple[psycopg.Connection[Any], int]]:
    """A connection to a database with many finished batches, and one of the two whose they are."""
    name = sql.Identifier("seeded")
    with psycopg.connect(template.replace("/iiifq", "/postgres", 1), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE iiifq").format(name))
        url = template.replace("/iiifq", "/seeded", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            for customer_id in (1, 2):
                connection.execute(
                    "INSERT INTO customer (id, name) VALUES (%s, 'one')", (customer_id,)
                )
                connection.execute(
                    "INSERT INTO space (customer_id, id, name) VALUES (%s, 1, 'one')",
                    (customer_id,),
                )
                seed(url, customer_id, BATCHES)
            yield connection, customer_id
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan, from the top."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def refuse_growth(plan: dict[str, Any]) -> None:
    """Fails when a plan reads a table or an index whole, or sorts or hashes more than a batch."""
    for node in nodes(plan):
        if node["Node Type"] == "Seq Scan":
            assert node["Relation Name"] not in ("asset", "entry", "batch"), node
        if node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
            assert "Index Cond" in node or node["Index Name"] in ALL_OPEN, node
        if "Sort" in node["Node Type"] or "Hash" in node["Node Type"]:
            assert node["Plan Rows"] <= 2 * OF_EACH, node


def custom_plan(connection: psycopg.Connection[Any], statement: Any, named: Any) -> dict[str, Any]:
    """The plan made for these parameters."""
    with connection.transaction(force_rollback=True):
        cursor = connection.execute(sql.SQL("EXPLAIN (FORMAT JSON) ") + statement, named)
        (((explained,),),) = cursor.fetchall()
    plan: dict[str, Any] = explained["Plan"]
    return plan


def generic_plan(connection: psycopg.Connection[Any], statement: Any) -> dict[str, Any]:
    """The plan made for any parameters: what a statement that is prepared comes to use."""
    text = statement.as_string(connection).replace("%%", "%")
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    for number, name in enumerate(names, 1):
        text = text.replace(f"%({name})s", f"${number}")
    explain = sql.SQL("EXPLAIN (GENERIC_PLAN, FORMAT JSON) ") + sql.SQL(text)
    with psycopg.ClientCursor(connection) as cursor:
        (((explained,),),) = cursor.execute(explain).fetchall()
    plan: dict[str, Any] = explained["Plan"]
    return plan


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_plan_grows_with_history(seeded: tuple[psycopg.Connection[Any], int], name: str) -> None:
    connection, customer_id = seeded
    named = {**PARAMETERS, "customer_id": customer_id}
    if name in ("asset", "asset: lock", "asset: end_entries"):
        named["id"] = "42-3"
    refuse_growth(custom_plan(connection, STATEMENTS[name], named))
    refuse_growth(generic_plan(connection, STATEMENTS[name]))


def test_a_missing_index_is_found(seeded: tuple[psycopg.Connection[Any], int]) -> None:
    connection, customer_id = seeded
    named = {**PARAMETERS, "customer_id": customer_id}
    with connection.transaction(force_rollback=True):
        connection.execute("DROP INDEX batch_recent, entry_queue, asset_batch")
        for name in ("recent, first page", "images, first page", "batch images, first page"):
            with pytest.raises(AssertionError, match="Node Type"):
                refuse_growth(custom_plan(connection, STATEMENTS[name], named))
