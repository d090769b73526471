"""Rules: what they like, and that silence, length and copies do not cheat them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.rewards import REWARDS, Passage, build_reward
from audiogen.tunes.rewards.harmony import sounding_pitches, voice_leading_faults
from audiogen.tunes.rewards.tonality import estimate_key, parse_key
from audiogen.tunes.tune import NOTE, Part, Tune, tidy
from tests.tunes.rewards.tunes import (
    BAR,
    BARS,
    CHEATS,
    DEVELOPMENT,
    EIGHTH,
    EMPTY,
    GOOD,
    PROMPT,
    QUESTION,
    melody,
    notes,
)

CHORDS = "chords:D,G,Am,D,G,C,D,D,G,C,D,G"
RULES = ["key:G", "ending:G", "cadence", "range:..B5", "leaps", "rhythm", "style", "repetition", "answer", "form:ABAA"]


def value(name: str, tail: Tune) -> float:
    return build_reward([name]).given(PROMPT, BARS)(tail)


@pytest.mark.parametrize("name", [*RULES, CHORDS])
def test_a_good_tail_fulfils_every_rule(name: str) -> None:
    assert value(name, GOOD) >= 0.66


@pytest.mark.parametrize("name", [*RULES, CHORDS, "voices"])
@pytest.mark.parametrize(
    "cheat", [cheat for cheat in CHEATS if cheat not in ("scale up and down", "copy of the prompt")]
)
def test_silence_and_single_notes_fulfil_no_rule(name: str, cheat: str) -> None:
    """A mean over notes would be 1 for a single right note; less music than the prompt's is worth less."""
    assert value(name, CHEATS[cheat]) <= (0.5 if cheat == "music, then silence" else 0.35)


@pytest.mark.parametrize("name", ["repetition", "answer", "form:ABAA"])
def test_a_copy_is_neither_an_answer_nor_a_form(name: str) -> None:
    assert value(name, CHEATS["copy of the prompt"]) <= 0.3


@pytest.mark.parametrize(("name", "most"), [("repetition", 0.1), ("answer", 0.5), ("form:ABAA", 0.3), ("style", 0.85)])
def test_a_scale_up_and_down_is_not_enough(name: str, most: float) -> None:
    assert value(name, CHEATS["scale up and down"]) < min(most, value(name, GOOD))


def test_a_loop_of_four_bars_is_stuck() -> None:
    """Four new bars, three times: two of three bars return, but nothing else happens."""
    assert value("repetition", melody([[pitch + 2 for pitch in bar] for bar in QUESTION] * 3, start=4 * BAR)) <= 0.6


def test_one_chord_is_not_four() -> None:
    """Half of the bars are on G: the tonic chord all the time, or a drone on G, make up for none of the others."""
    chords = "chords:G,C,D7,G"
    arpeggio = melody([[67, 71, 74, 79, 67, 71, 74, 79]] * BARS, start=4 * BAR)
    right = melody(
        [[67, 71, 74, 79] * 2, [72, 76, 79, 72] * 2, [74, 78, 81, 72] * 2, [67, 71, 74, 67] * 2] * 3, 4 * BAR
    )
    drone = notes([(4 * BAR, 16 * BAR, 55)] + [(bar * BAR, (bar + 1) * BAR, 61 + bar % 3) for bar in range(4, 16)])
    assert value(chords, arpeggio) <= 0.8
    assert value(chords, drone) <= 0.7
    assert value(chords, right) > 0.95


@pytest.mark.parametrize("name", [*RULES, CHORDS])
def test_longer_is_not_better(name: str) -> None:
    """The same music twice as long is worth at most a little more: values are means."""
    longer = melody([[int(pitch) for pitch in bar] for bar in _bars(GOOD)] * 2, start=4 * BAR)
    assert build_reward([name]).given(PROMPT, 2 * BARS)(longer) <= value(name, GOOD) + 0.2


def _bars(tune: Tune) -> list[list[int]]:
    """Pitches of the eighth notes of each bar, held notes repeated."""
    steps = np.zeros((tune.end - 4 * BAR) // EIGHTH, int)
    for start, end, pitch in zip(tune.notes["start"], tune.notes["end"], tune.notes["pitch"], strict=True):
        steps[(start - 4 * BAR) // EIGHTH : (end - 4 * BAR) // EIGHTH] = pitch
    return steps.reshape(-1, 8).tolist()


def test_one_note_beyond_the_range_halves_the_reward() -> None:
    high = replace(GOOD, notes=GOOD.notes.copy())
    high.notes["pitch"][3] = 84
    assert value("range:..B5", high) == pytest.approx(value("range:..B5", GOOD) / 2, rel=0.05)


@pytest.mark.parametrize(("final", "expected"), [(67, 1.0), (79, 1.0), (71, 0.25), (74, 0.25), (69, 0.0)])
def test_the_ending_is_the_tonic(final: int, expected: float) -> None:
    tail = replace(GOOD, notes=GOOD.notes.copy())
    tail.notes["pitch"][-1] = final
    assert value("ending:G", tail) == pytest.approx(expected, abs=0.02)
    assert value("ending", tail) == pytest.approx(expected, abs=0.02)  # the prompt's own key


def test_a_leap_must_turn_back() -> None:
    def bars(*pitches: int) -> Tune:
        return melody([list(pitches)] * 12, start=4 * BAR)

    assert value("leaps", bars(60, 69, 67, 65, 64, 62, 64, 62)) == pytest.approx(1.0)
    assert value("leaps", bars(60, 69, 71, 72, 70, 67, 64, 62)) == pytest.approx(0.0)  # goes on upwards


@pytest.mark.parametrize("name", ["C", "F#", "Bb", "Am", "C#m"])
def test_keys_are_found(name: str) -> None:
    key = parse_key(name)
    third = 3 if key.mode else 4
    seventh = 11 if not key.mode else 10
    steps = [0, 2, third, 5, 7, 9 if not key.mode else 8, seventh, 12, 7, third, 0]
    tune = notes([(index * EIGHTH, (index + 1) * EIGHTH, 60 + key.tonic + step) for index, step in enumerate(steps)])
    assert estimate_key(tune) == key


def test_wrong_notes_lower_the_key() -> None:
    wrong = replace(GOOD, notes=GOOD.notes.copy())
    wrong.notes["pitch"][::4] += 1
    assert value("key:G", wrong) < 0.8 * value("key:G", GOOD)
    assert value("key:Db", GOOD) < 0.1


def chorale(rows: list[tuple[int, int]]) -> Tune:
    """Two parts in quarter notes."""
    table = [(24 * time, 24 * time + 24, row[part], 80, part) for time, row in enumerate(rows) for part in range(2)]
    return Tune(tidy(np.array(table, NOTE)), (Part(), Part()), 24)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(72, 65), (74, 67)], {"parallels": 1, "crossings": 0, "spacing": 0}),  # fifths
        ([(72, 60), (74, 62)], {"parallels": 1, "crossings": 0, "spacing": 0}),  # octaves
        ([(72, 60), (72, 60)], {"parallels": 0, "crossings": 0, "spacing": 0}),  # repeated, not moved
        ([(72, 65), (71, 62)], {"parallels": 0, "crossings": 0, "spacing": 0}),  # a fifth to a sixth
        ([(72, 60), (71, 64), (60, 62)], {"parallels": 0, "crossings": 1, "spacing": 0}),
        ([(84, 55), (72, 60)], {"parallels": 0, "crossings": 0, "spacing": 1}),
    ],
)
def test_voice_leading_faults(rows: list[tuple[int, int]], expected: dict[str, int]) -> None:
    assert voice_leading_faults(sounding_pitches(chorale(rows))) == expected


def test_voices_needs_all_parts_of_the_prompt() -> None:
    prompt = chorale([(72, 64), (74, 65), (76, 67), (72, 64)] * 2)
    reward = build_reward(["voices"]).given(prompt)
    both = chorale([(72, 64), (74, 65), (76, 67), (72, 64)] * 4)
    later = replace(both, notes=both.notes[both.notes["start"] >= prompt.end])
    alone = replace(later, notes=later.notes[later.notes["part"] == 0])
    assert reward(later) > 0.9
    assert reward(alone) == 0


def test_voices_counts_where_they_sound_together() -> None:
    """A second part with a single note breaks no rule, since there is nothing that it could break one with."""
    both = chorale([(72, 64), (74, 65), (76, 67), (72, 64)] * 4)
    kept = (both.notes["part"] == 0) | (both.notes["start"] == 0)
    rare = replace(both, notes=both.notes[kept])
    assert build_reward(["voices"])(both) == pytest.approx(1.0)
    assert build_reward(["voices"])(rare) <= 1 / 16


@pytest.mark.parametrize(("bars", "expected"), [(0, 0.0), (2, 0.0), (4, 1.0)])
def test_a_form_needs_a_section_of_the_tail(bars: int, expected: float) -> None:
    """Of AABA with a prompt of four bars, a tail of up to three bars completes none; one of four bars B and A."""
    prompt = melody([QUESTION[0], QUESTION[2], QUESTION[0], QUESTION[2]])
    tail = melody([DEVELOPMENT[0], DEVELOPMENT[1], QUESTION[0], QUESTION[2]][:bars], start=4 * BAR)
    assert build_reward(["form:AABA"]).given(prompt, bars)(tail) == pytest.approx(expected, abs=0.02)


def test_a_range_needs_an_argument_or_a_prompt() -> None:
    assert build_reward(["range"])(PROMPT) == 0.0
    assert build_reward(["range"]).given(EMPTY, BARS)(GOOD) == 0.0
    assert value("range", GOOD) > 0.95


def test_style_of_a_folder(tmp_path: Path) -> None:
    """Tunes like those of the folder, in any key, are worth more than scales."""
    for key in (0, 5):
        write_midi(tmp_path / f"{key}.mid", melody(_bars(GOOD)).transposed(key))
    name = f"style:{tmp_path}"
    assert value(name, GOOD) > 0.85
    assert build_reward([name]).given(PROMPT.transposed(-3), BARS)(GOOD.transposed(-3)) == pytest.approx(
        value(name, GOOD)
    )
    assert value(name, CHEATS["scale up and down"]) < value(name, GOOD) - 0.05


def test_substance_is_full_for_music_and_none_for_silence() -> None:
    found = {name: Passage(tail, PROMPT, 16 * BAR).substance for name, tail in {"good": GOOD, **CHEATS}.items()}
    assert found["good"] > 0.95
    assert found["silence"] == 0
    assert found["one note without end"] < 0.1
    assert found["music, then silence"] < 0.5


def test_every_reward_is_tried() -> None:
    tried = {name.partition(":")[0] for name in [*RULES, CHORDS, "voices"]}
    tried.add("critic")  # in tests/training/test_critic.py, where one is trained
    assert tried == {name for name in REWARDS if REWARDS[name].__module__.startswith("audiogen.tunes.rewards.")}


def test_an_answer_counts_as_soon_as_it_begins() -> None:
    """Of a tail that is being searched for, the bars of the last phrase that there are."""
    reward = build_reward(["answer"]).given(PROMPT, BARS)
    values = [
        reward.partial(replace(GOOD, notes=GOOD.notes[GOOD.notes["start"] < bar * BAR]), bar * BAR)
        for bar in (11, 13, 14)
    ]
    assert values[0] == 0
    assert values[1] > 0.9
    assert values[2] > 0.9
    wrong = melody([[61, 63, 66, 68, 70, 73, 75, 78]] * 9, start=4 * BAR)
    assert reward.partial(wrong, 13 * BAR) < 0.3
