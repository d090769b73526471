// Plays lanes from the server's samples, in AudioBuffers that follow each other to the sample. Changing the lane while
// it plays cross-fades within 8 ms at the same place of the time axis.
import * as api from "./api.js";
import { isPlayable, segment, table } from "./table.js";

const CHUNK = 32768; // frames
const AHEAD = 0.6; // seconds that are scheduled
const FADE = 0.008;
const LATENCY = 0.02;
const CACHED = 400; // chunks

let context = null;
let voice = null; // what sounds: its gain, its sources, and how far it is scheduled
let timer = null;
let finish = () => {};
const chunks = new Map();
const coming = new Map();

export const state = { playing: false, startedAt: 0, from: 0, rounds: 0, switches: 0 };

/** The context, at the recording's own rate, so that no chunk is resampled by itself. */
export async function ready() {
  if (!context || context.sampleRate !== table.rate) {
    await context?.close();
    try {
      context = new AudioContext({ sampleRate: table.rate, latencyHint: "interactive" });
    } catch {
      context = new AudioContext();
    }
  }
  if (context.state === "suspended") await context.resume();
  return context;
}

export const onEnd = (callback) => { finish = callback; };

/** Where the playhead is, in seconds of the axis. */
export function position() {
  if (!state.playing) return table.playhead;
  return state.from + Math.max(0, context.currentTime - state.startedAt);
}

export async function play(from = table.playhead) {
  await ready();
  halt();
  Object.assign(state, { playing: true, from, startedAt: context.currentTime + LATENCY });
  voice = newVoice(table.lanes.get(table.current), from, state.startedAt);
  pump();
  timer = setInterval(pump, 50);
}

export function pause() {
  table.playhead = position();
  halt();
}

function halt() {
  clearInterval(timer);
  fade(voice);
  voice = null;
  state.playing = false;
}

/** Sound another lane from now on, at the same place. */
export function change() {
  if (!state.playing) return;
  const lane = table.lanes.get(table.current);
  const when = context.currentTime + LATENCY;
  const at = state.from + when - state.startedAt;
  fade(voice, when);
  voice = newVoice(lane, at, when);
  state.switches += 1;
  pump();
}

function newVoice(lane, at, when) {
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, Math.max(when, 0));
  gain.gain.linearRampToValueAtTime(1, when + FADE);
  gain.connect(context.destination);
  return { id: lane.id, gain, sources: new Set(), at, when };
}

function fade(old, when = context?.currentTime ?? 0) {
  if (!old) return;
  old.gain.gain.cancelScheduledValues(when);
  old.gain.gain.setValueAtTime(1, when);
  old.gain.gain.linearRampToValueAtTime(0, when + FADE);
  for (const source of old.sources) source.stop(when + FADE);
}

function pump() {
  if (!state.playing || !voice) return;
  while (voice.when < context.currentTime + AHEAD) {
    const lane = table.lanes.get(voice.id);
    const part = lane && segment(lane, voice.at);
    if (!part || part.frames <= 0) {
      if (voice.when <= context.currentTime) {
        table.playhead = state.from;
        halt();
        finish();
      }
      return;
    }
    const chunk = cachedChunk(part.lane, part.sample);
    if (!chunk) return;
    schedule(chunk, part);
  }
  prefetch();
}

function schedule(chunk, part) {
  const skip = part.sample - chunk.start;
  const frames = Math.min(chunk.frames - skip, part.frames);
  const late = context.currentTime + 0.005 - voice.when;
  if (late > 0) { // samples came too late: go on from here, without leaving any out
    voice.when += late;
    state.startedAt += late;
  }
  const buffer = bufferOf(chunk.samples, skip, frames);
  const source = new AudioBufferSourceNode(context, { buffer });
  const level = new GainNode(context, { gain: part.gain });
  source.connect(level).connect(voice.gain);
  const sources = voice.sources;
  sources.add(source);
  source.onended = () => sources.delete(source);
  source.start(voice.when);
  voice.when += frames / table.rate;
  voice.at += frames / table.rate;
}

export function bufferOf(samples, skip, frames) {
  const buffer = context.createBuffer(table.channels, frames, table.rate);
  for (let channel = 0; channel < table.channels; channel++) {
    const target = buffer.getChannelData(channel);
    for (let k = 0; k < frames; k++) target[k] = samples[(skip + k) * table.channels + channel];
  }
  return buffer;
}

function cachedChunk(lane, sample) {
  const start = lane.growing ? sample : sample - (sample % CHUNK);
  const key = `${lane.id}:${lane.growing ? "growing" : lane.stamp}:${start}`;
  const known = chunks.get(key);
  if (known) return known;
  if (!coming.has(key)) {
    const request = api.audio(table.name, lane.take?.id ?? null, start, start + CHUNK)
      .then(({ samples }) => {
        const frames = samples.length / table.channels;
        if (frames > 0) {
          if (chunks.size > CACHED) chunks.delete(chunks.keys().next().value);
          chunks.set(key, { samples, start, frames });
        }
      })
      .catch(() => {})
      .finally(() => { coming.delete(key); pump(); });
    coming.set(key, request);
  }
  return null;
}

/** Have the other lanes' samples at hand, so that a change is instant. */
function prefetch() {
  for (const lane of table.lanes.values()) {
    if (!isPlayable(lane) || lane.growing || lane.take?.mark === "aside" || lane.id === table.current) continue;
    for (const later of [0, 0.8]) {
      const part = segment(lane, position() + later);
      if (part && !part.lane.growing) cachedChunk(part.lane, part.sample);
    }
  }
}

export function forget() {
  if (state.playing) halt();
  chunks.clear();
}

/** Play a buffer once, or around and around, in place of the lane. */
let single = null;
export async function once(buffer, { loop = false, gain = 1 } = {}) {
  await ready();
  if (state.playing) pause();
  silence();
  single = new AudioBufferSourceNode(context, { buffer, loop });
  single.connect(new GainNode(context, { gain })).connect(context.destination);
  single.start();
  state.rounds += 1;
  return new Promise((resolve) => { single.onended = resolve; });
}

export function silence() {
  single?.stop();
  single = null;
}
