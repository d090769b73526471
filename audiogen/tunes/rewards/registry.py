"""The table of rewards."""

from __future__ import annotations

from audiogen.config.registry import Registry
from audiogen.tunes.rewards.base import Rule

REWARDS: Registry[Rule] = Registry(
    "audiogen.rewards",
    {
        "key": "audiogen.tunes.rewards.tonality:InKey",
        "ending": "audiogen.tunes.rewards.tonality:EndsOnTonic",
        "cadence": "audiogen.tunes.rewards.tonality:Cadence",
        "range": "audiogen.tunes.rewards.melody:InRange",
        "leaps": "audiogen.tunes.rewards.melody:LeapsResolved",
        "rhythm": "audiogen.tunes.rewards.style:Rhythm",
        "style": "audiogen.tunes.rewards.style:Style",
        "repetition": "audiogen.tunes.rewards.repetition:Repetition",
        "answer": "audiogen.tunes.rewards.repetition:Answer",
        "form": "audiogen.tunes.rewards.repetition:Form",
        "voices": "audiogen.tunes.rewards.harmony:VoiceLeading",
        "chords": "audiogen.tunes.rewards.harmony:FitsChords",
        "critic": "audiogen.tunes.rewards.critic:Critic",
    },
)
"""The rewards that can be named, by name. Another package adds one by an entry point of the group: a `Rule`, or a
function of a tail."""
