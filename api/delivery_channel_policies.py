"""`/customers/{c}/deliveryChannelPolicies`: what the channels of assets make, by name.

The platform's policies are read, never changed; a customer has their own for thumbnails, and for
sound and film. A change is for what is processed from then on.
"""

import json
import re
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.bodies import json_object
from api.channels import sizes_fault
from api.hydra import Links, Problem, Resource, collection, date, not_found, resource, window
from api.requests import Customer, MadeLinks, database
from api.submission import Faults, is_text
from delivery_channels import AV_PRESETS, CUSTOMISABLE, POLICIES, TITLES
from projection import delivery_channel_policy
from projection.delivery_channel_policy import MOST, OwnPolicy, PolicyInUse, Sent, TooMany
from projection.page import Page, Window

router = APIRouter(
    prefix="/customers/{customer_id}/deliveryChannelPolicies", tags=["delivery channels"]
)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
LONGEST_DISPLAY_NAME = 200


def policy_url(links: Links, customer_id: int, *parts: str) -> str:
    """The address of the policies of a channel, or of one."""
    return links.customer(customer_id, "deliveryChannelPolicies", *parts)


def _shown(links: Links, customer_id: int, row: OwnPolicy) -> Resource:
    return resource(
        "vocab:DeliveryChannelPolicy",
        policy_url(links, customer_id, row.channel, row.name),
        name=row.name,
        displayName=row.display_name,
        channel=row.channel,
        policyData=json.dumps(row.data),
        policyCreated=date(row.created),
        policyModified=date(row.modified),
    )


def _platform(links: Links, customer_id: int, channel: str) -> list[Resource]:
    return [
        resource(
            "vocab:DeliveryChannelPolicy",
            policy_url(links, customer_id, channel, name),
            name=name,
            displayName=policy.display_name,
            channel=channel,
            policyData=json.dumps(policy.data) if policy.data else None,
        )
        for name, policy in POLICIES[channel].items()
    ]


def _page(url: str, wanted: Window, all_of_them: list[Resource]) -> Resource:
    start = (wanted.number - 1) * wanted.size
    page = Page(all_of_them[start : start + wanted.size], len(all_of_them))
    return collection(url, wanted, page, lambda each: each)


def _known(channel: str) -> str:
    """The channel. Raises Problem 404."""
    if channel not in POLICIES:
        raise not_found(f"delivery channel {channel[:40]}: there are {', '.join(POLICIES)}")
    return channel


def _customisable(channel: str, name: str | None = None) -> None:
    """Raises Problem 404 or 409."""
    if _known(channel) not in CUSTOMISABLE or name in POLICIES[channel]:
        raise Problem(
            409,
            "Conflict",
            "The platform's policies cannot be changed; there can be others of the channels "
            + ", ".join(CUSTOMISABLE),
        )


def _display_name(body: dict[str, Any], faults: Faults) -> str | None:
    given = body.get("displayName")
    if given is None:
        return None
    if not is_text(given) or len(str(given)) > LONGEST_DISPLAY_NAME:
        faults.add(f"'displayName' must be a text of at most {LONGEST_DISPLAY_NAME} characters")
    return str(given)


def _data(given: object, channel: str, faults: Faults) -> list[str]:
    """A list, or a text that holds one as JSON."""
    try:
        said = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, list):
        faults.add("'policyData' must be an array of texts, or a text that holds one as JSON")
        return []
    if channel == "thumbs":
        if fault := sizes_fault(said):
            faults.add(f"'policyData' {fault}")
    elif len(said) != 1 or said[0] not in AV_PRESETS:
        faults.add(f"'policyData' must hold one of {', '.join(AV_PRESETS)}")
    return said


def _sent_name(body: dict[str, Any], channel: str, faults: Faults) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        faults.add(
            "'name' must be 1 to 100 lower-case letters, digits, dots, dashes and underscores"
        )
        return ""
    if name in POLICIES[channel]:
        faults.add(f"'name' cannot be '{name}', which is one of the platform's policies")
    return name


@router.get("")
async def read_channels(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """The delivery channels that have policies."""
    channels = [
        {"@id": policy_url(links, customer, channel), "@type": "Collection", "title": title}
        for channel, title in TITLES.items()
    ]
    return _page(policy_url(links, customer), window(request), channels)


@router.get("/{channel}")
async def read_policies(
    request: Request, customer: Customer, channel: str, links: MadeLinks
) -> Resource:
    """The policies of a channel: the platform's, then the customer's by name."""
    _known(channel)
    wanted = window(request)
    async with database(request) as connection:
        own = await delivery_channel_policy.of_channel(connection, customer, channel)
    every = _platform(links, customer, channel) + [_shown(links, customer, row) for row in own]
    return _page(policy_url(links, customer, channel), wanted, every)


@router.post("/{channel}", status_code=201)
async def post_policy(
    request: Request, customer: Customer, channel: str, links: MadeLinks
) -> JSONResponse:
    """Creates a policy."""
    _customisable(channel)
    body = await json_object(request)
    faults = Faults()
    name = _sent_name(body, channel, faults)
    title, data = _display_name(body, faults), _data(body.get("policyData"), channel, faults)
    faults.refuse_if_any()
    row = await _created(request, customer, Sent(channel, name, title, data))
    if row is None:
        raise Problem(409, "Conflict", f"There is a policy {name} of channel {channel} already")
    return _answer(links, customer, row)


async def _created(request: Request, customer: int, sent: Sent) -> OwnPolicy | None:
    try:
        async with database(request) as connection:
            return await delivery_channel_policy.create(connection, customer, sent)
    except TooMany as error:
        most = f"A customer has {MOST} delivery channel policies at most"
        raise Problem(409, "Conflict", most) from error


def _answer(links: Links, customer: int, row: OwnPolicy) -> JSONResponse:
    said = _shown(links, customer, row)
    return JSONResponse(said, status_code=201, headers={"Location": said["@id"]})


@router.get("/{channel}/{name}")
async def read_policy(
    request: Request, customer: Customer, channel: str, name: str, links: MadeLinks
) -> Resource:
    """A policy."""
    for said in _platform(links, customer, _known(channel)):
        if said["name"] == name:
            return said
    return _shown(links, customer, await _found(request, customer, channel, name))


async def _found(request: Request, customer: int, channel: str, name: str) -> OwnPolicy:
    """The customer's own. Raises Problem 404."""
    row = None
    if _NAME.fullmatch(name):
        async with database(request) as connection:
            row = await delivery_channel_policy.get(connection, customer, channel, name)
    if row is None:
        raise not_found(f"policy {name[:100]} of delivery channel {channel}")
    return row


@router.put("/{channel}/{name}")
async def put_policy(
    request: Request, customer: Customer, channel: str, name: str, links: MadeLinks
) -> JSONResponse:
    """Creates a policy (201) or replaces it (200)."""
    _customisable(channel, name)
    body = await json_object(request)
    faults = Faults()
    _sent_name({"name": name}, channel, faults)
    if body.get("name") not in (None, name):
        faults.add(f"'name' must be '{name}', as in the URL")
    title, data = _display_name(body, faults), _data(body.get("policyData"), channel, faults)
    faults.refuse_if_any()
    sent = Sent(channel, name, title, data)
    async with database(request) as connection:
        row = await delivery_channel_policy.change(connection, customer, sent)
    if row is not None:
        return JSONResponse(_shown(links, customer, row))
    created = await _created(request, customer, sent)
    if created is None:
        raise Problem(409, "Conflict", "The policy is being created by another request; try again")
    return _answer(links, customer, created)


@router.patch("/{channel}/{name}")
async def patch_policy(
    request: Request, customer: Customer, channel: str, name: str, links: MadeLinks
) -> Resource:
    """Changes what is sent of a policy."""
    _customisable(channel, name)
    row = await _found(request, customer, channel, name)
    body = await json_object(request)
    faults = Faults()
    if body.get("name") not in (None, name):
        faults.add(f"'name' must be '{name}', as in the URL")
    title = _display_name(body, faults) if "displayName" in body else row.display_name
    data = _data(body["policyData"], channel, faults) if "policyData" in body else row.data
    faults.refuse_if_any()
    async with database(request) as connection:
        sent = Sent(channel, name, title, data)
        changed = await delivery_channel_policy.change(connection, customer, sent)
    if changed is None:
        raise not_found(f"policy {name} of delivery channel {channel}")
    return _shown(links, customer, changed)


@router.delete("/{channel}/{name}", status_code=204)
async def delete_policy(request: Request, customer: Customer, channel: str, name: str) -> Response:
    """Deletes a policy that no default and no asset names."""
    _customisable(channel, name)
    await _found(request, customer, channel, name)
    try:
        async with database(request) as connection:
            await delivery_channel_policy.delete(connection, customer, channel, name)
    except PolicyInUse as error:
        raise Problem(
            409,
            "Conflict",
            f"The policy {name} is in use: there are defaults or assets that name it",
        ) from error
    return Response(status_code=204)
