"""Registries: shipped, registered and installed variants."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from audiogen.config.registry import Registry
from audiogen.errors import InputError


@pytest.fixture
def registry() -> Registry[object]:
    made: Registry[object] = Registry("audiogen.tests", {"choice": "audiogen.config.choice:Choice"})
    points = {
        "broken": "no_such_package:Thing",
        "error": "audiogen.errors:InputError",
        "choice": "no_such_package:Thing",
    }
    made.__dict__["_installed"] = {name: EntryPoint(name, value, "audiogen.tests") for name, value in points.items()}
    return made


def test_variants_are_imported_when_they_are_used(registry: Registry[object]) -> None:
    assert registry["error"] is InputError
    assert registry["choice"].__name__ == "Choice"  # shipped variants take precedence
    assert list(registry) == ["choice", "broken", "error"]
    assert len(registry) == 3
    assert "broken" in registry
    assert "another" not in registry
    with pytest.raises(KeyError):
        registry["another"]


def test_a_package_that_does_not_load_is_named(registry: Registry[object]) -> None:
    with pytest.raises(
        InputError, match=r"audiogen\.tests broken: no_such_package:Thing of another package does not load"
    ):
        registry["broken"]


def test_registering_in_this_process(registry: Registry[object]) -> None:
    @registry.register("own")
    class Own:
        pass

    assert registry["own"] is Own
    with pytest.raises(ValueError, match=r"audiogen\.tests: own exists already"):
        registry.register("own")
    del registry["own"]
    assert "own" not in registry
