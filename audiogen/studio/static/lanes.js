// The lanes: the recording, and its takes under it, each with what can be done with it.
import * as api from "./api.js";
import * as compare from "./compare.js";
import { drawRoll } from "./roll.js";
import { isPlayable, region, seconds, table } from "./table.js";
import { drawPeaks, drawSpectrogram } from "./tiles.js";
import { act, element, time } from "./page.js";

const rows = document.getElementById("rows");
const asideBox = document.getElementById("aside");
const built = new Map(); // lane id -> {row, canvas, key}
let seek = () => {};
export const onSeek = (callback) => { seek = callback; };

/** Bring the rows in line with the table; rows that have not changed are left alone, with the focus in them. */
export function render() {
  const wanted = [...table.lanes.values()];
  for (const [id, { row }] of built) {
    if (!table.lanes.has(id)) {
      row.remove();
      built.delete(id);
    }
  }
  for (const lane of wanted) {
    const key = JSON.stringify([lane.take && { ...lane.take, live: null, note: "" }, table.name]);
    let known = built.get(lane.id);
    if (!known || known.key !== key) {
      const open = known?.row.querySelector("details.figures")?.open;
      const focus = known?.row.contains(document.activeElement) ? document.activeElement.dataset.name : null;
      const fresh = build(lane);
      if (known) known.row.replaceWith(fresh.row);
      known = { ...fresh, key };
      built.set(lane.id, known);
      if (open) known.row.querySelector("details.figures").open = true;
      if (focus) known.row.querySelector(`[data-name="${focus}"]`)?.focus();
    }
    const home = lane.take?.mark === "aside" ? asideBox.lastElementChild : rows;
    if (known.row.parentElement !== home) home.append(known.row);
    update(lane);
  }
  const count = asideBox.lastElementChild.children.length;
  asideBox.hidden = !count;
  asideBox.firstElementChild.textContent = `Set aside (${count})`;
  draw();
}

/** What changes while a take is made, and which lane plays. */
export function update(lane) {
  const { row } = built.get(lane.id) ?? {};
  if (!row) return;
  row.classList.toggle("current", lane.id === table.current);
  row.querySelector("[data-name=listen]").setAttribute("aria-pressed", String(lane.id === table.current));
  const note = row.querySelector("[data-name=note]");
  if (note && note !== document.activeElement) note.value = lane.take.note;
  const bar = row.querySelector("progress");
  if (bar) {
    const live = lane.take.live;
    bar.value = live?.done ?? 0;
    row.querySelector(".label").textContent =
      lane.take.state === "waiting" ? "waiting" : `${live?.label ?? "starting"}${lane.length ? `, ${time(lane.length / table.rate)} to hear` : ""}`;
  }
}

function build(lane) {
  const { take } = lane;
  const name = take ? `Take ${take.id}` : table.kind === "tune" ? "Tune" : "Recording";
  const head = element("div", { class: "head" });
  const listen = element("button", { type: "button", "data-name": "listen", class: "listen", "aria-pressed": "false" });
  listen.setAttribute("aria-label", `Listen to ${name.toLowerCase()}`);
  listen.append(element("kbd", {}, take ? String(take.id) : "0"), ` ${name}`);
  listen.onclick = () => compare.select(lane.id);
  head.append(listen);
  const row = element("section", { class: `lane ${take ? `take ${take.state} ${take.mark}` : "prompt"}`, id: lane.id, "aria-label": name }, head);
  if (take) head.append(...controls(take, name));
  else head.append(element("p", { class: "words" }, table.kind === "tune" ? "the tune" : "drag to choose what is continued"));
  const canvas = element("canvas", { role: "img", "aria-label": picture(lane, name) });
  const strip = element("div", { class: "strip" }, canvas);
  strip.addEventListener("pointerdown", (event) => seek(event, lane, strip));
  row.append(strip);
  return { row, canvas };
}

const picture = (lane, name) =>
  table.kind === "tune" ? `Piano roll of ${name.toLowerCase()}` : `Waveform and spectrogram of ${name.toLowerCase()}`;

function controls(take, name) {
  if (["waiting", "making"].includes(take.state)) {
    const cancel = element("button", { type: "button", "data-name": "cancel", "aria-label": `Cancel ${name.toLowerCase()}` }, "Cancel");
    cancel.onclick = () => act(api.cancel(table.name, take.id));
    const bar = element("progress", { max: 1, value: 0, "aria-label": `Progress of ${name.toLowerCase()}` });
    return [bar, element("p", { class: "label" }), element("div", { class: "buttons" }, cancel)];
  }
  if (take.state !== "made") {
    const text = take.state === "cancelled" ? "cancelled" : take.facts.error;
    return [element("p", { class: "words bad" }, text), element("div", { class: "buttons" }, remake(take, name), asideButton(take, name))];
  }
  const keep = toggle(take, "kept", "Keep", name);
  const file = element("a", { href: api.fileAddress(table.name, take.id), download: "", class: "button", "aria-label": `Download ${name.toLowerCase()}` }, "Download");
  const note = element("input", { type: "text", placeholder: "Note", value: take.note, "data-name": "note", maxlength: 2000, "aria-label": `Note on ${name.toLowerCase()}` });
  note.onchange = () => act(api.change(table.name, "note", note.value, take.id));
  const words = element("ul", { class: "words" }, ...take.facts.words.map(([text, good]) => element("li", { class: { true: "good", false: "bad" }[good] ?? "" }, text)));
  for (const text of take.facts.warnings) words.append(element("li", { class: "bad warning", title: text }, text.replace(/^[^:]*take-\d+\.\w+: /, "")));
  return [words, element("div", { class: "buttons" }, keep, asideButton(take, name), remake(take, name), file), note, figures(take)];
}

function toggle(take, mark, text, name) {
  const on = take.mark === mark;
  const button = element("button", { type: "button", "data-name": mark, "aria-pressed": String(on), "aria-label": `${text} ${name.toLowerCase()}` }, text);
  button.onclick = () => act(api.change(table.name, "mark", on ? "" : mark, take.id));
  return button;
}

const asideButton = (take, name) => toggle(take, "aside", take.mark === "aside" ? "Take back" : "Set aside", name);

function remake(take, name) {
  const button = element("button", { type: "button", "data-name": "remake", "aria-label": `Make ${name.toLowerCase()} again with the handles`, title: "the same seed, with the handles as they are now" }, "Again");
  button.onclick = () => act(api.make(table.name, 1, take.request.seed));
  return button;
}

function figures(take) {
  const list = element("dl");
  const { request } = take;
  const shown = Object.entries(request).filter(([, value]) => value !== null && value !== false);
  list.append(element("dt", {}, "Made with"), element("dd", {}, shown.map(([key, value]) => `${key.replace("_", " ")} ${Array.isArray(value) ? value.map((each) => each.toFixed(2)).join("–") + " s" : value}`).join(", ")));
  for (const [label, value, sentence] of take.facts.figures) list.append(element("dt", { title: sentence }, label), element("dd", {}, value));
  return element("details", { class: "figures" }, element("summary", {}, "Figures and command"), list, copyable(take.command));
}

/** A command line, with a button that copies it. */
export function copyable(text) {
  const button = element("button", { type: "button", "aria-label": "Copy the command" }, "Copy");
  button.onclick = async () => {
    await navigator.clipboard?.writeText(text).catch(() => {});
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1200);
  };
  return element("p", { class: "command" }, element("code", {}, ...text.split(" ").flatMap((word, k) => [k ? " " : "", element("span", {}, word)])), button);
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draw all lanes that can be seen. */
export function draw() {
  const colours = { prompt: css("--wave"), tail: css("--tail"), stripe: css("--stripe"), line: css("--line") };
  for (const lane of table.lanes.values()) {
    const { canvas } = built.get(lane.id) ?? {};
    if (!canvas?.clientWidth) continue;
    const { drawing, width, height } = sized(canvas);
    drawing.clearRect(0, 0, width, height);
    if (table.kind === "tune") drawRoll(drawing, lane, width, height, colours);
    else if (lane.growing) drawGrowing(drawing, lane, width, height, colours);
    else if (isPlayable(lane)) {
      const split = Math.round(height * 0.42);
      drawSpectrogram(drawing, lane, width, split, height - split);
      drawPeaks(drawing, lane, width, 0, split, colours.prompt, colours.tail);
    }
    const join = lane.take ? lane.offset + lane.join / table.rate : null;
    if (join !== null && isPlayable(lane)) drawing.fillStyle = css("--join"), drawing.fillRect(xOf(join, width) - 0.5, 0, 1.5, height);
  }
  drawRuler();
}

const xOf = (at, width) => ((at - table.view.start) / table.view.seconds) * width;

function drawGrowing(drawing, lane, width, height, colours) {
  const from = xOf(lane.offset, width), to = xOf(lane.offset + lane.length / table.rate, width);
  drawing.fillStyle = colours.tail;
  drawing.globalAlpha = 0.35;
  drawing.fillRect(from, height * 0.25, Math.max(to - from, 1), height * 0.5);
  drawing.globalAlpha = 1;
}

export function sized(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const drawing = canvas.getContext("2d");
  drawing.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { drawing, width, height };
}

function drawRuler() {
  const { drawing, width, height } = sized(document.getElementById("ruler"));
  drawing.clearRect(0, 0, width, height);
  const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((each) => (each / table.view.seconds) * width >= 64) ?? 3600;
  drawing.fillStyle = css("--text");
  drawing.font = "11px system-ui, sans-serif";
  for (let k = Math.ceil(table.view.start / step); k * step < table.view.start + table.view.seconds; k++) {
    const x = xOf(k * step, width);
    drawing.fillRect(x, height - 5, 1, 5);
    drawing.fillText(time(k * step, step < 1 ? 3 : 0), x + 3, height - 7);
  }
}

/** The rows' strips, for what is laid over them. */
export const strips = () => [...built.entries()].map(([id, { row }]) => [id, row.querySelector(".strip")]);
export const ends = () => [region(), seconds()];
