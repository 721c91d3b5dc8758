"""The pages of every view, joined together, are the whole view, whichever end is nearer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projection import asset, batch, manifest, queue, space
from projection.batch import BatchView
from projection.database import Connection, Pool, open_pool, transaction
from projection.page import Page, Window, span
from projection.processing import Processed, begin_entry, end_entry
from tests.integration.test_projection_counters import World, made_world, members

PageOf = Callable[[Window], Awaitable[Page[Any]]]


@given(total=st.integers(0, 400), size=st.integers(1, 50))
@settings(derandomize=True, database=None)
def test_spans_cover_each_row_once_from_the_nearer_end(total: int, size: int) -> None:
    view = list(range(total))
    read: list[int] = []
    for number in range(1, total // size + 3):
        rows = span(Window(number, size), total)
        assert rows.offset <= total / 2
        source = view[::-1] if rows.backward else view
        read += rows.arrange(source[rows.offset : rows.offset + rows.limit])
    assert read == view


async def joined(read: PageOf, size: int) -> list[Any]:
    """All pages of a view, each with the same total."""
    first = await read(Window(1, size))
    rows = list(first.rows)
    for number in range(2, first.total // size + 3):
        page = await read(Window(number, size))
        assert page.total == first.total
        rows += page.rows
    assert len(rows) == first.total
    return rows


async def seeded(pool: Pool) -> World:
    """Batches in every state, on both queues, some of a manifest; assets with ties and NULLs."""
    world = await made_world(pool)
    for number in range(9):
        sent = [
            {**each, "string1": [None, "x", "y"][n % 3], "number1": [3, None, 1, 1][n % 4]}
            for n, each in enumerate(members([f"{number}-{n}" for n in range(5)]))
        ]
        async with transaction(pool) as connection:
            made = await batch.submit(
                connection,
                world.customer_id,
                world.book.key if number % 3 == 1 else queue.CUSTOMER_QUEUE,
                "priority" if number == 8 else "main",
                sent,
            )
        for ordinal in range(1, (0, 3, 6)[number % 3 - 1]):
            async with transaction(pool) as connection:
                await begin_entry(connection, made, ordinal)
                fault = "bad" if ordinal == 2 else None
                await end_entry(connection, made, ordinal, Processed(fault, width=ordinal % 2))
        world.batches.append(made)
    async with transaction(pool) as connection:
        await asset.delete(connection, world.customer_id, 1, "0-0")
        for number in range(7):
            await space.mint(connection, world.customer_id, f"space {number}")
            await manifest.put(connection, world.customer_id, f"manifest {number}", None)
    return world


async def views(world: World, connection: Connection) -> dict[str, asset.AssetView]:
    """Every view of assets."""
    customer_id, book = world.customer_id, world.book.key
    of_one = world.batches[0]
    row = await batch.get(connection, customer_id, of_one)
    one = await space.get(connection, customer_id, 1)
    counters = await queue.counters(connection, customer_id)
    of_manifest = await queue.counters(connection, customer_id, book)
    assert row is not None
    assert one is not None
    return {
        "space": asset.of_space(customer_id, 1, one.assets),
        "customer": await asset.of_customer(connection, customer_id),
        "queue": asset.of_queue(customer_id, queue.CUSTOMER_QUEUE, counters.size),
        "manifest queue": asset.of_queue(customer_id, book, of_manifest.size),
        "batch": asset.of_batch(of_one, row.owned),
        "completed": asset.of_batch_by_state(of_one, "completed"),
        "errors": asset.of_batch_by_state(of_one, "error"),
        "entries": asset.of_batch_entries(of_one),
        "ids": asset.of_ids(customer_id, 1, ["1-1", "1-2", "2-1", "none"]),
        "manifest": asset.of_manifest(book),
    }


@pytest.mark.parametrize("size", [1, 3, 4, 100])
async def test_pages_of_batches_spaces_and_manifests(pool: Pool, size: int) -> None:
    world = await seeded(pool)
    customer_id = world.customer_id
    async with transaction(pool) as connection:
        for key in (queue.CUSTOMER_QUEUE, world.book.key):

            async def of(view: BatchView, key: int = key) -> list[batch.Batch]:
                return await joined(
                    lambda window: batch.page(connection, view, customer_id, key, window), size
                )

            every = await of(BatchView.ALL)
            assert [row.id for row in every] == sorted((row.id for row in every), reverse=True)
            assert len(every) == (9 if key == queue.CUSTOMER_QUEUE else 3)
            active = [row for row in every if row.state == "processing"]
            assert await of(BatchView.ACTIVE) == active
            recent = [row for row in every if row.finished and not row.superseded]
            recent.sort(key=lambda row: (row.finished, row.id), reverse=True)
            assert await of(BatchView.RECENT) == recent

        spaces = await joined(lambda window: space.page(connection, customer_id, window), size)
        assert [row.id for row in spaces] == list(range(1, 9))
        held = await joined(lambda window: manifest.page(connection, customer_id, window), size)
        assert [row.id for row in held] == ["book", *(f"manifest {n}" for n in range(7))]


async def test_pages_of_assets(pool: Pool) -> None:
    world = await seeded(pool)
    async with transaction(pool) as connection:
        for name, view in (await views(world, connection)).items():

            async def read(window: Window, view: asset.AssetView = view) -> Page[asset.Asset]:
                return await asset.page(connection, view, window, {})

            whole = await joined(read, 500)
            assert whole, name
            for size in (1, 4, 7):
                assert await joined(read, size) == whole, name


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(["space", "customer", "queue", "manifest queue", "batch", "entries"]),
    st.sampled_from(asset.ORDERS),
    st.booleans(),
    st.sampled_from([{}, {"string1": "x"}, {"number1": 1, "space": 1}]),
    st.integers(1, 20),
)
def test_pages_of_ordered_assets(
    seeded_views: tuple[asyncio.Runner, Pool, dict[str, asset.AssetView]],
    name: str,
    order_by: str,
    descending: bool,
    filters: dict[str, object],
    size: int,
) -> None:
    """Whatever has no value comes last, ties in the view's own order."""
    runner, pool, found = seeded_views

    async def check() -> None:
        async with transaction(pool) as connection:
            plain = (await asset.page(connection, found[name], Window(1, 500), filters)).rows
            whole = await joined(
                lambda window: asset.page(
                    connection, found[name], window, filters, order_by, descending
                ),
                size,
            )
            column = "space_id" if order_by == "space" else order_by
            with_value = [row for row in plain if getattr(row, column) is not None]
            ties = with_value[::-1] if descending else with_value
            ordered = sorted(ties, key=lambda row: getattr(row, column))
            expected = ordered[::-1] if descending else ordered
            rest = [row for row in plain if getattr(row, column) is None]
            assert [row.id for row in whole] == [row.id for row in [*expected, *rest]]

    runner.run(check())


@pytest.fixture
def seeded_views(database_url: str) -> Any:
    """The views of a seeded database, and the loop that its connections belong to."""
    with asyncio.Runner() as runner:
        opened = open_pool(database_url, size=2, name="test")
        pool = runner.run(opened.__aenter__())

        async def prepare() -> dict[str, asset.AssetView]:
            world = await seeded(pool)
            async with transaction(pool) as connection:
                return await views(world, connection)

        yield runner, pool, runner.run(prepare())
        runner.run(opened.__aexit__(None, None, None))
