"""The licence that the metadata names is the one that lies beside it."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_text_is_the_licence_of_the_metadata():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "LICENSE").read_text()
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text and len(text.splitlines()) > 170
