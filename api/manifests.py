"""`/customers/{c}/manifests`: manifests, each with a queue of its own."""

import uuid
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api import bodies
from api.assets import asset_page
from api.hydra import Links, Problem, Resource, bad_request, collection, date, resource, window
from api.requests import Customer, MadeLinks, database
from api.scope import found_manifest, manifest_url
from api.submission import id_fault, is_text
from projection import asset, manifest

router = APIRouter(prefix="/customers/{customer_id}/manifests", tags=["manifests"])


def shown(links: Links, row: manifest.Manifest) -> Resource:
    """A manifest as clients see it."""
    url = manifest_url(links, row.customer_id, row.id)
    return resource(
        "vocab:Manifest",
        url,
        id=row.id,
        label=row.label,
        created=date(row.created),
        space=row.space_id,
        queue=f"{url}/queue",
        assets=f"{url}/assets",
    )


def _label(body: dict[str, Any]) -> Any:
    """A text or an IIIF language map. Raises Problem 400."""
    label = body.get("label")
    if label is None or is_text(label):
        return label
    if isinstance(label, dict) and all(
        is_text(language) and isinstance(values, list) and all(is_text(v) for v in values)
        for language, values in label.items()
    ):
        return label
    raise bad_request('\'label\' must be a text, or a language map such as {"en": ["A book"]}')


def _id(given: object) -> str:
    if given is None or given == "":
        return str(uuid.uuid4())
    if not is_text(given):
        raise bad_request("'id' must be a text")
    text = str(given)
    if why := id_fault(text):
        raise bad_request(f"the id '{text[:80]}' cannot be used: {why}")
    return text


@router.get("")
async def read_manifests(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """The customer's manifests, oldest first."""
    wanted = window(request)
    async with database(request) as connection:
        page = await manifest.page(connection, customer, wanted)
    url = links.customer(customer, "manifests")
    return collection(url, wanted, page, lambda row: shown(links, row))


@router.post("", status_code=201)
async def post_manifest(request: Request, customer: Customer, links: MadeLinks) -> JSONResponse:
    """Creates a manifest; without an id it is given one."""
    body = await bodies.json_object(request)
    name, label = _id(body.get("id")), _label(body)
    async with database(request) as connection:
        row = await manifest.create(connection, customer, name, label)
    if row is None:
        raise Problem(409, "Conflict", f"There is a manifest {name} already")
    answer = shown(links, row)
    return JSONResponse(answer, status_code=201, headers={"Location": answer["@id"]})


@router.get("/{manifest_id}")
async def read_manifest(
    request: Request, customer: Customer, manifest_id: str, links: MadeLinks
) -> Resource:
    """A manifest."""
    return shown(links, await found_manifest(request, customer, manifest_id))


@router.put("/{manifest_id}")
async def put_manifest(
    request: Request, customer: Customer, manifest_id: str, links: MadeLinks
) -> JSONResponse:
    """Creates a manifest (201) or relabels it (200)."""
    name = _id(manifest_id)
    body = await bodies.json_object(request)
    if body.get("id") not in (None, "", name, manifest_url(links, customer, name)):
        raise bad_request(f"'id' must be '{name}', as in the URL")
    async with database(request) as connection:
        row = await manifest.put(connection, customer, name, _label(body))
    answer = shown(links, row)
    headers = {"Location": answer["@id"]} if row.is_new else {}
    return JSONResponse(answer, status_code=201 if row.is_new else 200, headers=headers)


@router.delete("/{manifest_id}", status_code=204)
async def delete_manifest(request: Request, customer: Customer, manifest_id: str) -> Response:
    """Deletes a manifest; its assets stay."""
    row = await found_manifest(request, customer, manifest_id)
    async with database(request) as connection:
        await manifest.delete(connection, row)
    return Response(status_code=204)


@router.get("/{manifest_id}/assets")
async def read_manifest_assets(
    request: Request, customer: Customer, manifest_id: str, links: MadeLinks
) -> Resource:
    """The assets that are associated with a manifest, by space and id."""
    row = await found_manifest(request, customer, manifest_id)
    url = f"{manifest_url(links, customer, row.id)}/assets"
    async with database(request) as connection:
        return await asset_page(request, connection, links, url, asset.of_manifest(row.key))
