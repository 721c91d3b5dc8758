"""Loads SQL from the `.sql` file beside each module: named blocks, each with its purpose."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import LiteralString, cast

_BLOCK = re.compile(r"^-- (?P<name>\w+): .+$", re.MULTILINE)


@cache
def statements(file: str) -> Mapping[str, LiteralString]:
    """The statements of `projection/{file}.sql` by name.

    A block starts with a line `-- name: what it does` and ends at the next such line.
    """
    text = resources.files("projection").joinpath(f"{file}.sql").read_text(encoding="utf-8")
    parts = _BLOCK.split(text)
    return MappingProxyType(
        {
            name: cast("LiteralString", sql.strip().rstrip(";"))
            for name, sql in zip(parts[1::2], parts[2::2], strict=True)
        }
    )
