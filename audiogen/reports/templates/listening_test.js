"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const TRIALS = 12, SCREENS = 2, SEGMENT = 4, FADE = 0.02; // seconds of an ABX segment and of a fade
const at = id => document.getElementById(id);
const sections = ["start", "abx", "rating", "end"];
const sounds = {}; // role -> AudioBuffer
let context, playing, test, results;

// Mulberry32: the same seed gives the same orders in every browser.
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(items, random) { // Fisher-Yates
  const order = [...items];
  for (let k = order.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1));
    [order[k], order[other]] = [order[other], order[k]];
  }
  return order;
}

// Two segments of a sound that do not overlap.
function segments(seconds, random) {
  const length = Math.min(SEGMENT, seconds / 2), room = seconds - 2 * length;
  const first = random() * room, second = first + length + random() * (room - first);
  return shuffled([[first, length], [second, length]], random);
}

function abxTrials(seed) {
  const random = generator(seed), { real, output } = lengths();
  const truths = shuffled(Array.from({ length: TRIALS }, (_, k) => (k % 2 ? "A" : "B")), random);
  return truths.map(truth => {
    const a = segments(real, random), b = segments(output, random);
    return { truth, A: ["real", ...a[0]], B: ["output", ...b[0]],
      X: truth === "A" ? ["real", ...a[1]] : ["output", ...b[1]] };
  });
}

function ratingScreens(seed) {
  const random = generator(seed + 1), roles = data.stimuli.map(each => each.role).filter(role => role !== "reference");
  return Array.from({ length: SCREENS }, () => ({ order: shuffled(roles, random), scores: {} }));
}

const lengths = () => Object.fromEntries(data.stimuli.map(each => [each.role, each.seconds]));

// p-value: probability of at least this many right answers by guessing (binomial test).
function pValue(right, count) {
  let term = Math.pow(0.5, count), tail = 0;
  for (let k = 0; k <= count; k++) {
    if (k >= right) tail += term;
    term *= (count - k) / (k + 1);
  }
  return Math.min(tail, 1);
}

async function decode() {
  context = new AudioContext();
  for (const each of data.stimuli) {
    const bytes = Uint8Array.from(atob(each.audio.split(",")[1]), letter => letter.charCodeAt(0));
    sounds[each.role] = await context.decodeAudioData(bytes.buffer);
  }
  at("begin-abx").disabled = at("begin-rating").disabled = false;
  at("state").textContent = `${data.stimuli.length} sounds, ${TRIALS} trials or ${SCREENS} screens.`;
}

function stop() {
  for (const button of document.querySelectorAll("button.on")) button.classList.remove("on");
  if (!playing) return;
  playing.gain.gain.setTargetAtTime(0, context.currentTime, FADE / 3);
  playing.source.stop(context.currentTime + FADE * 2);
  playing = null;
}

function play(button, role, start = 0, seconds = sounds[role].duration) {
  stop();
  context.resume();
  const source = context.createBufferSource(), gain = context.createGain(), now = context.currentTime;
  source.buffer = sounds[role];
  gain.gain.setValueAtTime(0, now);
  gain.gain.linearRampToValueAtTime(1, now + FADE);
  gain.gain.setTargetAtTime(0, now + seconds - FADE, FADE / 3);
  source.connect(gain).connect(context.destination);
  source.start(now, start, seconds);
  const mine = (playing = { source, gain });
  source.onended = () => { if (playing === mine) stop(); };
  button.classList.add("on");
}

function show(name) {
  stop();
  for (const section of sections) at(section).hidden = section !== name;
}

function begin(kind) {
  const seed = Math.max(0, Math.floor(Number(at("seed").value) || 0));
  const { order, ...known } = { order: kind === "abx" ? abxTrials(seed) : ratingScreens(seed),
    test: kind, name: data.name, listener: at("listener").value.trim(), seed, started: new Date().toISOString() };
  const stimuli = data.stimuli.map(({ audio, ...rest }) => rest);
  results = { ...known, stimuli, trials: [] };
  test = { kind, order, position: 0, since: performance.now(), plays: 0 };
  show(kind);
  (kind === "abx" ? showTrial : showScreen)();
}

function showTrial() {
  at("abx-title").textContent = `Trial ${test.position + 1} of ${test.order.length}`;
  Object.assign(at("abx-progress"), { max: test.order.length, value: test.position });
}

function playTrial(which) {
  test.plays++;
  play(at(`play-${which}`), ...test.order[test.position][which]);
}

function answer(choice) {
  const trial = test.order[test.position];
  results.trials.push({ trial: test.position + 1, truth: trial.truth, answer: choice, right: choice === trial.truth,
    plays: test.plays, seconds: elapsed(), stretches: { A: trial.A, B: trial.B, X: trial.X } });
  advance(showTrial);
}

function elapsed() { return Math.round((performance.now() - test.since) / 10) / 100; }

function advance(showNext) {
  stop();
  Object.assign(test, { position: test.position + 1, since: performance.now(), plays: 0 });
  if (test.position < test.order.length) showNext(); else finish();
}

function showScreen() {
  const screen = test.order[test.position];
  at("rating-title").textContent = `Screen ${test.position + 1} of ${test.order.length}`;
  Object.assign(at("rating-progress"), { max: test.order.length, value: test.position });
  at("sounds").replaceChildren(...screen.order.map((role, k) => {
    const line = document.createElement("div"), button = document.createElement("button");
    const slider = document.createElement("input"), score = document.createElement("output");
    line.className = "sound";
    button.innerHTML = `<kbd>${k + 1}</kbd> Sound`;
    button.id = `sound-${k + 1}`;
    button.onclick = () => playSound(k);
    Object.assign(slider, { type: "range", min: 0, max: 100, value: 50, id: `score-${k + 1}` });
    slider.setAttribute("aria-label", `Sound ${k + 1}: 0 something else, 100 the same recording`);
    score.textContent = "–";
    slider.oninput = () => { screen.scores[role] = Number(slider.value); score.textContent = slider.value; check(); };
    line.append(button, slider, score);
    return line;
  }));
  check();
}

function playSound(k) {
  const role = test.order[test.position].order[k];
  if (!role) return;
  test.plays++;
  at(`score-${k + 1}`).focus();
  play(at(`sound-${k + 1}`), role);
}

function check() {
  const screen = test.order[test.position];
  at("next").disabled = Object.keys(screen.scores).length < screen.order.length;
}

function next() {
  if (at("next").disabled) return;
  const screen = test.order[test.position];
  screen.order.forEach((role, k) => results.trials.push({ trial: test.position + 1, sound: k + 1, role,
    score: screen.scores[role], plays: test.plays, seconds: elapsed() }));
  advance(showScreen);
}

function finish() {
  if (!results.trials.length) return show("start");
  results.finished = new Date().toISOString();
  results.complete = test.position >= test.order.length;
  show("end");
  const rows = test.kind === "abx" ? sumUpTrials() : sumUpScores();
  at("table").replaceChildren(...rows.map((cells, k) => {
    const row = document.createElement("tr");
    row.append(...cells.map(text => Object.assign(document.createElement(k ? "td" : "th"), { textContent: text })));
    return row;
  }));
}

function sumUpTrials() {
  const right = results.trials.filter(trial => trial.right).length, count = results.trials.length;
  results.summary = { right, count, chance: pValue(right, count) };
  const verdict = results.summary.chance < 0.05 ? "you can distinguish them" : "no better than guessing";
  at("outcome").textContent = `${right} of ${count} right: ${verdict} (p-value ${results.summary.chance.toPrecision(2)}). Seed ${results.seed}.`;
  return [["trial", "X was", "your answer"], ...results.trials.map(each => [each.trial, each.truth, each.answer])];
}

function sumUpScores() {
  const roles = [...new Set(results.trials.map(trial => trial.role))];
  const mean = role => { const own = results.trials.filter(trial => trial.role === role).map(trial => trial.score); return own.reduce((a, b) => a + b) / own.length; };
  const means = roles.map(role => [role, mean(role)]).sort((a, b) => b[1] - a[1]);
  results.summary = Object.fromEntries(means);
  at("outcome").textContent = `Mean scores over ${new Set(results.trials.map(trial => trial.trial)).size} screens. A listener who rates the real audio below 90 or the anchor above it is usually excluded (BS.1534-3). Seed ${results.seed}.`;
  return [["sound", "mean score"], ...means.map(([role, score]) => [role, score.toFixed(1)])];
}

function csv() {
  const flat = results.trials.map(({ stretches, ...rest }) => ({ test: results.test, name: results.name,
    listener: results.listener, seed: results.seed, ...rest }));
  const quoted = value => (/[",\n\r]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return [Object.keys(flat[0]), ...flat.map(row => Object.values(row))].map(row => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

function save(suffix, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `${results.test}-${results.listener || "listener"}-${results.seed}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const clicks = {
  "begin-abx": () => begin("abx"), "begin-rating": () => begin("rating"),
  "play-A": () => playTrial("A"), "play-B": () => playTrial("B"), "play-X": () => playTrial("X"),
  "answer-A": () => answer("A"), "answer-B": () => answer("B"),
  "play-reference": () => play(at("play-reference"), "reference"), next,
  "save-json": () => save("json", "application/json", JSON.stringify(results, null, 2) + "\n"),
  "save-csv": () => save("csv", "text/csv", csv()), again: () => show("start"),
};
const keys = {
  start: { a: "begin-abx", r: "begin-rating" },
  abx: { a: "play-A", b: "play-B", x: "play-X", 1: "answer-A", 2: "answer-B" },
  rating: { r: "play-reference", enter: "next" },
  end: { j: "save-json", c: "save-csv", escape: "again" },
};
for (const [id, action] of Object.entries(clicks)) at(id).addEventListener("click", action);

document.addEventListener("keydown", event => {
  const key = event.key.toLowerCase(), section = sections.find(name => !at(name).hidden);
  if (event.ctrlKey || event.metaKey || event.altKey || ["text", "number"].includes(event.target.type)) return;
  const id = keys[section][key], digit = section === "rating" && /^[1-9]$/.test(key);
  if (key === " ") stop();
  else if (digit) playSound(Number(key) - 1);
  else if (id && !at(id).disabled) at(id).click();
  else if (key === "escape" && section !== "start") finish();
  else return;
  event.preventDefault();
});

at("seed").value = data.seed;
decode().catch(error => { at("state").textContent = `The sounds cannot be decoded: ${error}`; });
