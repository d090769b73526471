"use strict";
const BEFORE = 2; // seconds before the join at which playback starts
const variations = [...document.querySelectorAll("[data-join]")];
const given = document.getElementById("prompt");
let moment = -BEFORE, current = 0; // seconds after the join; the last variation played

const soundOf = section => section.querySelector("audio");
const joinOf = section => Number(section.dataset.join);

function play(audio, seconds) {
  for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  audio.currentTime = Math.max(seconds, 0);
  audio.play();
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
  const sounding = [...document.querySelectorAll("audio")].filter(audio => !audio.paused);
  if (sounding.length) for (const audio of sounding) audio.pause();
  else choose(current);
}

variations.forEach((section, index) => {
  const audio = soundOf(section);
  audio.addEventListener("play", () => {
    if (audio.paused) return; // another player has started since
    current = index;
    section.classList.add("playing");
  });
  audio.addEventListener("pause", () => section.classList.remove("playing"));
  section.querySelector("button").addEventListener("click", () => choose(index));
  section.querySelector(".seek").addEventListener("click", () => from(audio.currentTime - joinOf(section)));
});

const mark = marking(variations, variations.map(section => section.dataset.file).join(" "));

const KEYS = {
  " ": stopOrResume,
  ArrowRight: () => choose(neighbour(1)),
  ArrowLeft: () => choose(neighbour(-1)),
  0: () => play(given, 0),
  j: () => { from(-BEFORE); choose(current); },
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
