// A ring buffer between the WebSocket and the sound card: plays once enough has arrived, and says how much it has played.
class Ring extends AudioWorkletProcessor {
  constructor({ processorOptions: { channels, preroll, capacity } }) {
    super();
    Object.assign(this, { channels, preroll, samples: new Float32Array(capacity * channels), capacity });
    Object.assign(this, { written: 0, played: 0, reported: 0, gaps: 0, playing: false });
    this.port.onmessage = ({ data }) => this.write(data);
  }

  write(block) {
    const { samples, channels, capacity } = this;
    for (let index = 0; index < block.length; index++) samples[(this.written * channels + index) % (capacity * channels)] = block[index];
    this.written += block.length / channels;
  }

  process(_, [output]) {
    const ready = this.written - this.played;
    if (!this.playing && ready >= this.preroll) this.playing = true;
    if (!this.playing) return true;
    const count = Math.min(output[0].length, ready), { samples, channels, capacity } = this;
    for (let frame = 0; frame < count; frame++) {
      const at = ((this.played + frame) % capacity) * channels;
      for (let channel = 0; channel < output.length; channel++) output[channel][frame] = samples[at + Math.min(channel, channels - 1)];
    }
    this.played += count;
    if (count < output[0].length) { // wait until there is enough again
      this.playing = false;
      this.gaps += 1;
    }
    if (this.played - this.reported > sampleRate / 20 || !this.playing) {
      this.reported = this.played;
      this.port.postMessage({ played: this.played, gaps: this.gaps });
    }
    return true;
  }
}
registerProcessor("ring", Ring);
