// A/B: which lane is heard, and which one was heard before it.
import * as player from "./player.js";
import { isHeard, table } from "./table.js";

let told = () => {};
export const onSelect = (callback) => { told = callback; };

export function select(id) {
  const lane = table.lanes.get(id);
  if (!lane) return;
  if (id !== table.current) {
    table.other = table.current;
    table.current = id;
    if (isHeard(lane) || lane.growing) player.change();
  }
  told(lane);
}

/** The lane heard before; at first the recording, or the first take. */
export function swap() {
  const heard = [...table.lanes.values()].filter((lane) => isHeard(lane) && lane.take?.mark !== "aside");
  const other = table.lanes.get(table.other);
  if (other && other.id !== table.current && isHeard(other)) return select(other.id);
  const next = heard.find((lane) => lane.id !== table.current);
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
