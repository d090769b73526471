"use strict";
const BEFORE = 2; // seconds before the join at which playback starts
const variations = [...document.querySelectorAll("[data-join]")];
const given = document.getElementById("prompt");
let moment = -BEFORE, current = 0; // seconds after the join; the last variation played

const soundOf = section => section.querySelector("audio");
const joinOf = section => Number(section.dataset.join);

function play(audio, seconds) {
  stopSeam();
  for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  audio.currentTime = Math.max(seconds, 0);
  audio.play();
}

// The end of a loop and its beginning, in one buffer: a media element would pause between them.
let context = null, seam = null, asked = 0; // how often playback was asked for

// Whether one was sounding; one that is being decoded will not begin.
function stopSeam() {
  asked++;
  const sounding = seam !== null;
  if (sounding) seam.stop();
  seam = null;
  return sounding;
}

async function playSeam(index) {
  stopSeam();
  const own = asked;
  current = index;
  for (const audio of document.querySelectorAll("audio")) audio.pause();
  context ??= new AudioContext();
  await context.resume();
  const bytes = Uint8Array.from(atob(variations[index].dataset.seam.split(",")[1]), each => each.charCodeAt(0));
  const buffer = await context.decodeAudioData(bytes.buffer);
  if (own !== asked) return; // another click, or key, has come since
  const source = new AudioBufferSourceNode(context, { buffer });
  source.addEventListener("ended", () => { if (seam === source) seam = null; });
  source.connect(context.destination);
  source.start();
  seam = source;
}

function choose(index) {
  const section = variations[index];
  if (!section) return;
  current = index;
  play(soundOf(section), joinOf(section) + moment);
  section.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function from(seconds) {
  moment = seconds;
  const side = moment < 0 ? "before" : "after";
  const shown = document.getElementById("moment");
  shown.textContent = `${Math.abs(moment).toFixed(1)} s ${side} the ${shown.dataset.mark}`;
}

// The next variation in a direction that is not rejected, cyclically.
function neighbour(step) {
  const count = variations.length;
  for (let k = 1; k <= count; k++) {
    const index = (((current + k * step) % count) + count) % count;
    if (!variations[index].classList.contains("rejected")) return index;
  }
  return current;
}

function stopOrResume() {
  if (stopSeam()) return;
  const sounding = [...document.querySelectorAll("audio")].filter(audio => !audio.paused);
  if (sounding.length) for (const audio of sounding) audio.pause();
  else choose(current);
}

variations.forEach((section, index) => {
  const audio = soundOf(section);
  audio.addEventListener("play", () => {
    if (audio.paused) return; // another player has started since
    stopSeam();
    current = index;
    section.classList.add("playing");
  });
  audio.addEventListener("pause", () => section.classList.remove("playing"));
  section.querySelector(".seam")?.addEventListener("click", () => playSeam(index));
  section.querySelector("button").addEventListener("click", () => choose(index));
  section.querySelector(".seek").addEventListener("click", () => from(audio.currentTime - joinOf(section)));
});

const mark = marking(variations, variations.map(section => section.dataset.file).join(" "));

const KEYS = {
  " ": stopOrResume,
  ArrowRight: () => choose(neighbour(1)),
  ArrowLeft: () => choose(neighbour(-1)),
  0: () => play(given, 0),
  j: () => { from(-BEFORE); variations[current].dataset.seam ? playSeam(current) : choose(current); },
  k: () => mark(variations[current], "kept"),
  x: () => mark(variations[current], "rejected"),
};
// In the capture phase: a focused player would otherwise handle the arrow keys and the space bar.
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = /^[1-9]$/.test(event.key) ? () => choose(Number(event.key) - 1) : KEYS[event.key.toLowerCase()] ?? KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat) act();
}, true);
