"""Several Runs that predict together: sampled by weight, and each reads what the others predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, islice

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.models import Sampling
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.patch_selection import Patch
from audiogen.sound.prompt_analysis import analyse_prompt
from audiogen.sound.run_mixture import MixturePredictor, RunMixture

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]


def first_of(patches: Iterator[Patch], count: int) -> Tensor:
    return torch.cat([next(patches).frames for _ in range(count)])


@pytest.fixture
def prompt(texture: Texture) -> Recording:
    return texture(3.0)


@pytest.fixture
def two(prompt: Recording, texture: Texture, untrained: Untrained) -> tuple[Run, Run]:
    """Runs with equal frames and different latents."""
    return untrained(prompt), untrained(texture(3.0, 5), 1, "representation.latents=5")


def test_all_the_weight_on_one_run_equals_that_run(prompt: Recording, two: tuple[Run, Run]) -> None:
    analysis = analyse_prompt(prompt, two[0].representation.options.spec)
    for index, weights in enumerate([(1.0, 0.0), (0.0, 2.0)]):
        mixture = MixturePredictor(RunMixture(two, weights), analysis)
        alone = mixture.members[index]
        sampling = Sampling(generator=torch.Generator().manual_seed(0))
        sampling.uniform(1)  # samples the Run
        latent, _ = alone.model.step(alone.start, sampling)
        selection = alone.selection(1.0)
        expected = selection.frames_at(selection.choose(latent[0]))
        assert torch.allclose(next(mixture.patches_after(0, 1.0)).frames, expected)


def test_each_predicts_in_proportion_to_its_weight(
    prompt: Recording, two: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = MixturePredictor(RunMixture(two, (1.0, 3.0)), analyse_prompt(prompt, two[0].representation.options.spec))
    chosen = [0, 0]
    for index, member in enumerate(mixture.members):
        selection = member.selection(1.0)

        def counted(latent: Tensor, own: Callable = selection.choose, index: int = index) -> int:
            chosen[index] += 1
            return own(latent)

        monkeypatch.setattr(selection, "choose", counted)
        monkeypatch.setattr(member, "selection", lambda *_, own=selection: own)
    first_of(mixture.patches_after(0, 1.0), 200)
    assert sum(chosen) == 200
    assert chosen[1] / 200 == pytest.approx(0.75, abs=0.08)


def test_each_reads_what_the_others_predict(prompt: Recording, two: tuple[Run, Run]) -> None:
    analysis = analyse_prompt(prompt, two[0].representation.options.spec)
    member = MixturePredictor(RunMixture(two), analysis).members[1]
    patch = member.material[-member.representation.patch :] + 0.5
    read = member.read(member.start, patch)
    frames = torch.cat([member.material[len(member.material) % member.representation.patch :], patch])
    expected = member.model.start(member.representation.encode(frames, member.centre)[None])
    assert torch.allclose(read[0], expected[0], atol=1e-5)
    assert not torch.allclose(read[0], member.start[0], atol=1e-3)


def test_a_mixture_continues_reproducibly(prompt: Recording, two: tuple[Run, Run]) -> None:
    continuer = Continuer(RunMixture(two), prompt)
    tail = np.concatenate(list(continuer.tail(30_000, 1)), axis=1)
    assert tail.shape == (1, 30_000)
    assert np.isfinite(tail).all()
    assert tail.std() == pytest.approx(prompt.samples.std(), rel=0.5)
    assert np.array_equal(tail, np.concatenate(list(continuer.tail(30_000, 1)), axis=1))
    assert not np.allclose(tail, np.concatenate(list(Continuer(two[0], prompt).tail(30_000, 1)), axis=1))


def test_runs_of_stereo_and_mono_mix(texture: Texture, untrained: Untrained) -> None:
    prompt = texture(3.0, channels=2)
    wide = untrained(prompt, 0, "representation.channels=2")
    narrow = untrained(texture(3.0), 1)
    tail = np.concatenate(list(Continuer(RunMixture((narrow, wide)), prompt).tail(20_000)), axis=1)
    assert tail.shape == (2, 20_000)


@pytest.mark.parametrize(
    ("override", "weights", "message"),
    [
        ("representation.patch=8", (), "Run 2: its patches hold 8 frames, the first Run's 4"),
        ("representation.spec={hop: 256}", (), "Run 2: its mel frames differ from those of the first Run"),
        ("training.steps=1", (1.0,), "weights: 1 weights for 2 Runs"),
        ("training.steps=1", (1.0, -1.0), "weights: they must be 0 or above"),
        ("training.steps=1", (0.0, 0.0), "not all 0"),
    ],
)
def test_incompatible_runs_are_refused_in_one_line(
    prompt: Recording, untrained: Untrained, override: str, weights: tuple[float, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        RunMixture((untrained(prompt), untrained(prompt, 0, override)), weights)


def test_the_tails_of_a_set_do_not_repeat_each_other(prompt: Recording, two: tuple[Run, Run]) -> None:
    """By the same seed, a second tail would be the first one, whichever Run is sampled."""
    mixture = MixturePredictor(RunMixture(two), analyse_prompt(prompt, two[0].representation.options.spec))

    def path() -> list[int | None]:
        return [patch.start for patch in islice(mixture.patches_after(0, 1.0), 30)]

    def shared(one: list[int | None], other: list[int | None]) -> int:
        """Half seconds, of six patches, that both have."""
        return len({tuple(one[k : k + 6]) for k in range(25)} & {tuple(other[k : k + 6]) for k in range(25)})

    assert shared(path(), path()) == 25
    mixture.keep_tails_distinct()
    takes = [path() for _ in range(3)]
    assert max(shared(*pair) for pair in combinations(takes, 2)) <= 6  # the beginning has no half second before it
