"""Changes of assets: one at once, with the outcome in the answer; or the metadata of many."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api import bodies, spaces, submission
from api.assets import asset_page, found, shown
from api.channels import defaults_of
from api.dispatch import Dispatcher
from api.hydra import Links, Resource, bad_request, not_found
from api.requests import Customer, MadeLinks, database
from api.storage import within_quota
from projection import asset, delivery_channel_policy

router = APIRouter(prefix="/customers/{customer_id}/spaces/{space_id}/images", tags=["assets"])

REPROCESSED = ("origin", "media_type", "delivery_channels")
"""Columns whose change makes an asset to be processed again."""

PROCESSING = ("origin", "mediaType", "deliveryChannels")
"""The same, as clients name them."""


def _check_place(
    body: Mapping[str, Any], space_id: int, name: str, faults: submission.Faults
) -> None:
    """What a body says of the asset's place has to agree with the URL."""
    if body.get("id") not in (None, "", name) and not str(body["id"]).endswith(f"/{name}"):
        faults.add(f"'id' must be '{name}', as in the URL")
    if body.get("space") not in (None, space_id, str(space_id)):
        faults.add(f"'space' must be {space_id}, as in the URL")


async def _processed(
    request: Request, links: Links, row_of: tuple[int, int, str], job: asset.Job, status: int
) -> JSONResponse:
    """The asset once its job has ended: `status`; 202 when that takes too long."""
    dispatcher: Dispatcher = request.app.state.dispatcher
    await dispatcher.process(job, row_of[0])
    async with database(request) as connection:
        row = await asset.get(connection, *row_of)
    if row is None:
        raise not_found(f"asset {row_of[2]}: it was deleted while it was processed")
    answer = shown(links, row)
    headers = {"Location": answer["@id"]} if status == 201 else {}
    return JSONResponse(answer, status_code=202 if row.ingesting else status, headers=headers)


@router.put("/{asset_id}")
async def put_asset(
    request: Request, customer: Customer, space_id: str, asset_id: str, links: MadeLinks
) -> JSONResponse:
    """Creates (201) or replaces (200) an asset, processed at once; 202 while it still is."""
    async with database(request) as connection:
        number = (await spaces.found(connection, customer, space_id)).id
    body = await bodies.json_object(request)
    faults = submission.Faults()
    if why := submission.id_fault(asset_id):
        faults.add(f"the id '{asset_id[:80]}' cannot be used: {why}")
    _check_place(body, number, asset_id, faults)
    async with database(request) as connection:
        own = await delivery_channel_policy.own(connection, customer)
        fields = submission.asset_fields(body, own, faults.add)
        faults.refuse_if_any()
        await spaces.found(connection, customer, space_id)
        defaults = await defaults_of(connection, customer, [number])
        fields["delivery_channels"] = defaults.filled_in(
            fields["delivery_channels"], number, fields["media_type"]
        )
        async with within_quota(connection, customer):
            job = await asset.put(connection, customer, number, {**fields, "id": asset_id})
    status = 201 if job.is_new else 200
    return await _processed(request, links, (customer, number, asset_id), job, status)


@router.patch("/{asset_id}")
async def patch_asset(
    request: Request, customer: Customer, space_id: str, asset_id: str, links: MadeLinks
) -> JSONResponse:
    """Changes properties; processed again only if what it is made from changes."""
    async with database(request) as connection:
        await found(connection, customer, space_id, asset_id)
    body = await bodies.json_object(request)
    number = int(space_id)
    faults = submission.Faults()
    _check_place(body, number, asset_id, faults)
    job = None
    async with database(request) as connection:
        own = await delivery_channel_policy.own(connection, customer)
        changes = submission.asset_fields(body, own, faults.add, partial=True)
        faults.refuse_if_any()
        await asset.lock(connection, customer, number, [asset_id])
        row = await found(connection, customer, space_id, asset_id)
        defaults = await defaults_of(connection, customer, [number])
        changes = submission.settled(
            changes, number, row.media_type, row.delivery_channels, defaults
        )
        await asset.patch(connection, customer, number, {asset_id: changes})
        if any(name in changes and changes[name] != getattr(row, name) for name in REPROCESSED):
            job = await asset.reprocess(connection, customer, number, asset_id)
        row = await found(connection, customer, space_id, asset_id)
    if job is None:
        return JSONResponse(shown(links, row))
    return await _processed(request, links, (customer, number, asset_id), job, 200)


@router.post("/{asset_id}/reingest")
async def reingest_asset(
    request: Request, customer: Customer, space_id: str, asset_id: str, links: MadeLinks
) -> JSONResponse:
    """Processes an asset again, at once; 202 while it still is."""
    async with database(request) as connection:
        row = await found(connection, customer, space_id, asset_id)
        job = await asset.reprocess(connection, customer, row.space_id, row.id)
    if job is None:
        raise not_found(f"asset {asset_id}")
    return await _processed(request, links, (customer, row.space_id, row.id), job, 200)


@router.delete("/{asset_id}", status_code=204)
async def delete_asset(
    request: Request, customer: Customer, space_id: str, asset_id: str
) -> Response:
    """Deletes an asset, and its derivatives from the store."""
    async with database(request) as connection:
        row = await found(connection, customer, space_id, asset_id)
        deletion_id = await asset.delete(connection, customer, row.space_id, row.id)
    if deletion_id is None:
        raise not_found(f"asset {asset_id}")
    dispatcher: Dispatcher = request.app.state.dispatcher
    dispatcher.nudge()
    return Response(status_code=204)


@router.patch("")
async def patch_assets(
    request: Request, customer: Customer, space_id: str, links: MadeLinks
) -> Resource:
    """Changes the metadata of many assets at once, all or none."""
    async with database(request) as connection:
        number = (await spaces.found(connection, customer, space_id)).id
    members = submission.members_of(await bodies.json_object(request))
    most = request.app.state.settings.max_batch_size
    if len(members) > most:
        raise bad_request(f"Maximum assets in single update is {most}")
    changes = _metadata_of(members, number)
    async with database(request) as connection:
        known = await asset.lock(connection, customer, number, list(changes))
        if unknown := [name for name in changes if name not in known]:
            raise bad_request(f"Not in space {number}: {', '.join(unknown)}")
        await asset.patch(connection, customer, number, changes)
        url = links.customer(customer, "spaces", number, "images")
        view = asset.of_ids(customer, number, list(changes))
        return await asset_page(request, connection, links, url, view)


def _metadata_of(members: list[Any], space_id: int) -> dict[str, dict[str, Any]]:
    """The changes of each asset, by id. Raises Problem 400."""
    faults = submission.Faults()
    changes: dict[str, dict[str, Any]] = {}
    for number, member in enumerate(members, 1):
        where = f"member {number}"
        if not isinstance(member, dict):
            faults.add("must be an asset, a JSON object", where)
            continue

        def add(fault: str, where: str = where) -> None:
            faults.add(fault, where)

        name = member.get("id")
        if not isinstance(name, str) or not submission.is_text(name) or not name:
            add("'id' must be the id of an asset")
            continue
        if member.get("space") not in (None, space_id, str(space_id)):
            add(f"'space' must be {space_id}, as in the URL")
        for sent in PROCESSING:
            if member.get(sent) is not None:
                add(f"'{sent}' cannot be changed for many assets at once")
        if name in changes:
            add(f"Members contains a duplicate Id: {name}")
        kept = {key: value for key, value in member.items() if key not in PROCESSING}
        changes[name] = submission.asset_fields(kept, {}, add, partial=True)
    faults.refuse_if_any()
    return changes
