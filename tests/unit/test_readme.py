from pathlib import Path

import settings

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_the_settings_as_they_are() -> None:
    text = README.read_text(encoding="utf-8")
    shown = text.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert shown == settings.table()
