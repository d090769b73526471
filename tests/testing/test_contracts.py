"""Every registered backbone, head and model keeps its contract with its default options; vocoders: tests/vocoders."""

from __future__ import annotations

from typing import Any

import pytest

from audiogen.models import MODELS
from audiogen.models.backbones import BACKBONES
from audiogen.models.heads import HEADS
from audiogen.testing import check_backbone, check_head, check_model

SMALL_MODELS: dict[str, dict[str, Any]] = {"hmm": {"states": 3}, "var": {"residuals": 256}}


@pytest.mark.parametrize("kind", list(BACKBONES))
def test_backbones(kind: str) -> None:
    check_backbone(BACKBONES[kind])


@pytest.mark.parametrize("kind", list(HEADS))
def test_heads(kind: str) -> None:
    check_head(HEADS[kind])


@pytest.mark.parametrize("kind", list(MODELS))
def test_models(kind: str) -> None:
    options = MODELS[kind].Options(**SMALL_MODELS.get(kind, {}))
    check_model(MODELS[kind], options)
