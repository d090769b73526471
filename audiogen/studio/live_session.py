"""A live tail of a project, whose latest seconds can be kept as a take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiogen.errors import InputError
from audiogen.jobs.continue_sound import MorphTarget, read_prompt
from audiogen.jobs.live_stream import LiveStream
from audiogen.jobs.live_take import WHOLE, Part, TakeWriter, engine_of, settings_of
from audiogen.jobs.prepare_tail import prepare_tails
from audiogen.jobs.request import Request
from audiogen.sound.prompt_analysis import PromptParts
from audiogen.studio.options import request_of

if TYPE_CHECKING:
    from audiogen.studio.hub import Studio


@dataclass(frozen=True)
class LiveSession:
    """A stream and what it continues.

    Args:
        studio: that it belongs to.
        name: of the recording.
        stream: to be entered by whoever opened it.
        writer: of kept parts.
        parts: of the prompt.
        start: sample of the file at which the prompt begins.
        request: options that the stream began with, as of a take.
    """

    studio: Studio
    name: str
    stream: LiveStream
    writer: TakeWriter
    parts: PromptParts
    start: int
    request: dict[str, Any]

    @classmethod
    def open(cls, studio: Studio, name: str) -> LiveSession:
        """Analyse the region of a recording, and begin with the settings of its table.

        Raises:
            InputError: it cannot be continued.
        """
        project, region = studio.project(name), studio.region(name)
        chosen = request_of(project.settings, False, 0)
        for of_takes in ("seconds", "loop", "tail_only"):
            chosen.pop(of_takes, None)
        request = Request(**chosen)
        part: Part = (region[0], region[1]) if region else WHOLE
        recording, _ = read_prompt(studio.shelf.find(name), *part)
        chosen_morph = project.settings.get("morph")
        morph = studio.shelf.find(chosen_morph) if chosen_morph else None
        target = MorphTarget(read_prompt(morph)[0]) if morph is not None else None
        prepared = prepare_tails(recording, [request], target).tail(request)
        stream = LiveStream(engine_of(prepared), settings_of(request))
        writer = TakeWriter(recording, request, None, morph, part)
        wanted = chosen | {"region": region, "morph": chosen_morph}
        return cls(studio, name, stream, writer, prepared.parts, recording.start or 0, wanted)

    def keep(self, seconds: float) -> int:
        """Keep the latest seconds as a take, from whose sidecar `audiogen stream --replay` makes the same bytes.

        Returns:
            The number of the take.

        Raises:
            InputError: nothing has been played yet.
            InputError, OSError: it cannot be written; the take has failed.
        """
        kept = self.stream.keep(seconds)
        project, rate = self.studio.project(self.name), self.stream.sample_rate
        length = kept.samples.shape[1]
        begun = kept.start / rate
        request = self.request | {"live": round(begun, 2), "seconds": round(length / rate, 2)}
        take = project.add_take(".wav", request)
        try:
            self.writer.write(project.folder / take.file, kept)
        except (InputError, OSError) as error:
            project.update(take.id, "failed", {"error": str(error)})
            self.studio.broadcast_project(self.name)
            raise
        text = f"kept of the live tail, from its {begun:.1f} s on"
        facts = {
            "join_sample": 0,
            "length": length,
            "sample_rate": rate,
            "prompt_start": self.start,
            "prompt_range": [self.parts.start, self.parts.stop],
            "stamp": f"live-{take.id}-{kept.start}",
            "level_db": None,
            "words": [[text, None]],
            "figures": [],
            "warnings": [],
        }
        project.update(take.id, "made", facts)
        self.studio.broadcast_project(self.name)
        return take.id
