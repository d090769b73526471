// The ring buffer of the live tail: it begins to play once enough is there, and counts what was missing.
class Ring extends AudioWorkletProcessor {
  constructor({ processorOptions: { channels, frames, preroll } }) {
    super();
    Object.assign(this, { channels, frames, preroll, read: 0, written: 0, playing: false, missing: 0, since: 0 });
    this.values = new Float32Array(frames * channels);
    this.port.onmessage = ({ data }) => this.push(data);
  }

  push(block) {
    for (let k = 0; k < block.length; k++) this.values[(this.written * this.channels + k) % this.values.length] = block[k];
    this.written += block.length / this.channels;
    this.read = Math.max(this.read, this.written - this.frames); // the oldest is lost, if nobody listens
    if (this.written - this.read >= this.preroll) this.playing = true;
  }

  process(_, [output]) {
    const wanted = output[0].length, there = this.playing ? Math.min(wanted, this.written - this.read) : 0;
    for (let channel = 0; channel < output.length; channel++) {
      for (let k = 0; k < there; k++) {
        output[channel][k] = this.values[((this.read + k) * this.channels + Math.min(channel, this.channels - 1)) % this.values.length];
      }
    }
    if (this.playing && there < wanted) {
      this.missing += 1;
      this.playing = false; // until the preroll is there again
    }
    this.read += there;
    this.since += wanted;
    if (this.since >= sampleRate / 5) {
      this.since = 0;
      this.port.postMessage({ played: this.read, waiting: this.written - this.read, missing: this.missing });
    }
    return true;
  }
}
registerProcessor("ring", Ring);
