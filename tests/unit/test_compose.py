"""docker-compose.yml is valid, agrees with the code, and has no secret of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from activities.image import PYRAMID
from api import image_service
from api.stored import CACHED
from cli.main import app
from cli.processes import QUEUES
from local.temporal import DYNAMIC_CONFIGURATION
from settings import Settings
from tests import compose
from tests.compose import GIVEN

ROOT = compose.PATH.parent
OURS = ("migrate", "api", "worker", "worker-priority")
ONE_SHOT = {"migrate", "bucket"}


def test_it_is_what_the_specification_allows(tmp_path: Path) -> None:
    def checked(path: Path) -> int:
        check = ("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
        return subprocess.run([sys.executable, *check, str(path)], check=False).returncode

    assert checked(compose.PATH) == 0
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(compose.PATH.read_text().replace("stop_grace_period: 10s", "stop_grace: 10s"))
    assert checked(wrong) == 1


@pytest.mark.parametrize("missing", GIVEN)
def test_no_secret_has_a_default(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        compose.services({name: value for name, value in GIVEN.items() if name != missing})


def test_the_example_names_all_that_has_to_be_set() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert {line for line in lines if "=" in line and "#" not in line} == {f"{n}=" for n in GIVEN}


def test_each_service_is_watched_or_ends() -> None:
    for name, service in compose.services(GIVEN).items():
        assert (name in ONE_SHOT) == (service.get("restart") == "no"), name
        assert (name in ONE_SHOT) != ("healthcheck" in service), name
        image = service["image"]
        assert ":" in image, f"{name} is pinned"
        assert "latest" not in image


def test_ours_are_told_of_settings_that_exist() -> None:
    services = compose.services(GIVEN)
    known = {f"IIIFQ_{name.upper()}" for name in Settings.model_fields}
    commands = {command.name for command in app.registered_commands}
    for name in OURS:
        told = {key for key in services[name]["environment"] if key.startswith("IIIFQ_")}
        assert told <= known, name
        assert services[name]["command"][0] in commands
    queues = {name: set(services[name]["command"][2].split(",")) for name in OURS[2:]}
    assert queues == {"worker": set(QUEUES.split(",")), "worker-priority": {"priority"}}


def test_clients_have_one_door() -> None:
    services = compose.services(GIVEN)
    doors = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert doors == {"temporal-ui": ["127.0.0.1:8233:8080"], "front": ["8000:8000"]}
    assert services["image-server"]["networks"] == ["pictures"]
    for name in ("front", "image-server"):
        assert all(volume.endswith(":ro") for volume in services[name]["volumes"]), name


def test_the_front_agrees_with_what_is_behind_it() -> None:
    conf = (ROOT / "docker" / "front.conf").read_text()
    said = dict(re.findall(r"\b([A-Z_]+) = ([0-9]+)", (ROOT / "docker" / "front.js").read_text()))
    environment = compose.services(GIVEN)["image-server"]["environment"]
    bound = Settings.model_fields["max_body_bytes"].default
    assert f"client_max_body_size {bound // 2**20}m;" in conf
    assert f"set $pictures {environment['FILESYSTEM_PREFIX']};" in conf
    assert said["LONGEST_SIDE"] == environment["MAX_CVT"]
    assert int(said["TILE"]) == image_service.TILE == PYRAMID["tile_width"]
    for header, value in CACHED.items():
        assert f'add_header {header} "{value}";' in conf


def test_temporal_is_as_fair_as_the_embedded_one() -> None:
    said = YAML(typ="safe").load(ROOT / "docker" / "dynamic.yaml")
    assert all(len(values) == 1 for values in said.values())
    shown = {f"{name}={str(values[0]['value']).lower()}" for name, values in said.items()}
    assert shown == set(DYNAMIC_CONFIGURATION)


def test_the_image_holds_every_package() -> None:
    copied = (ROOT / "Dockerfile").read_text()
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    for package in packages:
        assert f"COPY {package} {package}\n" in copied
    for module in ROOT.glob("*.py"):
        assert f" {module.name} " in copied
