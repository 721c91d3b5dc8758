"""Which stack a command is for: `--data DIR`, else the environment, else the default folder."""

from pathlib import Path
from typing import Annotated

import typer

from local.run import read_run
from settings import Settings, default_data_folder

Data = Annotated[Path | None, typer.Option(help="the data folder of a running `iiifq up`")]


def target_settings(data: Path | None) -> Settings:
    """The settings of the stack that a command is for."""
    settings = Settings()
    if data is None and "database_url" in settings.model_fields_set:
        return settings
    folder = (data or default_data_folder()).expanduser().resolve()
    run = read_run(folder)
    if run is None:
        raise SystemExit(
            f"no `iiifq up` runs in {folder}; start it, or set --data or IIIFQ_DATABASE_URL"
        )
    return settings.model_copy(
        update={
            "database_url": run.database_url,
            "temporal_address": run.temporal_address,
            "temporal_namespace": run.temporal_namespace,
            "storage_url": settings.storage_url
            if "storage_url" in settings.model_fields_set
            else (folder / "storage").as_uri(),
        }
    )
