// A/B: the lane that plays, and the one that played before it.
import * as player from "./player.js";
import { isPlayable, table } from "./table.js";

let selected = () => {};
export const onSelect = (callback) => { selected = callback; };

export function select(id) {
  const lane = table.lanes.get(id);
  if (!lane) return;
  if (id !== table.current) {
    table.other = table.current;
    table.current = id;
    if (isPlayable(lane) || lane.growing) player.change();
  }
  selected(lane);
}

/** Back to the lane that played before; at first the recording, or the first take. */
export function swap() {
  const playable = [...table.lanes.values()].filter((lane) => isPlayable(lane) && lane.take?.mark !== "aside");
  const other = table.lanes.get(table.other);
  if (other && other.id !== table.current && isPlayable(other)) return select(other.id);
  const next = playable.find((lane) => lane.id !== table.current);
  if (next) select(next.id);
}

/** The next lane above or below that is not set aside. */
export function step(by) {
  const shown = [...table.lanes.values()].filter((lane) => lane.take?.mark !== "aside");
  const index = shown.findIndex((lane) => lane.id === table.current);
  const next = shown[Math.max(0, Math.min(shown.length - 1, index + by))];
  if (next) select(next.id);
}

export function toggleMatch() {
  table.matched = !table.matched;
  player.change();
}
