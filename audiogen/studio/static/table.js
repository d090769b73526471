// What is open: the recording, its takes as lanes on one time axis, and the visible part of that axis.

export const table = {
  name: null, kind: "recording", rate: 44100, channels: 1, length: 0, stamp: "", notes: null,
  project: null, lanes: new Map(), current: "prompt", other: null, matched: true,
  view: { start: 0, seconds: 1 }, playhead: 0,
};

export const seconds = () => table.length / table.rate;

/** Start and end of what is continued, in seconds. */
export const region = () => table.project?.settings.region ?? [0, seconds()];

/** A lane: where its samples lie on the axis. `take` is null for the recording itself. */
function promptLane() {
  return { id: "prompt", take: null, number: 0, offset: 0, join: null, length: table.length, gain: 1, stamp: table.stamp };
}

function takeLane(take) {
  const { facts, live } = take;
  const lane = { id: `take-${take.id}`, take, number: take.id, offset: region()[1], join: 0, length: 0, gain: 1, stamp: facts.stamp ?? "" };
  if (take.state === "made" && table.kind === "tune") {
    const known = table.lanes.get(lane.id);
    return { ...lane, offset: 0, join: Math.round(facts.join.seconds * table.rate), length: known?.length || 0, notes: known?.notes };
  }
  if (take.state === "made") {
    const [first, stop] = facts.prompt_range;
    const begin = facts.join_sample ? first : stop;
    lane.offset = (facts.prompt_start ?? 0) / table.rate + begin / table.rate;
    lane.join = facts.join_sample;
    lane.length = facts.length;
    lane.gain = 10 ** (-Math.max(-24, Math.min(24, facts.level_db ?? 0)) / 20);
  } else if (live?.prompt_range) {
    lane.offset = (live.prompt_start + live.prompt_range[1]) / table.rate;
    lane.length = live.frames;
    lane.growing = true;
  } else if (["waiting", "making"].includes(take.state)) {
    lane.offset = take.request.region?.[1] ?? seconds();
    lane.growing = table.kind !== "tune";
  }
  return lane;
}

/** Take over the state of the open project from the server. */
export function setProject(project) {
  table.project = project;
  const lanes = new Map([["prompt", promptLane()]]);
  for (const take of project.takes) lanes.set(`take-${take.id}`, takeLane(take));
  table.lanes = lanes;
  if (!lanes.has(table.current)) table.current = "prompt";
}

/** Progress of one take. */
export function setLive(number, live) {
  const take = table.project?.takes.find((each) => each.id === number);
  if (!take || take.state === "made") return null;
  take.live = live;
  take.state = "making";
  const lane = takeLane(take);
  table.lanes.set(lane.id, lane);
  return lane;
}

export const end = () =>
  Math.max(seconds(), ...[...table.lanes.values()].map((lane) => lane.offset + lane.length / table.rate), region()[1] + expected());

const expected = () =>
  Math.max(0, ...table.project.takes.filter((take) => ["waiting", "making"].includes(take.state)).map((take) => take.request.seconds ?? 0));

export const isPlayable = (lane) => lane && lane.length > 0;

/**
 * What sounds at a time of the axis in a lane: `lane`, `sample`, `frames` until something else does, and `gain`.
 * Before a tail that was written alone lies the recording; after a loop's end its beginning; the recording's own end is
 * followed by the region again, so that a tail always has something to be compared with.
 */
export function segment(lane, time) {
  const rate = table.rate, prompt = table.lanes.get("prompt");
  const at = Math.round((time - lane.offset) * rate);
  if (lane.take === null) {
    if (at < lane.length) return { lane, sample: Math.max(at, 0), frames: lane.length - Math.max(at, 0), gain: 1 };
    const [start, stop] = region().map((value) => Math.round(value * rate));
    if (stop <= start) return null;
    const sample = start + ((at - stop) % (stop - start));
    return { lane, sample, frames: stop - sample, gain: 1 };
  }
  if (at < 0) {
    const sample = Math.round(time * rate);
    return { lane: prompt, sample: Math.max(sample, 0), frames: Math.min(-at, prompt.length - sample), gain: 1 };
  }
  if (at < lane.join) return { lane, sample: at, frames: lane.join - at, gain: 1 };
  if (at < lane.length || lane.growing) {
    const frames = lane.growing ? Infinity : lane.length - at;
    return { lane, sample: at, frames, gain: table.matched ? lane.gain : 1 };
  }
  if (!lane.take.request.loop) return null;
  const around = lane.join + ((at - lane.join) % (lane.length - lane.join));
  return { lane, sample: around, frames: lane.length - around, gain: table.matched ? lane.gain : 1 };
}
