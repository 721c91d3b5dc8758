"""JSON Schemas of what is sent and answered (api.md), for the OpenAPI description."""

from collections.abc import Mapping
from typing import Any

from api.channels import CHANNELS
from delivery_channels import POLICIES
from projection.origin_strategy import STRATEGIES
from workflows.contracts import BatchState

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
LINK: Schema = {"type": "string", "format": "uri"}
DATE: Schema = {"type": "string", "format": "date-time"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def ref(name: str) -> Schema:
    """Where a schema of SCHEMAS is found."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: str = "", **properties: Schema) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def _or_null(schema: Schema) -> Schema:
    """A property that may be null, which is the same as left out."""
    return {"anyOf": [schema, {"type": "null"}]}


def _nullable(properties: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: _or_null(schema) for name, schema in properties.items()}


def _resource(kind: str, **properties: Schema) -> Schema:
    linked = {"@context": LINK, "@id": LINK, "@type": {"const": kind}}
    return {
        "type": "object",
        "required": ["@id", "@type"],
        "properties": {**linked, **properties},
    }


def _collection(member: str) -> Schema:
    return {
        "type": "object",
        "required": ["@context", "@id", "@type", "totalItems", "pageSize", "member", "view"],
        "properties": {
            "@context": LINK,
            "@id": LINK,
            "@type": {"const": "Collection"},
            "totalItems": COUNT,
            "pageSize": COUNT,
            "member": {"type": "array", "items": ref(member)},
            "view": _object(
                "@id @type page pageSize totalPages",
                **{"@id": LINK, "@type": {"const": "PartialCollectionView"}},
                first=LINK,
                previous=LINK,
                next=LINK,
                last=LINK,
                page=COUNT,
                pageSize=COUNT,
                totalPages=COUNT,
            ),
        },
    }


_CHANNELS: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {
        "oneOf": [
            {"enum": list(CHANNELS)},
            _object(
                "channel",
                channel={"enum": list(CHANNELS)},
                policy={"oneOf": [TEXT, {"type": "array", "minItems": 1, "items": TEXT}]},
            ),
        ]
    },
}
_METADATA: dict[str, Schema] = {
    **{f"string{n}": TEXT for n in (1, 2, 3)},
    **{f"number{n}": WHOLE for n in (1, 2, 3)},
    "tags": {"type": "array", "items": TEXT},
    "roles": {"type": "array", "items": TEXT},
    "maxUnauthorised": WHOLE,
}
_PROCESSED: dict[str, Schema] = {
    "mediaType": {"type": "string", "example": "image/jpeg"},
    "origin": {"type": "string", "example": "https://example.org/page-1.jpg"},
    "deliveryChannels": _CHANNELS,
}
_POLICY: dict[str, Schema] = {
    "displayName": _or_null({"type": "string", "maxLength": 200}),
    "policyData": {"oneOf": [TEXT, {"type": "array", "minItems": 1, "items": TEXT}]},
}
_NAMED: dict[str, Schema] = {"id": TEXT, "space": WHOLE}
_LABEL: Schema = {
    "oneOf": [
        TEXT,
        {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}},
    ]
}

_EXAMPLE_ASSET = {
    "id": "page-1",
    "space": 1,
    "mediaType": "image/jpeg",
    "origin": "https://example.org/page-1.jpg",
}

SCHEMAS: Mapping[str, Schema] = {
    "Problem": _object(
        "@context @type title description statusCode detail status instance",
        **{"@context": LINK, "@type": {"const": "Error"}},
        title=TEXT,
        description=TEXT,
        statusCode=WHOLE,
        detail=TEXT,
        status=WHOLE,
        instance=TEXT,
    ),
    "EntryPoint": _resource(
        "vocab:EntryPoint", queue=LINK, customer=LINK, openapi=LINK, documentation=LINK
    ),
    "Customer": _resource(
        "vocab:Customer",
        id=WHOLE,
        name=TEXT,
        created=DATE,
        queue=LINK,
        spaces=LINK,
        allImages=LINK,
        manifests=LINK,
        originStrategies=LINK,
        deliveryChannelPolicies=LINK,
        defaultDeliveryChannels=LINK,
        storage=LINK,
    ),
    "GlobalQueue": _resource(
        "vocab:Queue", incoming=COUNT, priority=COUNT, success=COUNT, failed=COUNT
    ),
    "CustomerQueue": _resource(
        "vocab:CustomerQueue",
        size=COUNT,
        batchesWaiting=COUNT,
        imagesWaiting=COUNT,
        batches=LINK,
        images=LINK,
        active=LINK,
        recent=LINK,
        priority=LINK,
    ),
    "Batch": _resource(
        "vocab:Batch",
        id=WHOLE,
        submitted=DATE,
        count=COUNT,
        completed=COUNT,
        errors=COUNT,
        finished=DATE,
        superseded=FLAG,
        estCompletion=DATE,
        images=LINK,
        assets=LINK,
        completedImages=LINK,
        errorImages=LINK,
        test=LINK,
        retry=LINK,
        progress=LINK,
    ),
    "BatchProgress": _resource(
        "vocab:BatchProgress",
        source={"enum": ["workflow", "projection"]},
        state={"enum": [each.value for each in BatchState]},
        waiting=COUNT,
        processing=COUNT,
        completed=COUNT,
        errors=COUNT,
        inFlight={"type": "array", "items": {"type": "object"}},
        closedHosts={"type": "array", "items": {"type": "object"}},
        workflow={"type": "object"},
    ),
    "Asset": _resource(
        "vocab:Image",
        **_NAMED,
        **_PROCESSED,
        **_METADATA,
        family={"enum": ["I", "T", "F"]},
        created=DATE,
        batch=LINK,
        ingesting=FLAG,
        finished=DATE,
        error=TEXT,
        attempts=COUNT,
        lastFault=TEXT,
        nextAttempt=DATE,
        width=WHOLE,
        height=WHOLE,
        duration=WHOLE,
        manifests={"type": "array", "items": LINK},
        imageService=LINK,
        thumbnailImageService=LINK,
        metadata=LINK,
        storage=LINK,
    ),
    "AssetSent": _object(
        "mediaType origin",
        **_PROCESSED | {"deliveryChannels": _or_null(_CHANNELS)},
        **_nullable(_NAMED | _METADATA),
    ),
    "AssetChange": _object(
        "",
        **_PROCESSED | {"deliveryChannels": _or_null(_CHANNELS)},
        **_nullable(_NAMED | _METADATA),
    ),
    "AssetMetadata": _object(
        "id", id={"type": "string", "minLength": 1}, space=_or_null(WHOLE), **_nullable(_METADATA)
    ),
    "AssetStorage": _resource(
        "vocab:ImageStorage",
        size=COUNT,
        channels={"type": "object", "additionalProperties": COUNT},
    ),
    "AssetMetadataKnown": _resource(
        "vocab:ImageMetadata",
        mediaType=TEXT,
        width=WHOLE,
        height=WHOLE,
        duration=WHOLE,
        derivatives={"type": "array", "items": {"type": "object"}},
    ),
    "Submission": {
        **_object("member", member={"type": "array", "minItems": 1, "items": ref("AssetSent")}),
        "example": {"@type": "Collection", "member": [_EXAMPLE_ASSET]},
    },
    "MetadataOfMany": {
        **_object("member", member={"type": "array", "minItems": 1, "items": ref("AssetMetadata")}),
        "example": {"member": [{"id": "page-1", "string1": "recto"}]},
    },
    "AssetsNamed": {
        **_object(
            "",
            member={"type": "array", "minItems": 1, "items": _object("id space", **_NAMED)},
        ),
        "example": {"member": [{"id": "page-1", "space": 1}]},
    },
    "Space": _resource(
        "vocab:Space",
        id=WHOLE,
        name=TEXT,
        created=DATE,
        approximateNumberOfImages=COUNT,
        images=LINK,
        storage=LINK,
        defaultDeliveryChannels=LINK,
    ),
    "SpaceStorage": _resource(
        "vocab:CustomerStorage", numberOfStoredImages=COUNT, totalSizeOfStoredImages=COUNT
    ),
    "CustomerStorage": _resource(
        "vocab:CustomerStorage",
        numberOfStoredImages=COUNT,
        totalSizeOfStoredImages=COUNT,
        maximumNumberOfStoredImages=COUNT,
        maximumTotalSizeOfStoredImages=COUNT,
    ),
    "SpaceSent": {**_object("name", name=TEXT), "example": {"name": "books"}},
    "SpaceChange": {**_object("", name=TEXT), "example": {"name": "maps"}},
    "Manifest": _resource(
        "vocab:Manifest",
        id=TEXT,
        label={},
        created=DATE,
        space=WHOLE,
        queue=LINK,
        assets=LINK,
    ),
    "ManifestSent": {
        **_object("", id=_or_null(TEXT), label=_or_null(_LABEL)),
        "example": {"id": "book", "label": {"en": ["A book"]}},
    },
    "OriginStrategy": _resource(
        "vocab:CustomerOriginStrategy",
        id=WHOLE,
        regex=TEXT,
        strategy={"enum": list(STRATEGIES)},
        order=WHOLE,
        credentials={"const": "xxx"},
    ),
    "OriginStrategySent": {
        **_object(
            "regex strategy",
            regex={"type": "string", "minLength": 1, "maxLength": 500},
            strategy={"enum": list(STRATEGIES)},
            order={"type": "integer", "minimum": 0},
            credentials=_or_null(
                {
                    "oneOf": [
                        _object("user password", user=TEXT, password=TEXT),
                        _object(
                            "accessKeyId secretAccessKey",
                            accessKeyId=TEXT,
                            secretAccessKey=TEXT,
                            sessionToken=TEXT,
                            region=TEXT,
                        ),
                    ]
                }
            ),
        ),
        "example": {
            "regex": "^https://scans\\.example\\.org/",
            "strategy": "basic-http-authentication",
            "order": 1,
            "credentials": {"user": "reader", "password": "secret"},
        },
    },
    "DeliveryChannelPolicy": _resource(
        "vocab:DeliveryChannelPolicy",
        name=TEXT,
        displayName=TEXT,
        channel={"enum": list(POLICIES)},
        policyData=TEXT,
        policyCreated=DATE,
        policyModified=DATE,
    ),
    "DeliveryChannelPolicySent": {
        **_object(
            "name policyData",
            name={"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,99}$"},
            **_POLICY,
        ),
        "example": {
            "name": "large",
            "displayName": "For the reading room",
            "policyData": ["!2000,2000", "!400,400"],
        },
    },
    "DeliveryChannelPolicyReplaced": {
        **_object(
            "policyData",
            **_POLICY,
        ),
        "example": {"policyData": ["!2000,2000", "!400,400"]},
    },
    "DeliveryChannelPolicyChange": {
        **_object(
            "",
            **_POLICY,
        ),
        "example": {"displayName": "For the reading room"},
    },
    "DeliveryChannel": _object(
        "@id @type title", **{"@id": LINK, "@type": {"const": "Collection"}, "title": TEXT}
    ),
    "DefaultDeliveryChannel": _resource(
        "vocab:DefaultDeliveryChannel",
        id=WHOLE,
        mediaType=TEXT,
        channel={"enum": list(POLICIES)},
        policy=TEXT,
    ),
    "DefaultDeliveryChannelSent": {
        **_object(
            "mediaType channel",
            mediaType=TEXT,
            channel={"enum": list(POLICIES)},
            policy=_or_null(TEXT),
        ),
        "example": {"mediaType": "image/tiff", "channel": "iiif-img", "policy": "use-original"},
    },
    "Corrected": _object("success", success=FLAG),
    "Health": _object(
        "status",
        status=TEXT,
        missing={"type": "array", "items": TEXT},
        troubles={"type": "array", "items": TEXT},
    ),
    "Batches": _collection("Batch"),
    "Assets": _collection("Asset"),
    "Spaces": _collection("Space"),
    "Manifests": _collection("Manifest"),
    "OriginStrategies": _collection("OriginStrategy"),
    "DeliveryChannels": _collection("DeliveryChannel"),
    "DeliveryChannelPolicies": _collection("DeliveryChannelPolicy"),
    "DefaultDeliveryChannels": _collection("DefaultDeliveryChannel"),
}
