"""`iiifq up` makes the first customer once the API is ready, which may be when others make one."""

import asyncio

from cli.customer import create_customer
from cli.stack import first_customer
from projection.database import Pool, transaction
from tests.integration.conftest import until_one_waits


async def test_whoever_is_faster(pool: Pool) -> None:
    async def first() -> object:
        async with transaction(pool) as connection:
            return await first_customer(connection)

    async with transaction(pool) as connection:
        await create_customer(connection, "library", 1)
        late = asyncio.create_task(first())
        await until_one_waits(connection)
    assert await late is None
    assert await first() is None
