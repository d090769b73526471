// Auditions: a second on either side of the join, and the seam of a loop, each as one AudioBuffer without a gap.
import * as api from "./api.js";
import * as player from "./player.js";
import { table } from "./table.js";

const AROUND = 1; // seconds

async function samples(lane, start, stop) {
  return (await api.audio(table.name, lane.take?.id ?? null, Math.max(0, start), stop)).samples;
}

function together(...parts) {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

async function playSamples(values) {
  await player.ready();
  const buffer = player.bufferOf(values, 0, values.length / table.channels);
  globalThis.audiogen.audition = values; // the samples that played, for tests
  await player.once(buffer);
}

/** The join of a take: of a tail written alone, with the recording before it. */
export async function join(lane) {
  const reach = Math.round(AROUND * table.rate);
  if (lane.join > 0) return playSamples(await samples(lane, lane.join - reach, lane.join + reach));
  const at = Math.round(lane.offset * table.rate);
  const [before, after] = await Promise.all([samples(table.lanes.get("prompt"), at - reach, at), samples(lane, 0, reach)]);
  return playSamples(together(before, after));
}

/** The seam of a loop: its end, and at once its beginning. */
export async function seam(lane) {
  const reach = Math.min(Math.round(AROUND * table.rate), lane.length - lane.join);
  const [last, first] = await Promise.all([
    samples(lane, lane.length - reach, lane.length),
    samples(lane, lane.join, lane.join + reach),
  ]);
  return playSamples(together(last, first));
}
