"""Order as a registered metric: columns ``order`` and ``order.MEASURE`` of `audiogen evaluate`."""

from __future__ import annotations

from collections.abc import Mapping

from audiogen.audio import Recording
from audiogen.metrics.order import MAX_SEGMENT_SECONDS, MEASURES, OrderReference
from audiogen.metrics.registry import Metric


class Order(Metric):
    """Order of tails relative to the prompt's own segments, and the real continuation's; see `audiogen.metrics.order`.

    ``order`` is the geometric mean over the measures that apply to the recording; the measures themselves are listed
    whether they apply or not.
    """

    def __init__(self, reference: Recording, prompt: Recording | None = None) -> None:
        super().__init__(reference, prompt)
        self._by_tenths: dict[int, OrderReference] = {}

    def __call__(self, tail: Recording) -> Mapping[str, float]:
        """The ratios of a tail; 1.0 is the order of another real segment."""
        tenths = round(10 * min(tail.seconds, MAX_SEGMENT_SECONDS))
        if tenths not in self._by_tenths:
            source, real = (self.reference, None) if self.prompt is None else (self.prompt, self.reference)
            self._by_tenths[tenths] = OrderReference(source, real, tenths / 10)
        distance = self._by_tenths[tenths].distance(tail)
        values = {name: distance.ratios.get(name, float("nan")) for name in MEASURES}
        return {"order": float("nan") if distance.overall is None else distance.overall, **values}
