"""Errors advise to install the requirements in the installed metadata."""

import pytest

from audiogen import extras


def test_names_the_requirements_of_the_extra_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["numpy<3,>=2.0", "av<19,>=14; extra == 'decode'", "ray<3; extra == 'ray'", 'mypy>=1; extra == "dev"']
    monkeypatch.setattr(extras, "requires", lambda name: lines if name == "audiogen-continue" else None)
    assert extras.install_command("decode") == "pip install 'av<19,>=14'"
    assert extras.install_command("dev") == "pip install 'mypy>=1'"


def test_in_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise extras.PackageNotFoundError(name)

    monkeypatch.setattr(extras, "requires", missing)
    assert extras.install_command("ray") == "pip install -e '.[ray]'"
