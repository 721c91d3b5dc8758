"""Where the Temporal CLI comes from. Programs here are scripts: what counts is which is chosen."""

import threading
from pathlib import Path

import pytest

from local import programs
from local import temporal_cli as cli
from local.errors import TemporalMissing

# A `go` whose build is its own arguments; `mv` and not `touch`, as a build ends in one step.
GO = f"""#!/bin/sh
echo "$@" >> "$(dirname "$0")/builds"
echo "go: downloading {cli.MODULE}" >&2
/bin/sleep 0.3
printf '#!/bin/sh\\n' > "$GOBIN/temporal.part"
/bin/chmod 755 "$GOBIN/temporal.part"
/bin/mv "$GOBIN/temporal.part" "$GOBIN/temporal"
"""


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the Temporal CLI, Go and the SDK's download: the folder of its PATH."""
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(programs, "GO_PLACES", ())
    # The real download program, told of a proxy where nothing listens: refused at once.
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    return path


def test_the_order_in_which_it_is_looked_for(bare: Path, tmp_path: Path) -> None:
    kept = program(programs.cache() / f"temporal-{cli.VERSION}")
    assert cli.temporal_cli() == kept
    on_path = program(bare / "temporal")
    assert cli.temporal_cli() == on_path
    named = program(tmp_path / "my own" / "temporal")
    assert cli.temporal_cli(named) == named


def test_a_setting_that_is_no_program_is_refused(bare: Path, tmp_path: Path) -> None:
    program(bare / "temporal")
    with pytest.raises(TemporalMissing, match=r"IIIFQ_TEMPORAL_CLI is .*nowhere.*install"):
        cli.temporal_cli(tmp_path / "nowhere")


def test_missing_everywhere_gives_the_remedy(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TemporalMissing, match=r"PATH.*IIIFQ_TEMPORAL_CLI.*Go"):
        cli.temporal_cli()
    assert "the SDK's download cannot be had" in capsys.readouterr().err


def test_two_at_once_build_it_once(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(bare / "go", GO)
    monkeypatch.setenv("PATH", f"{bare}:/usr/bin:/bin")
    monkeypatch.setattr(programs, "PROGRESS_S", 0.1)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(cli.temporal_cli())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = programs.cache() / f"temporal-{cli.VERSION}"
    assert found == [kept, kept]
    assert (bare / "builds").read_text() == f"install -v {cli.MODULE}@v{cli.VERSION}\n"
    assert sorted(file.name for file in kept.parent.iterdir()) == [kept.name, f"{kept.name}.lock"]
    said = capsys.readouterr().err
    assert "waiting for another process" in said
    assert f"go: downloading {cli.MODULE}" in said


def test_a_failed_build_is_quoted(bare: Path) -> None:
    program(bare / "go", "#!/bin/sh\necho 'go: no such host' >&2\nexit 1\n")
    with pytest.raises(TemporalMissing, match=r"(?s)build .* failed:.*no such host.*install"):
        cli.temporal_cli()
    assert not list(programs.cache().glob("temporal-*[0-9]"))
