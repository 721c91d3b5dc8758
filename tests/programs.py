"""Gets the programs that tests run and this machine lacks, before the time of any test counts."""

import sys

import pytest

from local.errors import EngineError
from local.temporal_cli import temporal_cli
from settings import Settings
from tests.front import front_programs
from tests.s3 import versitygw


def main() -> None:
    """Minutes once for each user of a machine; then no time at all."""
    for get in (lambda: temporal_cli(Settings().temporal_cli), versitygw, front_programs):
        try:
            get()
        except EngineError as error:
            raise SystemExit(str(error)) from error
        except pytest.skip.Exception as missing:
            print(f"tests that need it are skipped: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
