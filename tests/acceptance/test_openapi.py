"""The API does what its OpenAPI description says, whatever is sent: schemathesis, all checks on.

`IIIFQ_FUZZ_EXAMPLES` is how many examples each operation gets (`make fuzz` sends many).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.stack import Customer, Json, Stack

EXAMPLES = os.environ.get("IIIFQ_FUZZ_EXAMPLES", "2")
PHASES = "examples,coverage,fuzzing" if int(EXAMPLES) > 2 else "examples,fuzzing"

# What a schema cannot say is refused with 400 all the same: that a space exists, that an id is
# there once, that a text is JSON.
CONFIGURATION = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409]
"""


def test_every_operation_is_described(stack: Stack) -> None:
    described = stack.client.get(f"{stack.run['api_url']}/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert "security" in operation, (method, path)
            assert operation["summary"]
    assert stack.client.get(f"{stack.run['api_url']}/docs").status_code == 200


def _for(customer: Customer, described: Json) -> Json:
    """The description with this customer, a space and a manifest in the place of parameters."""
    known = {"customer_id": str(customer.id), "space_id": "1", "manifest_id": "m"}
    paths = {}
    for path, methods in described["paths"].items():
        for name, value in known.items():
            path = path.replace(f"{{{name}}}", value)
        for operation in methods.values():
            # Sent with every request: one "without" them would be answered as one with them.
            del operation["security"]
            operation["parameters"] = [
                parameter
                for parameter in operation.get("parameters", [])
                if parameter["in"] != "path" or parameter["name"] not in known
            ]
        paths[path] = methods
    return {**described, "paths": paths}


def test_the_api_does_what_it_says(stack: Stack, tmp_path: Path) -> None:
    # Its number is in every path, and what is generated depends on the path: the same each time.
    customer = stack.customer("fuzz", 900_000)
    customer.put("/manifests/m", {"label": "m"})
    described = customer.stack.client.get(f"{customer.stack.run['api_url']}/openapi.json").json()
    # These would take away what the other operations are tried on.
    for path in ("/customers/{customer_id}/spaces/{space_id}",):
        described["paths"][path].pop("delete")
    described["paths"]["/customers/{customer_id}/manifests/{manifest_id}"].pop("delete")
    (tmp_path / "openapi.json").write_text(json.dumps(_for(customer, described)))
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "--config-file"),
        *(str(tmp_path / "schemathesis.toml"), "run", str(tmp_path / "openapi.json")),
        *("--url", customer.stack.run["api_url"], "--auth", ":".join(customer.auth)),
        *("--checks", "all", "--max-examples", EXAMPLES, "--phases", PHASES),
        *("--continue-on-failure", "--no-color"),
    ]
    if EXAMPLES == "2":
        command.append("--generation-deterministic")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
