// The region of the recording that is continued: dragged with the pointer, or moved with the keys at its two edges.
import * as api from "./api.js";
import { act, element, time } from "./page.js";
import { region, seconds, table } from "./table.js";

const MIN = 0.5; // seconds
const box = element("div", { class: "region" });
const handles = ["Start", "End"].map((name, which) => {
  const handle = element("div", { class: `edge ${name.toLowerCase()}`, role: "slider", tabindex: "0", "aria-label": `${name} of what is continued` });
  handle.addEventListener("keydown", (event) => key(event, which));
  handle.addEventListener("pointerdown", (event) => drag(event, which));
  return handle;
});
box.append(...handles);
let pending = null; // while it is dragged

export function place(strip) {
  if (table.kind === "tune" || !strip) return box.remove();
  if (box.parentElement !== strip) strip.append(box);
  const [start, stop] = pending ?? region(), { view } = table;
  box.style.left = `${((start - view.start) / view.seconds) * 100}%`;
  box.style.width = `${((stop - start) / view.seconds) * 100}%`;
  [start, stop].forEach((value, which) => {
    const handle = handles[which];
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", seconds().toFixed(2));
    handle.setAttribute("aria-valuenow", value.toFixed(2));
    handle.setAttribute("aria-valuetext", time(value, 2));
  });
}

function bounded(start, stop) {
  const low = Math.max(0, Math.min(start, seconds() - MIN));
  return [low, Math.min(seconds(), Math.max(stop, low + MIN))].map((value) => Math.round(value * 1000) / 1000);
}

function save(value) {
  const [start, stop] = bounded(...value);
  const all = start <= 0.001 && stop >= seconds() - 0.001;
  return act(api.change(table.name, "region", all ? null : [start, stop]));
}

function key(event, which) {
  const by = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -5, PageUp: 5 }[event.key];
  if (by === undefined && !["Home", "End"].includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  const value = [...region()];
  value[which] = event.key === "Home" ? 0 : event.key === "End" ? seconds() : value[which] + by * (event.shiftKey ? 10 : 1);
  if (which === 0) value[0] = Math.min(value[0], value[1] - MIN);
  save(value);
}

const timeAt = (event, strip) => {
  const frame = strip.getBoundingClientRect();
  return table.view.start + ((event.clientX - frame.left) / frame.width) * table.view.seconds;
};

function drag(event, which) {
  event.preventDefault();
  event.stopPropagation();
  const strip = box.parentElement, fixed = region()[1 - which];
  follow(event, strip, (at) => [Math.min(at, fixed), Math.max(at, fixed)], handles[which]);
}

/** Begin a new region at a point of the recording; a click without a drag is none. */
export function start(event, strip, clicked) {
  const from = timeAt(event, strip), x = event.clientX;
  follow(event, strip, (at, moved) => (Math.abs(moved.clientX - x) > 4 ? [Math.min(from, at), Math.max(from, at)] : null), strip, () => clicked(from));
}

function follow(event, strip, value, target, clicked = () => {}) {
  target.setPointerCapture(event.pointerId);
  const move = (moved) => {
    const next = value(Math.max(0, Math.min(seconds(), timeAt(moved, strip))), moved);
    pending = next && bounded(...next);
    place(strip);
  };
  const done = async () => {
    target.removeEventListener("pointermove", move);
    const found = pending;
    if (found) await save(found);
    else clicked();
    pending = null;
    place(strip);
  };
  target.addEventListener("pointermove", move);
  target.addEventListener("pointerup", done, { once: true });
  target.addEventListener("pointercancel", () => { pending = null; done(); }, { once: true });
}
