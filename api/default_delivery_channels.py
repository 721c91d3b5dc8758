"""`…/defaultDeliveryChannels` of a customer and of a space: channels of assets that name none."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from api import spaces
from api.bodies import json_object
from api.channels import Own, check_fit, policy_fault, policy_name
from api.delivery_channel_policies import policy_url
from api.hydra import Links, Problem, Resource, collection, not_found, resource, window
from api.requests import Customer, MadeLinks, database, whole_number
from api.submission import Faults
from delivery_channels import POLICIES
from projection import default_delivery_channel, delivery_channel_policy
from projection.default_delivery_channel import MOST, Default, TooMany

router = APIRouter(prefix="/defaultDeliveryChannels", tags=["delivery channels"])

CUSTOMER_PREFIX = "/customers/{customer_id}"
SPACE_PREFIX = "/customers/{customer_id}/spaces/{space_id}"
LARGEST = 2**31 - 1

_MEDIA_TYPE = re.compile(
    r"(\*|[a-z0-9][a-z0-9.+!#$&^_-]{0,80})/(\*|[a-z0-9][a-z0-9.+!#$&^_-]{0,80})"
)


@dataclass(frozen=True)
class Place:
    """Whose defaults: a customer's, or with `space` that space's."""

    customer: int
    space: int | None


async def _place(request: Request, customer: Customer) -> Place:
    given = request.path_params.get("space_id")
    if given is None:
        return Place(customer, None)
    async with database(request) as connection:
        return Place(customer, (await spaces.found(connection, customer, given)).id)


ThePlace = Annotated[Place, Depends(_place)]


def _url(links: Links, place: Place, *parts: object) -> str:
    below = () if place.space is None else ("spaces", place.space)
    return links.customer(place.customer, *below, "defaultDeliveryChannels", *parts)


def _shown(links: Links, place: Place, row: Default) -> Resource:
    policy: str | None = row.policy
    if row.policy not in POLICIES[row.channel]:
        policy = policy_url(links, place.customer, row.channel, row.policy)
    return resource(
        "vocab:DefaultDeliveryChannel",
        _url(links, place, row.id),
        id=row.id,
        mediaType=row.media_type,
        channel=row.channel,
        policy=policy,
    )


def _sent(body: dict[str, Any], own: Own, place: Place, number: int = 0) -> Default:
    """What was sent. Raises Problem 400, with every fault."""
    faults = Faults()
    media_type, channel = body.get("mediaType"), body.get("channel")
    if not isinstance(media_type, str) or not _is_pattern(media_type.lower()):
        faults.add("'mediaType' must be a media type such as image/tiff, image/* or */*")
    if not isinstance(channel, str) or channel not in POLICIES:
        faults.add(f"'channel' must be one of {', '.join(POLICIES)}")
    faults.refuse_if_any()
    media_type, channel = str(media_type).lower(), str(channel)
    check_fit([channel], media_type, faults.add)
    given = body.get("policy")
    policy = next(iter(POLICIES[channel])) if given in (None, "") else policy_name(given, channel)
    if fault := policy_fault(policy, channel, own):
        faults.add(fault)
    faults.refuse_if_any()
    return Default(number, place.space, media_type, channel, str(policy))


def _is_pattern(media_type: str) -> bool:
    return bool(_MEDIA_TYPE.fullmatch(media_type)) and not re.match(r"\*/[^*]", media_type)


def _taken(sent: Default) -> Problem:
    there = f"There is a default of channel {sent.channel} for {sent.media_type} already"
    return Problem(409, "Conflict", there)


@router.get("")
async def read_defaults(request: Request, place: ThePlace, links: MadeLinks) -> Resource:
    """The defaults of the customer, or of the space alone; the customer's count in it too."""
    wanted = window(request)
    async with database(request) as connection:
        page = await default_delivery_channel.page(connection, place.customer, place.space, wanted)
    return collection(_url(links, place), wanted, page, lambda row: _shown(links, place, row))


@router.post("", status_code=201)
async def post_default(request: Request, place: ThePlace, links: MadeLinks) -> JSONResponse:
    """Creates a default for a media type and a channel."""
    body = await json_object(request)
    try:
        async with database(request) as connection:
            own = await delivery_channel_policy.own(connection, place.customer)
            sent = _sent(body, own, place)
            row = await default_delivery_channel.create(connection, place.customer, sent)
    except TooMany as error:
        most = f"There are {MOST} defaults at most"
        raise Problem(409, "Conflict", most) from error
    if row is None:
        raise _taken(sent)
    answer = _shown(links, place, row)
    return JSONResponse(answer, status_code=201, headers={"Location": answer["@id"]})


async def _found(request: Request, place: Place, default_id: str) -> Default:
    """The default. Raises Problem 404."""
    number = whole_number(default_id, "default delivery channel", LARGEST)
    async with database(request) as connection:
        row = await default_delivery_channel.get(connection, place.customer, place.space, number)
    if row is None:
        raise not_found(f"default delivery channel {number} here")
    return row


@router.get("/{default_id}")
async def read_default(
    request: Request, place: ThePlace, default_id: str, links: MadeLinks
) -> Resource:
    """A default."""
    return _shown(links, place, await _found(request, place, default_id))


@router.put("/{default_id}")
async def put_default(
    request: Request, place: ThePlace, default_id: str, links: MadeLinks
) -> Resource:
    """Replaces a default."""
    known = await _found(request, place, default_id)
    body = await json_object(request)
    async with database(request) as connection:
        own = await delivery_channel_policy.own(connection, place.customer)
        sent = _sent(body, own, place, known.id)
        row = await default_delivery_channel.change(connection, place.customer, sent)
    if row is None:
        await _found(request, place, default_id)
        raise _taken(sent)
    return _shown(links, place, row)


@router.delete("/{default_id}", status_code=204)
async def delete_default(request: Request, place: ThePlace, default_id: str) -> Response:
    """Deletes a default."""
    number = whole_number(default_id, "default delivery channel", LARGEST)
    async with database(request) as connection:
        if not await default_delivery_channel.delete(
            connection, place.customer, place.space, number
        ):
            raise not_found(f"default delivery channel {number} here")
    return Response(status_code=204)
