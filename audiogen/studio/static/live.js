// The live tab: an endless tail that plays while its handles move.
import { complain, element, say, time } from "./page.js";
import { table } from "./table.js";

const PREROLL = 0.4, CAPACITY = 4; // seconds
const form = document.getElementById("live");
let socket = null, context = null, shown = {};

const send = (message) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));

/** Move a handle of what plays; anything else is left to the next takes. */
export function move(name, value) {
  if (shown.handles?.includes(name)) send({ [name]: value });
}

export function stop() {
  socket?.close();
  context?.close();
  socket = context = null;
  shown = {};
  render();
}

async function start() {
  stop();
  const own = (socket = new WebSocket(`ws://${location.host}/api/projects/${encodeURIComponent(table.name)}/live`));
  own.binaryType = "arraybuffer";
  let ring = null;
  shown = { starting: true };
  render();
  const early = [];
  own.onmessage = async ({ data }) => {
    if (typeof data !== "string") return ring ? ring.port.postMessage(new Float32Array(data)) : early.push(new Float32Array(data));
    const news = JSON.parse(data);
    if (news.type === "begun") {
      context = new AudioContext({ sampleRate: news.sample_rate, latencyHint: "interactive" });
      await context.audioWorklet.addModule("/static/live-worklet.js");
      const processorOptions = { channels: news.channels, preroll: PREROLL * news.sample_rate, capacity: CAPACITY * news.sample_rate };
      ring = new AudioWorkletNode(context, "ring", { outputChannelCount: [Math.min(news.channels, 2)], processorOptions });
      ring.port.onmessage = ({ data: { played, gaps } }) => {
        send({ played });
        document.getElementById("live-clock").textContent = time(played / news.sample_rate) + (gaps ? `, ${gaps} gaps` : "");
      };
      for (const block of early) ring.port.postMessage(block);
      ring.connect(context.destination);
      shown = { handles: news.handles, freeze: false };
      render();
      say("The stream plays; the sliders move it.");
    } else if (news.type === "change") {
      const { type, position, ...handles } = news;
      say(`${Object.entries(handles).map(([name, value]) => `${name} ${value}`).join(", ")} from ${time(position / context.sampleRate)} on`);
    } else if (news.type === "kept") say(`Kept as ${news.name}, in the folder`);
    else if (news.type === "refused") complain(news.text);
  };
  own.onclose = () => own === socket && stop();
}

function button(text, run, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.onclick = run;
  return made;
}

export function render() {
  form.hidden = table.kind === "tune";
  const on = Boolean(shown.handles);
  const toggle = () => {
    shown.freeze = !shown.freeze;
    send({ freeze: shown.freeze });
    render();
  };
  form.replaceChildren(
    element("h2", {}, "Live"),
    element("div", { class: "buttons" },
      socket ? button(shown.starting ? "Starting…" : "Stop", stop) : button("Play a stream", start),
      ...(on ? [
        button("Freeze", toggle, { "aria-pressed": String(shown.freeze) }),
        button("Other draws", () => send({ reseed: Math.floor(Math.random() * 2 ** 31) })),
        button("Keep 20 s", () => send({ keep: 20 })),
      ] : [])),
    element("output", { id: "live-clock", "aria-label": "Played" }),
  );
}
form.onsubmit = (event) => event.preventDefault();
