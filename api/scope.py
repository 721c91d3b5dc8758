"""Whose queue a URL is about: a customer's, or a manifest's."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from api.hydra import Links, not_found
from api.requests import Customer, MadeLinks, database
from projection import manifest, queue

CUSTOMER_PREFIX = "/customers/{customer_id}"
MANIFEST_PREFIX = "/customers/{customer_id}/manifests/{manifest_id}"
ALIASES = (
    "/{customer_id}/manifests/{manifest_id}",
    "/customers/{customer_id}/iiif/{manifest_id}",
)


@dataclass(frozen=True)
class Scope:
    """A queue: the customer's own, or with a manifest that manifest's; `url` is its one `@id`."""

    customer: int
    manifest: manifest.Manifest | None
    url: str

    @property
    def manifest_key(self) -> int:
        """The key that the projection knows the queue by."""
        return queue.CUSTOMER_QUEUE if self.manifest is None else self.manifest.key


def manifest_url(links: Links, customer_id: int, manifest_id: str) -> str:
    """The address of a manifest."""
    return links.customer(customer_id, "manifests", quote(manifest_id, safe=""))


async def found_manifest(request: Request, customer_id: int, manifest_id: str) -> manifest.Manifest:
    """The customer's manifest. Raises Problem 404."""
    row = None
    if "\0" not in manifest_id:
        async with database(request) as connection:
            row = await manifest.get(connection, customer_id, manifest_id)
    if row is None:
        raise not_found(f"manifest {manifest_id}")
    return row


async def _scope(request: Request, customer: Customer, links: MadeLinks) -> Scope:
    manifest_id = request.path_params.get("manifest_id")
    if manifest_id is None:
        return Scope(customer, None, links.customer(customer, "queue"))
    row = await found_manifest(request, customer, manifest_id)
    return Scope(customer, row, f"{manifest_url(links, customer, row.id)}/queue")


TheScope = Annotated[Scope, Depends(_scope)]
