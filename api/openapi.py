"""The OpenAPI description: what FastAPI cannot know, since bodies are read and answered as JSON-LD.

Each operation is described in one row of OPERATIONS.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.schemas import SCHEMAS, TEXT, Schema, ref
from delivery_channels import POLICIES
from projection import asset

QUEUE = "{queue}"
IMAGES = "/customers/{customer_id}/spaces/{space_id}/images"
IMAGE = f"{IMAGES}/{{asset_id}}"
SPACES = "/customers/{customer_id}/spaces"
STRATEGIES = "/customers/{customer_id}/originStrategies"
CHANNELS = "/customers/{customer_id}/deliveryChannelPolicies"
POLICY = f"{CHANNELS}/{{channel}}/{{name}}"
DEFAULTS = "{of}/defaultDeliveryChannels"
DEFAULT = f"{DEFAULTS}/{{default_id}}"
MANIFESTS = "/customers/{customer_id}/manifests"


@dataclass(frozen=True)
class Operation:
    """What an operation takes and gives: schema names, and the statuses of its refusals."""

    gives: str | None
    ok: tuple[int, ...] = (200,)
    takes: str | None = None
    optional: bool = False
    refuses: tuple[int, ...] = ()
    public: bool = False
    paged: bool = False
    queried: bool = False


def _page(of: str, *refuses: int, queried: bool = False) -> Operation:
    return Operation(of, refuses=(400, *refuses), paged=True, queried=queried)


_SUBMIT = Operation("Batch", (201, 200), takes="Submission", refuses=(400, 404, 413, 422, 507))
_BATCH = f"{QUEUE}/batches/{{batch_id}}"

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("get", "/"): Operation("EntryPoint", public=True),
    ("get", "/queue"): Operation("GlobalQueue", public=True),
    ("get", "/health/live"): Operation("Health", public=True),
    ("get", "/health/ready"): Operation("Health", (200, 503), public=True),
    ("get", "/customers/{customer_id}"): Operation("Customer"),
    ("get", "/customers/{customer_id}/storage"): Operation("CustomerStorage"),
    ("get", "/customers/{customer_id}/allImages"): _page("Assets", queried=True),
    ("get", SPACES): _page("Spaces"),
    ("post", SPACES): Operation("Space", (201,), takes="SpaceSent", refuses=(400, 413)),
    ("get", f"{SPACES}/{{space_id}}"): Operation("Space", refuses=(404,)),
    ("put", f"{SPACES}/{{space_id}}"): Operation(
        "Space", (200, 201), takes="SpaceSent", refuses=(400, 404, 413)
    ),
    ("patch", f"{SPACES}/{{space_id}}"): Operation(
        "Space", takes="SpaceChange", refuses=(400, 404, 413)
    ),
    ("delete", f"{SPACES}/{{space_id}}"): Operation(None, (204,), refuses=(404, 409)),
    ("get", f"{SPACES}/{{space_id}}/storage"): Operation("SpaceStorage", refuses=(404,)),
    ("get", IMAGES): _page("Assets", 404, queried=True),
    ("patch", IMAGES): Operation(
        "Assets", takes="MetadataOfMany", refuses=(400, 404, 413), paged=True, queried=True
    ),
    ("get", IMAGE): Operation("Asset", refuses=(404,)),
    ("put", IMAGE): Operation(
        "Asset", (200, 201, 202), takes="AssetSent", refuses=(400, 404, 413, 507)
    ),
    ("patch", IMAGE): Operation("Asset", (200, 202), takes="AssetChange", refuses=(400, 404, 413)),
    ("delete", IMAGE): Operation(None, (204,), refuses=(404,)),
    ("post", f"{IMAGE}/reingest"): Operation("Asset", (200, 202), refuses=(404,)),
    ("get", f"{IMAGE}/storage"): Operation("AssetStorage", refuses=(404,)),
    ("get", f"{IMAGE}/metadata"): Operation("AssetMetadataKnown", refuses=(404,)),
    ("get", MANIFESTS): _page("Manifests"),
    ("post", MANIFESTS): Operation(
        "Manifest", (201,), takes="ManifestSent", refuses=(400, 409, 413)
    ),
    ("get", f"{MANIFESTS}/{{manifest_id}}"): Operation("Manifest", refuses=(404,)),
    ("put", f"{MANIFESTS}/{{manifest_id}}"): Operation(
        "Manifest", (200, 201), takes="ManifestSent", refuses=(400, 413)
    ),
    ("delete", f"{MANIFESTS}/{{manifest_id}}"): Operation(None, (204,), refuses=(404,)),
    ("get", f"{MANIFESTS}/{{manifest_id}}/assets"): _page("Assets", 404, queried=True),
    ("get", STRATEGIES): _page("OriginStrategies"),
    ("post", STRATEGIES): Operation(
        "OriginStrategy", (201,), takes="OriginStrategySent", refuses=(400, 409, 413, 501)
    ),
    ("get", f"{STRATEGIES}/{{strategy_id}}"): Operation("OriginStrategy", refuses=(404,)),
    ("put", f"{STRATEGIES}/{{strategy_id}}"): Operation(
        "OriginStrategy", takes="OriginStrategySent", refuses=(400, 404, 413, 501)
    ),
    ("delete", f"{STRATEGIES}/{{strategy_id}}"): Operation(None, (204,), refuses=(404,)),
    ("get", CHANNELS): _page("DeliveryChannels"),
    ("get", f"{CHANNELS}/{{channel}}"): _page("DeliveryChannelPolicies", 404),
    ("post", f"{CHANNELS}/{{channel}}"): Operation(
        "DeliveryChannelPolicy",
        (201,),
        takes="DeliveryChannelPolicySent",
        refuses=(400, 404, 409, 413),
    ),
    ("get", POLICY): Operation("DeliveryChannelPolicy", refuses=(404,)),
    ("put", POLICY): Operation(
        "DeliveryChannelPolicy",
        (200, 201),
        takes="DeliveryChannelPolicyReplaced",
        refuses=(400, 404, 409, 413),
    ),
    ("patch", POLICY): Operation(
        "DeliveryChannelPolicy", takes="DeliveryChannelPolicyChange", refuses=(400, 404, 409, 413)
    ),
    ("delete", POLICY): Operation(None, (204,), refuses=(404, 409)),
    ("get", DEFAULTS): _page("DefaultDeliveryChannels", 404),
    ("post", DEFAULTS): Operation(
        "DefaultDeliveryChannel",
        (201,),
        takes="DefaultDeliveryChannelSent",
        refuses=(400, 404, 409, 413),
    ),
    ("get", DEFAULT): Operation("DefaultDeliveryChannel", refuses=(404,)),
    ("put", DEFAULT): Operation(
        "DefaultDeliveryChannel", takes="DefaultDeliveryChannelSent", refuses=(400, 404, 409, 413)
    ),
    ("delete", DEFAULT): Operation(None, (204,), refuses=(404,)),
    ("get", QUEUE): Operation("CustomerQueue", refuses=(404,)),
    ("post", QUEUE): _SUBMIT,
    ("post", f"{QUEUE}/priority"): _SUBMIT,
    ("get", f"{QUEUE}/batches"): _page("Batches", 404),
    ("get", f"{QUEUE}/active"): _page("Batches", 404),
    ("get", f"{QUEUE}/recent"): _page("Batches", 404),
    ("get", f"{QUEUE}/images"): _page("Assets", 404, queried=True),
    ("get", _BATCH): Operation("Batch", refuses=(404,)),
    ("delete", _BATCH): Operation("Batch", (202,), refuses=(404, 409)),
    ("get", f"{_BATCH}/progress"): Operation("BatchProgress", refuses=(404,)),
    ("post", f"{_BATCH}/test"): Operation("Corrected", refuses=(404,)),
    ("post", f"{_BATCH}/retry"): Operation(
        "Batch", (202,), takes="AssetsNamed", optional=True, refuses=(400, 404, 409, 413)
    ),
    ("get", f"{_BATCH}/images"): _page("Assets", 404, queried=True),
    ("get", f"{_BATCH}/assets"): _page("Assets", 404, queried=True),
    ("get", f"{_BATCH}/completedImages"): _page("Assets", 404, queried=True),
    ("get", f"{_BATCH}/errorImages"): _page("Assets", 404, queried=True),
}
SEVERAL: Mapping[str, tuple[str, ...]] = {
    QUEUE: ("/customers/{customer_id}/queue", f"{MANIFESTS}/{{manifest_id}}/queue"),
    DEFAULTS: tuple(
        f"{of}/defaultDeliveryChannels"
        for of in ("/customers/{customer_id}", f"{SPACES}/{{space_id}}")
    ),
}
"""Where the same operations are found in more than one place."""


def _parameter(name: str, schema: Schema, what: str) -> Schema:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": what,
    }


PLACES: Mapping[str, Schema] = {
    "customer_id": {"type": "integer", "minimum": 1},
    "space_id": {"type": "integer", "minimum": 0},
    "batch_id": {"type": "integer", "minimum": 1},
    "asset_id": {"type": "string", "minLength": 1},
    "strategy_id": {"type": "integer", "minimum": 1},
    "default_id": {"type": "integer", "minimum": 1},
    "channel": {"enum": list(POLICIES)},
    "name": {"type": "string", "minLength": 1},
    "manifest_id": {"type": "string", "minLength": 1},
}
"""Parameters of paths."""

PAGING = [
    _parameter("page", {"type": "integer", "minimum": 1}, "1 is the first"),
    _parameter("pageSize", {"type": "integer", "minimum": 1}, "100 unless given, 500 at most"),
]
QUERYING = [
    _parameter("q", TEXT, 'assets with these values, such as `{"string1":"x","number2":3}`'),
    _parameter("orderBy", {"enum": list(asset.ORDERS)}, "the field to order by"),
    _parameter("orderByDescending", {"enum": list(asset.ORDERS)}, "the same, largest first"),
]


def _answers(operation: Operation) -> Schema:
    said: Schema = {}
    for status in operation.ok:
        content = (
            {"application/json": {"schema": ref(operation.gives)}} if operation.gives else None
        )
        said[str(status)] = {
            "description": WORDS[status],
            **({"content": content} if content else {}),
        }
    refuses = (*operation.refuses, 503) if operation.public else (*operation.refuses, 401, 403, 503)
    for status in sorted(set(refuses) - set(operation.ok)):
        said[str(status)] = {
            "description": WORDS[status],
            "content": {"application/problem+json": {"schema": ref("Problem")}},
        }
    return said


WORDS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    400: "What was sent has faults; all are named",
    401: "No credentials, or wrong ones",
    403: "Another customer's",
    404: "Not there",
    409: "Not in this state",
    413: "The body is too large",
    422: "The Idempotency-Key was used with another body",
    501: "The operator has not set what this needs",
    503: "The database does not answer; nothing was changed",
    507: "More than the customer's quota; nothing was changed",
}


def describe(app: FastAPI) -> None:
    """Makes the application's OpenAPI description complete."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    said = get_openapi(title=app.title, version="1", description=app.description, routes=app.routes)
    said["components"] = {
        "schemas": dict(SCHEMAS),
        "securitySchemes": {"customer": {"type": "http", "scheme": "basic"}},
    }
    for path, methods in said["paths"].items():
        place = path
        for name, prefixes in SEVERAL.items():
            for prefix in prefixes:
                if path.startswith(prefix):
                    place = name + path.removeprefix(prefix)
        for method, shown in methods.items():
            if operation := OPERATIONS.get((method, place)):
                _complete(shown, path, operation)
    return said


def _complete(shown: Schema, path: str, operation: Operation) -> None:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": PLACES[name]}
        for name in re.findall(r"{(\w+)}", path)
    ]
    if operation.paged:
        parameters += PAGING
    if operation.queried:
        parameters += QUERYING
    if operation.takes == "Submission":
        key = {"type": "string", "minLength": 1, "maxLength": 255}
        words = "the same key and body within 24 h gives the first batch"
        parameters.append({**_parameter("Idempotency-Key", key, words), "in": "header"})
    shown["parameters"] = parameters
    if operation.takes is not None:
        shown["requestBody"] = {
            "required": not operation.optional,
            "content": {
                media_type: {"schema": ref(operation.takes)}
                for media_type in ("application/json", "application/ld+json")
            },
        }
    shown["security"] = [] if operation.public else [{"customer": []}]
    shown["responses"] = _answers(operation)
