"""The envelope of every response: JSON-LD resources, paged collections and errors (api.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import JSONResponse

from projection.page import Page, Window
from settings import Settings

CONTEXT = "https://dlcs.github.io/vocab/context/future.json"

Row = TypeVar("Row")
Resource = dict[str, Any]


class Problem(Exception):
    """A request that is refused: an HTTP status with what to mend."""

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})


def bad_request(*faults: str) -> Problem:
    """400, naming every fault."""
    return Problem(400, "Bad Request", "; ".join(faults))


def not_found(what: str) -> Problem:
    """404 for something that is not there, or not this customer's."""
    return Problem(404, "Not Found", f"There is no {what}")


def problem_response(problem: Problem, instance: str) -> JSONResponse:
    """One object that is a Hydra Error and an RFC 9457 problem at once."""
    return JSONResponse(
        {
            "@context": CONTEXT,
            "@type": "Error",
            "title": problem.title,
            "description": problem.detail,
            "statusCode": problem.status,
            "detail": problem.detail,
            "status": problem.status,
            "instance": instance,
        },
        status_code=problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )


def resource(kind: str, url: str, **properties: object) -> Resource:
    """A resource; a property without a value is left out."""
    present = {name: value for name, value in properties.items() if value is not None}
    return {"@context": CONTEXT, "@id": url, "@type": kind, **present}


def date(moment: datetime | None) -> str | None:
    """RFC 3339, UTC, with `Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Links:
    """Makes absolute links that start with the public base URL."""

    base: str

    def __call__(self, *parts: object) -> str:
        return "/".join((self.base, *(str(part) for part in parts)))

    def customer(self, customer_id: int, *parts: object) -> str:
        """A link below a customer."""
        return self("customers", customer_id, *parts)


def links(request: Request) -> Links:
    """Links for the answer to this request."""
    settings: Settings = request.app.state.settings
    return Links((settings.public_url or str(request.base_url)).rstrip("/"))


def window(request: Request) -> Window:
    """The page asked for by `?page=` and `?pageSize=`.

    Raises:
        Problem: 400, when one is not a whole number or below 1.
    """
    settings: Settings = request.app.state.settings
    faults = []
    numbers = {"page": 1, "pageSize": settings.page_size}
    for name in numbers:
        given = request.query_params.get(name)
        if given is None:
            continue
        if not (given.isascii() and given.isdigit() and len(given) < 16 and int(given) >= 1):
            faults.append(f"'{name}' must be a whole number of at least 1, not '{given[:40]}'")
        else:
            numbers[name] = int(given)
    if faults:
        raise bad_request(*faults)
    return Window(numbers["page"], min(numbers["pageSize"], settings.max_page_size))


def collection(
    url: str,
    wanted: Window,
    page: Page[Row],
    show: Callable[[Row], Resource],
    query: Sequence[tuple[str, str]] = (),
) -> Resource:
    """One page of a collection, with links to the others."""

    def link(number: int) -> str:
        asked = [*query, ("page", str(number)), ("pageSize", str(wanted.size))]
        return f"{url}?{urlencode(asked)}"

    pages = ceil(page.total / wanted.size)
    view: Resource = {"@id": link(wanted.number), "@type": "PartialCollectionView"}
    if wanted.number > 1:
        view |= {"first": link(1), "previous": link(min(wanted.number - 1, max(pages, 1)))}
    if wanted.number < pages:
        view |= {"next": link(wanted.number + 1), "last": link(pages)}
    view |= {"page": wanted.number, "pageSize": wanted.size, "totalPages": pages}
    members = [show(row) for row in page.rows]
    for member in members:
        member.pop("@context", None)
    return {
        "@context": CONTEXT,
        "@id": url,
        "@type": "Collection",
        "totalItems": page.total,
        "pageSize": wanted.size,
        "member": members,
        "view": view,
    }
