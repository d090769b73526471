"""Contract tests for backbones, heads, models, vocoders and metrics of other packages.

Each function raises a `ContractError` that names what a variant does wrong, and returns None if it keeps the contract.
A package calls them from its own tests::

    from audiogen.testing import check_backbone

    def test_the_contract():
        check_backbone(Gated)

audiogen's own tests call them for every registered kind.
"""

from audiogen.testing.backbones import check_backbone
from audiogen.testing.contract import ContractError
from audiogen.testing.heads import check_head
from audiogen.testing.metrics import check_metric
from audiogen.testing.models import check_model
from audiogen.testing.vocoders import check_vocoder

__all__ = ["ContractError", "check_backbone", "check_head", "check_metric", "check_model", "check_vocoder"]
