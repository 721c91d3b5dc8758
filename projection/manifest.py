"""Manifests, their association with assets, and their spaces."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Json

from projection import space
from projection.database import Connection, many, one, value
from projection.page import Page, Window, span
from projection.statements import statements

_sql = statements("manifest")


@dataclass(frozen=True)
class Manifest:
    """A manifest: a queue of its own, a label, and at need a space of its own."""

    key: int
    customer_id: int
    id: str
    label: Any
    space_id: int | None
    created: datetime
    is_new: bool = False


class ManifestGone(Exception):
    """The manifest has been deleted since it was read."""


async def get(connection: Connection, customer_id: int, manifest_id: str) -> Manifest | None:
    """The manifest, or None."""
    parameters = {"customer_id": customer_id, "id": manifest_id}
    return await one(connection, Manifest, _sql["get"], parameters)


def _label(label: object) -> Json | None:
    return None if label is None else Json(label)


async def create(
    connection: Connection, customer_id: int, manifest_id: str, label: object
) -> Manifest | None:
    """A new manifest; None when the id is taken."""
    parameters = {"customer_id": customer_id, "id": manifest_id, "label": _label(label)}
    return await one(connection, Manifest, _sql["create"], parameters)


async def put(
    connection: Connection, customer_id: int, manifest_id: str, label: object
) -> Manifest:
    """Creates the manifest (`is_new`) or relabels it."""
    parameters = {"customer_id": customer_id, "id": manifest_id, "label": _label(label)}
    (manifest,) = await many(connection, Manifest, _sql["put"], parameters)
    return manifest


async def delete(connection: Connection, manifest: Manifest) -> None:
    """Deletes the manifest. Its assets stay, and its batches as the customer's."""
    parameters = {"customer_id": manifest.customer_id, "key": manifest.key}
    await connection.execute(_sql["lock"], parameters)
    await connection.execute(_sql["disown"], parameters)
    await connection.execute(_sql["delete_queue"], parameters)
    await connection.execute(_sql["delete"], parameters)


async def own_space(connection: Connection, manifest: Manifest) -> int:
    """The number of the manifest's own space, made at the first call or after it was deleted.

    Raises:
        ManifestGone: the manifest has been deleted.
    """
    held = await one(connection, Manifest, _sql["lock"], {"key": manifest.key})
    if held is None:
        raise ManifestGone
    if held.space_id is not None:
        missing = await space.missing(connection, manifest.customer_id, {held.space_id})
        if not missing:
            return held.space_id
    made = await space.mint(connection, manifest.customer_id, f"Manifest {manifest.id}")
    await connection.execute(_sql["give_space"], {"key": manifest.key, "space_id": made.id})
    return made.id


async def hold(connection: Connection, manifest_key: int) -> None:
    """Keeps the manifest until the transaction ends.

    Raises:
        ManifestGone: it has been deleted.
    """
    if await value(connection, _sql["hold"], {"key": manifest_key}) is None:
        raise ManifestGone


async def associate(connection: Connection, manifest_key: int, batch_id: int) -> None:
    """The assets of the batch belong to the manifest too."""
    await connection.execute(_sql["associate"], {"key": manifest_key, "batch_id": batch_id})


async def page(connection: Connection, customer_id: int, window: Window) -> Page[Manifest]:
    """One page of the customer's manifests, oldest first."""
    total = await value(connection, _sql["total"], {"customer_id": customer_id})
    rows = span(window, total)
    found = await many(
        connection,
        Manifest,
        sql.SQL(_sql["page"]).format(**rows.order),
        {"customer_id": customer_id, "limit": rows.limit, "offset": rows.offset},
    )
    return Page(rows.arrange(found), total)
