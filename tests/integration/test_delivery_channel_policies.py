"""A policy that somebody is just naming is not deleted, and the other way round."""

import asyncio

import pytest

from projection import asset, customer, delivery_channel_policy, space
from projection.database import Pool, transaction
from projection.delivery_channel_policy import PolicyInUse, Sent
from tests.integration.conftest import FIELDS, until_one_waits


@pytest.fixture
async def customer_id(pool: Pool) -> int:
    async with transaction(pool) as connection:
        made = await customer.create(connection, "library", None)
        assert made is not None
        await space.put(connection, made.id, 1, "books")
        await delivery_channel_policy.create(
            connection, made.id, Sent("thumbs", "large", None, ["9,"])
        )
    return made.id


async def delete(pool: Pool, customer_id: int) -> bool:
    async with transaction(pool) as connection:
        return await delivery_channel_policy.delete(connection, customer_id, "thumbs", "large")


async def test_who_names_it_is_waited_for(pool: Pool, customer_id: int) -> None:
    async with transaction(pool) as connection:
        assert await delivery_channel_policy.own(connection, customer_id) == {"thumbs": {"large"}}
        deleting = asyncio.create_task(delete(pool, customer_id))
        await until_one_waits(connection)
        await asset.put(connection, customer_id, 1, FIELDS)
    with pytest.raises(PolicyInUse):
        await deleting
    async with transaction(pool) as connection:
        await asset.delete(connection, customer_id, 1, "a")
    assert await delete(pool, customer_id)
    assert not await delete(pool, customer_id)


async def test_what_is_being_deleted_is_not_named(pool: Pool, customer_id: int) -> None:
    async def own() -> object:
        async with transaction(pool) as connection:
            return await delivery_channel_policy.own(connection, customer_id)

    async with transaction(pool) as connection:
        await delivery_channel_policy.delete(connection, customer_id, "thumbs", "large")
        reading = asyncio.create_task(own())
        await until_one_waits(connection)
    assert await reading == {}


async def test_only_assets_with_a_policy_of_ones_own_are_looked_through(
    pool: Pool, customer_id: int
) -> None:
    """The index of those few serves; whoever has the platform's alone is not in it."""
    plain = {**FIELDS, "id": "b", "delivery_channels": [{"channel": "thumbs", "policy": "default"}]}
    async with transaction(pool) as connection:
        await asset.put(connection, customer_id, 1, FIELDS)
        await asset.put(connection, customer_id, 1, plain)
        await connection.execute("SET LOCAL enable_seqscan = off")
        cursor = await connection.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM asset"
            " WHERE customer_id = %s AND NOT of_the_platform(delivery_channels)",
            [customer_id],
        )
        row = await cursor.fetchone()
    assert row is not None
    plan = row["QUERY PLAN"][0]["Plan"]
    assert "asset_own_policy" in str(plan)
    assert plan["Actual Rows"] == 1
