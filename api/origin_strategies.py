"""`/customers/{c}/originStrategies`: how originals are fetched, by the URL they are at."""

import json
import re
from typing import Any

import re2  # type: ignore[import-untyped]
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.bodies import json_object
from api.hydra import (
    Links,
    Problem,
    Resource,
    collection,
    not_found,
    resource,
    window,
)
from api.requests import Customer, MadeLinks, database, whole_number
from api.submission import Faults, is_text
from projection import origin_strategy
from projection.origin_strategy import ACCESS_KEY, BASIC, STRATEGIES, OriginStrategy, Sent
from sealed import NoKey, Sealer

router = APIRouter(prefix="/customers/{customer_id}/originStrategies", tags=["origin strategies"])

EXAMPLES = {
    BASIC: '{"user": "u", "password": "p"}',
    ACCESS_KEY: '{"accessKeyId": "i", "secretAccessKey": "s", "region": "eu-west-1"}',
}
"""Credentials as they are sent, of the strategies that need them."""

LONGEST = 500
HIDDEN = "xxx"
LARGEST = 2**31 - 1

_PRINTABLE = re.compile(r"[!-~]{1,4000}")
_REGION = re.compile(r"[a-z0-9-]{0,40}")


def shown(links: Links, customer_id: int, row: OriginStrategy) -> Resource:
    """A strategy as clients see it: never its credentials."""
    return resource(
        "vocab:CustomerOriginStrategy",
        links.customer(customer_id, "originStrategies", row.id),
        id=row.id,
        regex=row.regex,
        strategy=row.strategy,
        order=row.position,
        credentials=HIDDEN if row.has_credentials else None,
    )


def _sent(body: dict[str, Any], sealer: Sealer, known: OriginStrategy | None = None) -> Sent:
    """What was sent, in the place of `known`. Raises Problem 400, with every fault."""
    faults = Faults()
    regex, strategy, order = body.get("regex"), body.get("strategy"), body.get("order", 0)
    if not is_text(regex) or not regex or len(str(regex)) > LONGEST:
        faults.add(f"'regex' must be a regular expression of 1 to {LONGEST} characters")
    else:
        try:
            re2.compile(regex)
        except re2.error as error:
            faults.add(f"'regex' is no regular expression that RE2 reads: {error}")
    if strategy not in STRATEGIES:
        faults.add(f"'strategy' must be one of {', '.join(STRATEGIES)}")
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= LARGEST:
        faults.add("'order' must be a whole number, 0 or more")
    given = body.get("credentials")
    credentials = None
    if strategy not in EXAMPLES:
        if given not in (None, HIDDEN):
            faults.add(f"'credentials' are of no use to the strategy {strategy}")
    elif given not in (None, HIDDEN):
        credentials = (_key_pair if strategy == ACCESS_KEY else _password)(_object(given), faults)
    elif known is None or known.strategy != strategy:
        faults.add(f"'credentials' must be given, such as {EXAMPLES[strategy]}")
    faults.refuse_if_any()
    try:
        sealed = None if credentials is None else sealer.seal(credentials)
    except NoKey as error:
        raise Problem(
            501,
            "Not Implemented",
            "Credentials cannot be kept: the operator has to set IIIFQ_SECRET_KEYS first",
        ) from error
    return Sent(int(order), str(regex), str(strategy), sealed)


def _object(given: object) -> dict[str, Any]:
    """What was sent as an object, or as a text that holds one as JSON; else an empty one."""
    try:
        said = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {}


def _password(said: dict[str, Any], faults: Faults) -> str:
    """`user:password`."""
    user, password = said.get("user"), said.get("password")
    if not (is_text(user) and is_text(password)) or ":" in str(user) or not user:
        faults.add("'credentials' must have a 'user' without a colon, and a 'password'")
    return f"{user}:{password}"


def _key_pair(said: dict[str, Any], faults: Faults) -> str:
    """JSON of what `AccessKey` of the activities holds."""
    named = {
        "access_key_id": said.get("accessKeyId"),
        "secret_access_key": said.get("secretAccessKey"),
        "session_token": said.get("sessionToken"),
        "region": said.get("region"),
    }
    sent = {name: value for name, value in named.items() if value is not None}
    if not sent.keys() >= {"access_key_id", "secret_access_key"} or not all(
        isinstance(value, str) and _PRINTABLE.fullmatch(value) for value in sent.values()
    ):
        faults.add(
            "'credentials' must have an 'accessKeyId' and a 'secretAccessKey', and may have a"
            " 'sessionToken' and a 'region'"
        )
    elif not _REGION.fullmatch(sent.get("region", "")):
        faults.add("the 'region' of 'credentials' must be one such as eu-west-1")
    return json.dumps(sent)


def _sealer(request: Request) -> Sealer:
    sealer: Sealer = request.app.state.sealer
    return sealer


@router.get("")
async def read_strategies(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """The customer's strategies, in the order in which they are tried: the first that matches."""
    wanted = window(request)
    async with database(request) as connection:
        page = await origin_strategy.page(connection, customer, wanted)
    url = links.customer(customer, "originStrategies")
    return collection(url, wanted, page, lambda row: shown(links, customer, row))


@router.post("", status_code=201)
async def post_strategy(request: Request, customer: Customer, links: MadeLinks) -> JSONResponse:
    """Creates a strategy; its credentials are kept sealed, and never given back."""
    sent = _sent(await json_object(request), _sealer(request))
    try:
        async with database(request) as connection:
            row = await origin_strategy.create(connection, customer, sent)
    except origin_strategy.TooMany as error:
        most = f"A customer has {origin_strategy.MOST} origin strategies at most"
        raise Problem(409, "Conflict", most) from error
    answer = shown(links, customer, row)
    return JSONResponse(answer, status_code=201, headers={"Location": answer["@id"]})


@router.get("/{strategy_id}")
async def read_strategy(
    request: Request, customer: Customer, strategy_id: str, links: MadeLinks
) -> Resource:
    """A strategy."""
    number = whole_number(strategy_id, "origin strategy", LARGEST)
    async with database(request) as connection:
        row = await origin_strategy.get(connection, customer, number)
    if row is None:
        raise not_found(f"origin strategy {number}")
    return shown(links, customer, row)


@router.put("/{strategy_id}")
async def put_strategy(
    request: Request, customer: Customer, strategy_id: str, links: MadeLinks
) -> Resource:
    """Replaces a strategy; without credentials it keeps those it has."""
    number = whole_number(strategy_id, "origin strategy", LARGEST)
    async with database(request) as connection:
        known = await origin_strategy.get(connection, customer, number)
    if known is None:
        raise not_found(f"origin strategy {number}")
    sent = _sent(await json_object(request), _sealer(request), known)
    async with database(request) as connection:
        row = await origin_strategy.put(connection, customer, number, sent)
    if row is None:
        raise not_found(f"origin strategy {number}")
    return shown(links, customer, row)


@router.delete("/{strategy_id}", status_code=204)
async def delete_strategy(request: Request, customer: Customer, strategy_id: str) -> Response:
    """Deletes a strategy and its credentials."""
    number = whole_number(strategy_id, "origin strategy", LARGEST)
    async with database(request) as connection:
        if not await origin_strategy.delete(connection, customer, number):
            raise not_found(f"origin strategy {number}")
    return Response(status_code=204)
