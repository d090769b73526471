// The handles of the next takes, as sliders; and the command line that they amount to.
import * as api from "./api.js";
import { copyable } from "./lanes.js";
import { act, element } from "./page.js";
import { table } from "./table.js";

const form = document.getElementById("handles");
const signed = (unit) => (value) => `${value > 0 ? "+" : ""}${value} ${unit}`;
const SOUND = [
  { name: "level", text: "Level", min: -24, max: 24, step: 0.5, neutral: 0, show: signed("dB") },
  { name: "brightness", text: "Brightness", min: -6, max: 6, step: 0.25, neutral: 0, show: signed("dB per octave") },
  { name: "density", text: "Density", min: -2, max: 2, step: 0.25, neutral: 1, show: (value) => `${value} × the events`, to: (at) => Number((2 ** at).toPrecision(3)), from: Math.log2 },
  { name: "temperature", text: "Temperature", min: 0, max: 4, step: 0.1, neutral: 1, show: (value) => `${value} × the variance` },
];
const TUNE = [
  { name: "bars", text: "Bars", min: 1, max: 64, step: 1, neutral: 8, show: (value) => `${value}` },
  { name: "temperature", text: "Temperature", min: 0, max: 2, step: 0.05, neutral: 1, show: (value) => `${value}` },
];
let shown = null;
let files = [];

export function setFiles(list) {
  files = list;
  shown = null;
}

const set = (name, value) => act(api.change(table.name, name, value));

function slider({ name, text, min, max, step, neutral, show, to = Number, from = Number }) {
  const value = table.project.settings[name] ?? neutral;
  const output = element("output", {}, show(value));
  const input = element("input", { type: "range", min, max, step, value: from(value), name });
  input.oninput = () => { output.textContent = show(to(input.value)); };
  input.onchange = () => set(name, to(input.value));
  input.ondblclick = () => set(name, neutral);
  input.onkeydown = (event) => event.key === "Delete" && set(name, neutral);
  return element("label", { class: "slider" }, element("span", {}, text), output, input);
}

function number(name, text, value, min, max, step) {
  const input = element("input", { type: "number", min, max, step, value, name });
  input.onchange = () => set(name, Number(input.value));
  return element("label", { class: "number" }, element("span", {}, text), input);
}

function check(name, text) {
  const input = element("input", { type: "checkbox", name });
  input.checked = Boolean(table.project.settings[name]);
  input.onchange = () => set(name, input.checked);
  return element("label", { class: "check" }, input, text);
}

function morph() {
  const select = element("select", { name: "morph" }, element("option", { value: "" }, "nothing"));
  for (const file of files) {
    if (file.kind === "recording" && file.name !== table.name) select.append(element("option", { value: file.name }, file.name));
  }
  select.value = table.project.settings.morph ?? "";
  select.onchange = () => set("morph", select.value || null);
  return element("label", { class: "number" }, element("span", {}, "Morph into"), select);
}

export function render() {
  const { settings, command } = table.project;
  const key = JSON.stringify([table.name, settings, files.length]);
  if (key === shown) return renderCommand(command);
  const focus = form.contains(document.activeElement) ? document.activeElement.name : null;
  shown = key;
  const tune = table.kind === "tune";
  const make = element("button", { type: "submit", class: "primary", "aria-keyshortcuts": "m" }, `Make ${settings.count} take${settings.count === 1 ? "" : "s"}`);
  form.replaceChildren(
    element("h2", {}, "Next takes"),
    ...(tune ? [] : [number("seconds", "Seconds", settings.seconds, 0.1, 86400, 0.1)]),
    number("count", "Takes", settings.count, 1, 99, 1),
    ...(tune ? TUNE : SOUND).map(slider),
    ...(tune ? [] : [morph(), check("loop", "Loop"), check("tail_only", "Tail alone")]),
    make,
    element("div", { id: "command" }),
  );
  if (focus) form.elements[focus]?.focus();
  renderCommand(command);
}

function renderCommand(command) {
  const home = document.getElementById("command");
  if (home.textContent.replace(/Cop(y|ied)$/, "") !== command) home.replaceChildren(copyable(command));
}

form.onsubmit = (event) => {
  event.preventDefault();
  makeTakes();
};

export const makeTakes = () => act(api.make(table.name, table.project.settings.count));
