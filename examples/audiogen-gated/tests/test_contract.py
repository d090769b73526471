"""The backbone and the metric keep audiogen's contracts."""

from audiogen_gated.backbone import Gated, GatedOptions
from audiogen_gated.metric import Roughness

from audiogen.testing import check_backbone, check_metric


def test_the_backbone() -> None:
    check_backbone(Gated)
    check_backbone(Gated, GatedOptions(width=8, layers=1, kernel=1))


def test_the_metric() -> None:
    check_metric(Roughness)
