// The piano roll of a tune: notes as bars, louder ones darker, one colour for what was continued.
import { table } from "./table.js";

const MARGIN = 2; // keys

/** Lowest and highest key of all lanes, so that they can be compared. */
function range() {
  let low = 127, high = 0;
  for (const lane of table.lanes.values()) {
    for (const [, , pitch] of notesOf(lane)?.notes ?? []) {
      low = Math.min(low, pitch);
      high = Math.max(high, pitch);
    }
  }
  return low > high ? [48, 72] : [low - MARGIN, high + MARGIN];
}

export const notesOf = (lane) => (lane.take ? lane.notes : table.notes);

export function drawRoll(drawing, lane, width, height, colours) {
  const notes = notesOf(lane);
  if (!notes) return;
  const { view } = table, [low, high] = range(), tall = height / (high - low + 1);
  const x = (time) => ((time - view.start) / view.seconds) * width;
  for (let pitch = low; pitch <= high; pitch++) {
    if (![1, 3, 6, 8, 10].includes(((pitch % 12) + 12) % 12)) continue;
    drawing.fillStyle = colours.stripe;
    drawing.fillRect(0, (high - pitch) * tall, width, tall);
  }
  drawing.fillStyle = colours.line;
  for (const time of notes.bars) drawing.fillRect(x(time), 0, 1, height);
  const join = lane.take ? lane.join / table.rate : Infinity;
  for (const [start, end, pitch, velocity] of notes.notes) {
    if (end < view.start || start > view.start + view.seconds) continue;
    drawing.globalAlpha = 0.35 + (0.65 * velocity) / 127;
    drawing.fillStyle = start >= join - 1e-3 ? colours.tail : colours.prompt;
    drawing.fillRect(x(start), (high - pitch) * tall, Math.max(x(end) - x(start) - 1, 2), Math.max(tall - 1, 2));
  }
  drawing.globalAlpha = 1;
}
