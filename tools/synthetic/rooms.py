"""Recording conditions: room, microphone equaliser, noise floor, overload."""

from __future__ import annotations

import numpy as np

from tools.synthetic.fields import noise, random_spectrum
from tools.synthetic.stage import RenderContext, decibels, unit


def impulse_response(stage: RenderContext) -> np.ndarray:
    """Direct sound, early reflections and an exponential tail that decays faster at high frequencies.

    Moorer (1979, Computer Music Journal 3(2)): late reverberation is exponentially decaying noise.

    Returns:
        ``[channels, time]``.
    """
    decay, damping = stage.log_uniform(0.12, 4.0), stage.uniform(0.0, 0.5)
    length = int(min(decay, 0.8 * stage.seconds) * stage.rate) + 512
    room = RenderContext(stage.draw, stage.rate, length, stage.channels)
    spectrum, slope = random_spectrum(stage), stage.uniform(0, 0.5)

    def field(times: np.ndarray, hertz: np.ndarray) -> np.ndarray:
        speed = 60 / decay * (1 + np.maximum(hertz, 50) / 1000) ** damping
        return slope * spectrum(hertz) - np.outer(np.maximum(times, 0), speed)

    tail = noise(room, field, 512)
    early = room.silence()
    count = stage.integer(2, 16)
    delays = (stage.log_uniforms(0.001, min(0.09, 0.9 * length / stage.rate), count) * stage.rate).astype(int)
    for delay in delays:
        early[:, delay] += stage.pan(stage.uniform(0, 1)) * stage.uniform(-1, 1)
    wet = stage.uniform(0.05, 1.0)
    response = wet * (unit_energy(tail) + stage.uniform(0, 0.7) * unit_energy(early))
    response[:, 0] += 1 - 0.8 * wet
    return response


def unit_energy(response: np.ndarray) -> np.ndarray:
    """``[channels, time]`` scaled to unit energy per channel."""
    return response / np.sqrt(max(float(np.sum(response**2)) / len(response), 1e-20))


def recorded(stage: RenderContext, samples: np.ndarray) -> np.ndarray:
    """``[channels, time]`` as recorded: in a room, equalised, with a noise floor."""
    from scipy import fft

    response = impulse_response(stage) if stage.chance(0.5) else None
    size = fft.next_fast_len(stage.length + (0 if response is None else response.shape[-1]), real=True)
    spectrum = fft.rfft(unit(samples), size, axis=1)
    hertz = np.fft.rfftfreq(size, 1 / stage.rate).astype(np.float32)
    coarse = np.geomspace(5.0, 0.5 * stage.rate, 512)
    spectrum *= decibels(np.interp(hertz, coarse, _equaliser(stage, coarse)))
    if response is not None:
        spectrum *= fft.rfft(response, size, axis=1)
    found = unit(fft.irfft(spectrum, size, axis=1)[:, : stage.length])
    if stage.chance(0.15):
        drive = stage.log_uniform(0.3, 3)
        found = unit(np.tanh(drive * found))
    return found if stage.chance(0.4) else found + _floor(stage)


def _equaliser(stage: RenderContext, hertz: np.ndarray) -> np.ndarray:
    """``[bins]`` dB: a tilt and the band limits of microphone and codec."""
    tilt, low = stage.uniform(-5, 4), stage.log_uniform(5, 200)
    octaves = np.log2(np.maximum(hertz, 20) / 1000)
    level = tilt * octaves - 10 * np.log10(1 + (low / hertz) ** 4)
    if stage.chance(0.4):
        cutoff = stage.log_uniform(2500, 22000)
        level = level - np.minimum(100, 150 * np.maximum(0, np.log2(hertz / cutoff)))
    return level


def _floor(stage: RenderContext) -> np.ndarray:
    """``[channels, time]`` of steady noise, 95 to 20 dB below a sound of unit power."""
    length = int(stage.rate * stage.uniform(2.0, 3.0))
    slope = stage.uniform(-6, 1)
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / stage.rate), 20)
    white = stage.draw.standard_normal((stage.channels, len(hertz), 2), np.float32).view(np.complex64)[..., 0]
    from scipy import fft

    piece = unit(fft.irfft(white * decibels(slope * np.log2(hertz / 1000)), length, axis=1))
    starts = stage.draw.integers(0, length)
    return np.take(piece, np.arange(starts, starts + stage.length), axis=1, mode="wrap") * decibels(
        stage.uniform(-95, -20)
    )
