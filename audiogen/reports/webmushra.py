"""The rating of the blind listening page as an experiment of webMUSHRA (Schoeffler et al. 2018, J. Open Res. Softw. 6).

webMUSHRA adds the open reference, here the end of the prompt, to the rated stimuli as the hidden reference. The real
continuation is one of the stimuli besides: what a perfect tail would be rated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from audiogen.audio import Writer
from audiogen.text_files import write_text

if TYPE_CHECKING:
    from audiogen.reports.blind_listening import Stimulus

FOLDER = "webmushra"
CONFIGURATION = "audiogen.yaml"
PLACE = f"configs/{FOLDER}"  # of the folder, in a copy of webMUSHRA
QUESTION = "How much does each sound like more of the same recording as the reference?"


def write_webmushra(folder: Path, name: str, stimuli: Sequence[Stimulus]) -> None:
    """Write the configuration and the stimuli, equally loud, as 24-bit WAVs.

    Args:
        folder: to write into, created if necessary; to be copied to `PLACE`.
        name: of the continuation.
        stimuli: of the blind listening page, the open reference among them.
    """
    folder.mkdir(exist_ok=True)
    for each in stimuli:
        sound = each.sound
        with Writer(folder / f"{each.role}.wav", sound.sample_rate, sound.channels, "PCM_24") as writer:
            writer.write(sound.samples * np.float32(10 ** (each.gain / 20)))
    rated = [each.role for each in stimuli if each.role != "reference"]
    trial = {
        "type": "mushra",
        "id": "similarity",
        "name": "Similarity",
        "content": QUESTION,
        "showWaveform": True,
        "enableLooping": True,
        "reference": f"{PLACE}/reference.wav",
        "createAnchor35": False,  # the real continuation, low-passed, is among the stimuli
        "createAnchor70": False,
        "stimuli": {role: f"{PLACE}/{role}.wav" for role in rated},
    }
    welcome = {"type": "generic", "id": "welcome", "name": "Welcome", "content": "Use headphones, please."}
    end = {
        "type": "finish",
        "name": "Thank you",
        "content": "Thank you.",
        "showResults": True,
        "writeResults": True,
    }
    configuration = {
        "testname": f"{name}: more of the same recording?",
        "testId": "audiogen-similarity",
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": True,
        "remoteService": "service/write.php",
        "pages": [welcome, ["random", trial], end],
    }
    text = "# Copy this folder into a webMUSHRA as " + PLACE + f", and open ?config={FOLDER}/{CONFIGURATION}\n"
    write_text(folder / CONFIGURATION, text + yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True))
