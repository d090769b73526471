// The live tail: endless, with handles that act within about a second.
import { copyable } from "./lanes.js";
import { element, complain, announce, time } from "./page.js";
import * as player from "./player.js";
import { table } from "./table.js";

const form = document.getElementById("live");
const PREROLL = 0.25, RING = 4; // seconds
const HANDLES = [
  { name: "level", text: "Level", min: -24, max: 24, step: 0.5, neutral: 0 },
  { name: "brightness", text: "Brightness", min: -6, max: 6, step: 0.25, neutral: 0 },
  { name: "density", text: "Density", min: -2, max: 2, step: 0.25, neutral: 0, to: (at) => Number((2 ** at).toPrecision(3)) },
  { name: "temperature", text: "Temperature", min: 0, max: 4, step: 0.1, neutral: 1 },
  { name: "morph", text: "Morph", min: 0, max: 1, step: 0.05, neutral: 0 },
];
let socket = null, node = null;
export const state = { playing: false, played: 0, missing: 0, kept: null, changes: 0 };

function send(message) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify(message));
  state.changes += 1;
  const line = "keep" in message ? { ...message, to: "take.wav" } : message;
  form.querySelector(".line")?.replaceChildren("The same on its stdin:", copyable(JSON.stringify(line)));
}

export async function start() {
  player.forget();
  player.silence();
  const context = await player.ready();
  await context.audioWorklet.addModule("/static/ring.js");
  socket = new WebSocket(`ws://${location.host}/api/projects/${encodeURIComponent(table.name)}/live`);
  socket.binaryType = "arraybuffer";
  Object.assign(state, { playing: true, played: 0, missing: 0 });
  render();
  socket.onmessage = ({ data }) => (typeof data === "string" ? receive(JSON.parse(data), context) : node?.port.postMessage(new Float32Array(data)));
  socket.onclose = stop;
}

function receive(message, context) {
  if (message.error) complain(message.error);
  if (message.kept) {
    state.kept = message.kept;
    announce(`Kept as take ${message.kept}`);
  }
  if (!message.sample_rate) return;
  const { channels, sample_rate: rate, handles, settings } = message;
  node = new AudioWorkletNode(context, "ring", {
    outputChannelCount: [Math.max(channels, 1)],
    processorOptions: { channels, frames: RING * rate, preroll: Math.round(PREROLL * rate) },
  });
  node.port.onmessage = ({ data }) => {
    Object.assign(state, { played: data.played, missing: data.missing });
    const output = form.querySelector("output.played");
    if (output) output.textContent = `${time(data.played / rate)}${data.missing ? `, ${data.missing} ${data.missing > 1 ? "gaps" : "gap"}` : ""}`;
  };
  node.connect(context.destination);
  for (const { name } of HANDLES) {
    const input = form.elements[name];
    if (!input) continue;
    input.disabled = !handles.includes(name);
    input.value = name === "density" ? Math.log2(settings[name]) : settings[name];
  }
}

export function stop() {
  if (socket) socket.onclose = null;
  socket?.close();
  node?.disconnect();
  socket = node = null;
  if (state.playing) {
    state.playing = false;
    render();
  }
}

function slider({ name, text, min, max, step, neutral, to = Number }) {
  const input = element("input", { type: "range", min, max, step, value: neutral, name, disabled: "" });
  input.oninput = () => send({ [name]: to(input.value) });
  return element("label", { class: "slider" }, element("span", {}, text), input);
}

function button(text, run) {
  const made = element("button", { type: "button" }, text);
  made.onclick = run;
  return made;
}

export function render() {
  form.hidden = table.kind === "tune";
  const toggle = button(state.playing ? "Stop" : "Play without end", state.playing ? stop : start);
  const command = element("div", { class: "stream" });
  if (!state.playing) {
    form.replaceChildren(element("h2", {}, "Live"), toggle, command);
    return renderCommand();
  }
  const freeze = button("Freeze", () => {
    const on = freeze.getAttribute("aria-pressed") !== "true";
    freeze.setAttribute("aria-pressed", String(on));
    send({ freeze: on });
  });
  freeze.setAttribute("aria-pressed", "false");
  form.replaceChildren(
    element("h2", {}, "Live ", element("output", { class: "played" }, "preparing")),
    ...HANDLES.map(slider),
    element("div", { class: "buttons" }, toggle, freeze,
      button("Other draws", () => send({ reseed: Math.floor(Math.random() * 1e9) })),
      button("Keep the last 20 s", () => send({ keep: 20 }))),
    command,
    element("div", { class: "line" }),
  );
  renderCommand();
}

/** The command line of the tail as it begins; what is played already began with former settings. */
export function renderCommand() {
  const home = form.querySelector(".stream"), { stream } = table.project ?? {};
  if (!home || !stream || home.dataset.command === stream) return;
  home.dataset.command = stream;
  home.replaceChildren(copyable(stream));
}

form.onsubmit = (event) => event.preventDefault();
