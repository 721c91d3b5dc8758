"""docker-compose.yml as Compose reads it: anchors merged, variables substituted."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PATH = Path(__file__).parent.parent / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<how>:[?-])(?P<rest>[^}]*)\}")
GIVEN = {
    "IIIFQ_PUBLIC_URL": "https://iiif.example.org",
    "IIIFQ_SECRET_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "POSTGRES_PASSWORD": "made up",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
}
"""All that has to be set."""

Services = dict[str, dict[str, Any]]


def services(env: Mapping[str, str]) -> Services:
    """The services; a variable that has no value and no default raises KeyError."""
    read: Services = _filled(YAML(typ="safe").load(PATH)["services"], env)
    return read


def _filled(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: _value(found, env), value)
    if isinstance(value, list):
        return [_filled(each, env) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, env) for key, each in value.items()}
    return value


def _value(found: re.Match[str], env: Mapping[str, str]) -> str:
    if given := env.get(found["name"]):
        return given
    if found["how"] == ":?":
        raise KeyError(found["name"])
    return found["rest"]
