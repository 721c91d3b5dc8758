"""Fails when a Python file outside tests and bench holds a statement of SQL."""

import ast
import re
import subprocess
import sys
from pathlib import Path

STATEMENT = re.compile(
    r"^\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s|"
    r"CREATE\s+(TABLE|DATABASE|INDEX)|ALTER\s+\w+\s)"
)


def found(path: Path) -> list[str]:
    """The lines of a file that start a statement of SQL in a string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        f"{path}:{node.lineno}: SQL belongs in a .sql file"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and STATEMENT.match(node.value)
    ]


def main() -> int:
    """Looks through the files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], check=True, capture_output=True, text=True
    ).stdout.split()
    faults = [
        fault
        for name in listed
        if not name.startswith(("tests/", "bench/")) and Path(name).exists()
        for fault in found(Path(name))
    ]
    print("\n".join(faults) or "no SQL outside .sql files")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
