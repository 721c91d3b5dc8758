"""Two hundred requests at once from several customers: no 5xx, no wrong count."""

import asyncio
import ssl
from collections import Counter

import httpx

from tests.conftest import Origin
from tests.stack import Customer, Stack, until

CUSTOMERS, POSTS, ASSETS = 4, 25, 3


def test_two_hundred_at_once(stack: Stack, origin: Origin) -> None:
    crowd = [stack.customer(f"crowd {number}") for number in range(CUSTOMERS)]
    statuses = asyncio.run(_all_at_once(crowd, origin))
    assert statuses == Counter({201: CUSTOMERS * POSTS, 200: CUSTOMERS * POSTS})
    for customer in crowd:
        until("its queue is empty", lambda c=customer: c.get("/queue")["size"] == 0)  # type: ignore[misc]
        batches = customer.get("/queue/batches?pageSize=500")["member"]
        assert len(batches) == POSTS
        for batch in batches:
            assert (batch["count"], batch["completed"], batch["errors"]) == (ASSETS, ASSETS, 0)
        # The first two assets are in every batch: the newest has them, the others one each.
        assert customer.get("/spaces/1/images")["totalItems"] == 2 + POSTS
        assert not any(batch["superseded"] for batch in batches)


async def _all_at_once(crowd: list[Customer], origin: Origin) -> Counter[int]:
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(timeout=60, verify=verify, limits=limits) as client:

        async def post(customer: Customer, number: int) -> int:
            names = ["shared-1", "shared-2", f"own-{number}"]
            members = [
                {
                    "id": name,
                    "space": 1,
                    "mediaType": "image/jpeg",
                    "origin": origin.picture(),
                    "deliveryChannels": ["thumbs"],
                }
                for name in (names if number % 2 else names[::-1])
            ]
            url, auth = customer.url("/queue"), customer.auth
            return (await client.post(url, json={"member": members}, auth=auth)).status_code

        async def poll(customer: Customer, number: int) -> int:
            path = ["/queue", "/queue/batches", "/queue/active", "/queue/images"][number % 4]
            return (await client.get(customer.url(path), auth=customer.auth)).status_code

        return Counter(
            await asyncio.gather(
                *(ask(c, n) for n in range(POSTS) for c in crowd for ask in (post, poll))
            )
        )
