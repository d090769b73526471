// Opens projects, passes on news, and moves the playhead.
import * as api from "./api.js";
import * as compare from "./compare.js";
import * as exports from "./exports.js";
import * as handles from "./handles.js";
import * as joins from "./join.js";
import * as keys from "./keys.js";
import * as lanes from "./lanes.js";
import * as live from "./live.js";
import { act, complain, element, announce, time } from "./page.js";
import * as player from "./player.js";
import * as regions from "./region.js";
import * as shelf from "./shelf.js";
import { end, region, seconds, setLive, setProject, table } from "./table.js";
import * as tiles from "./tiles.js";

const $ = (id) => document.getElementById(id);
globalThis.audiogen = { table, player, tiles, live };

async function open(name) {
  const files = await shelf.show();
  const found = await act(api.open(name));
  if (!found) return;
  live.stop();
  player.forget();
  tiles.forget();
  const { project, ...facts } = found;
  Object.assign(table, facts, { rate: found.sample_rate, current: "prompt", other: null, playhead: 0, lanes: new Map() });
  setProject(project);
  location.hash = encodeURIComponent(name);
  $("title").textContent = name;
  $("facts").textContent = found.kind === "tune" ? time(seconds()) : `${time(seconds())} · ${found.channels} ch · ${found.sample_rate / 1000} kHz`;
  document.title = `${name} – audiogen studio`;
  shelf.visible(false);
  $("table").hidden = false;
  handles.setFiles(files);
  live.render();
  for (const take of project.takes) loadTune(take);
  if (seconds() > 120) near();
  else fit();
  table.playhead = Math.max(0, region()[1] - 3);
  show();
}

/** Show the open project as it now is. */
function show() {
  lanes.render();
  handles.render();
  exports.render();
  live.renderCommand();
  $("undo").disabled = !table.project.undo;
  $("redo").disabled = !table.project.redo;
  overlay();
  const lane = table.lanes.get(table.current);
  $("join").disabled = !lane.take || !lane.length || lane.growing || table.kind === "tune";
  $("seam").disabled = $("join").disabled || !lane.take.request.loop;
}

async function loadTune(take) {
  if (table.kind !== "tune" || take.state !== "made") return;
  const found = await act(api.source(table.name, take.id));
  const lane = table.lanes.get(`take-${take.id}`);
  if (!found || !lane) return;
  Object.assign(lane, { length: found.length, notes: found.notes });
  keepInView();
  lanes.draw();
}

function receive(news) {
  if (news.type === "lost") return announce("The studio does not answer; is it still running?");
  if (news.type === "goodbye") return announce("The studio has ended");
  if (news.type === "connected") {
    announce("");
    if (table.name) refresh();
    return;
  }
  if (news.name !== table.name) return;
  if (news.type === "project" && news.project.revision >= table.project.revision) {
    const before = table.project;
    setProject(news.project);
    for (const take of news.project.takes) {
      const was = before.takes.find((each) => each.id === take.id);
      if (take.state === "made" && was?.state !== "made") {
        loadTune(take);
        announce(`Take ${take.id} is made`);
      }
    }
    if (news.project.takes.length !== before.takes.length) keepInView();
    show();
  } else if (news.type === "live") {
    const lane = setLive(news.take, news.live);
    if (lane) {
      lanes.update(lane);
      lanes.draw();
    }
  } else if (news.type === "export") {
    exports.report(`${news.label}, ${Math.round(100 * news.done)} %`);
  } else if (news.type === "exported") {
    if (news.failed) complain(news.text);
    exports.report(news.text);
  }
}

async function refresh() {
  const found = await act(api.open(table.name));
  if (found) {
    setProject(found.project);
    show();
  }
}

// --- what is visible ---------------------------------------------------------------------------------------------

function look(start, length) {
  const all = end() * 1.02;
  const shown = Math.max(0.01, Math.min(length, all));
  table.view = { start: Math.max(0, Math.min(start, all - shown)), seconds: shown };
  const room = all - shown;
  $("scroll").disabled = room < 1e-6;
  $("scroll").value = room > 0 ? Math.round((1000 * table.view.start) / room) : 0;
  if (table.project) {
    lanes.draw();
    overlay();
  }
}

const fit = () => look(0, Infinity);
function near() {
  const [start, stop] = region();
  const last = Math.max(stop + 10, ...[...table.lanes.values()].filter((lane) => lane.take).map((lane) => lane.offset + lane.length / table.rate));
  look(start - 1, last - start + 2);
}
function keepInView() {
  if (end() > table.view.start + table.view.seconds) (seconds() > 120 ? near : fit)();
}
function zoom(factor, around = player.position()) {
  const { view } = table, inside = around >= view.start && around <= view.start + view.seconds;
  const centre = inside ? around : view.start + view.seconds / 2;
  look(centre - (centre - view.start) * factor, view.seconds * factor);
}
$("scroll").oninput = () => look(($("scroll").value / 1000) * (end() * 1.02 - table.view.seconds), table.view.seconds);
$("rows").addEventListener("wheel", (event) => {
  if (!event.ctrlKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
  event.preventDefault();
  const frame = event.target.closest(".lane").querySelector(".strip").getBoundingClientRect();
  const at = table.view.start + ((event.clientX - frame.left) / frame.width) * table.view.seconds;
  if (event.ctrlKey) zoom(2 ** (event.deltaY / 200), at);
  else look(table.view.start + (event.deltaX / frame.width) * table.view.seconds, table.view.seconds);
}, { passive: false });
addEventListener("resize", () => table.project && (lanes.draw(), overlay()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => table.project && lanes.draw());
let frame = 0;
tiles.onTile(() => {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(lanes.draw);
});

// --- playhead ----------------------------------------------------------------------------------------------------

const heads = new Map();
function overlay() {
  const at = player.position(), { view } = table;
  for (const [id, strip] of lanes.strips()) {
    if (!heads.has(id)) heads.set(id, element("div", { class: "playhead" }));
    const head = heads.get(id);
    if (head.parentElement !== strip) strip.append(head);
    const share = (at - view.start) / view.seconds;
    head.hidden = share < 0 || share > 1;
    head.style.left = `${share * 100}%`;
    if (id === "prompt") regions.place(strip);
  }
  $("clock").textContent = time(at);
  $("play").textContent = player.state.playing ? "Pause" : "Play";
  $("play").setAttribute("aria-pressed", String(player.state.playing));
}
function follow() {
  if (!player.state.playing) return overlay();
  overlay();
  const at = player.position(), { view } = table;
  if (at > view.start + view.seconds || at < view.start) look(at, view.seconds);
  requestAnimationFrame(follow);
}
player.onEnd(overlay);

async function play(from) {
  live.stop();
  player.silence();
  await player.play(from);
  follow();
}
function toggle() {
  if (player.state.playing) player.pause();
  else play();
  overlay();
}
function move(to) {
  table.playhead = Math.max(0, Math.min(to, end()));
  if (player.state.playing) play(table.playhead);
  else overlay();
}
lanes.onSeek((event, lane, strip) => {
  const go = (at) => {
    compare.select(lane.id);
    move(at);
  };
  if (!lane.take && table.kind !== "tune") return regions.start(event, strip, go);
  const frame = strip.getBoundingClientRect();
  go(table.view.start + ((event.clientX - frame.left) / frame.width) * table.view.seconds);
});

compare.onSelect((lane) => {
  show();
  announce(lane.take ? `Take ${lane.number}` : "The recording");
});
const current = () => table.lanes.get(table.current);
const mark = (which) => {
  const { take } = current();
  if (take) act(api.change(table.name, "mark", take.mark === which ? "" : which, take.id));
};
const doJoin = () => !$("join").disabled && joins.join(current());
const doSeam = () => !$("seam").disabled && joins.seam(current());
const toggleMatch = () => {
  compare.toggleMatch();
  $("match").setAttribute("aria-pressed", String(table.matched));
};
const back = () => act(api.undo(table.name));
const again = () => act(api.redo(table.name));
const toShelf = () => {
  live.stop();
  player.forget();
  shelf.show();
  shelf.visible(true);
  $("table").hidden = true;
};

for (const [id, run] of Object.entries({
  play: toggle, join: doJoin, seam: doSeam, swap: compare.swap, match: toggleMatch, undo: back, redo: again,
  "zoom-in": () => zoom(0.5), "zoom-out": () => zoom(2), fit, near, "open-shelf": toShelf,
  "help-button": () => $("help").showModal(),
})) $(id).onclick = run;

/** Actions that need an open recording do nothing without one. */
const opened = (actions) => Object.fromEntries(Object.entries(actions).map(
  ([name, run]) => [name, (key) => table.project && !$("table").hidden && run(key)],
));
keys.install({ shelf: toShelf, help: () => $("help").showModal(), ...opened({
  toggle, swap: compare.swap, toggleMatch, join: doJoin, seam: doSeam, undo: back, redo: again, fit, near,
  makeTakes: handles.makeTakes,
  lane: (key) => compare.step(key === "ArrowUp" ? -1 : 1),
  second: (key) => move(player.position() + (key === "ArrowLeft" ? -1 : 1)),
  edge: (key) => move(key === "Home" ? 0 : region()[1] - 1),
  take: (key) => table.lanes.has(`take-${key}`) && compare.select(`take-${key}`),
  recording: () => compare.select("prompt"),
  keep: () => mark("kept"),
  aside: () => mark("aside"),
  note: () => document.querySelector(`#${table.current} [data-name=note]`)?.focus(),
  cancel: () => ["waiting", "making"].includes(current().take?.state) && act(api.cancel(table.name, current().number)),
  zoomIn: () => zoom(0.5),
  zoomOut: () => zoom(2),
  live: () => (live.state.playing ? live.stop() : table.kind !== "tune" && live.start()),
}) });

shelf.onOpen(open);
api.listen(receive);
const wanted = decodeURIComponent(location.hash.slice(1));
if (wanted) await open(wanted);
else await shelf.show();
document.body.dataset.ready = "1";
