// The keyboard: everything that the pointer can do.
import { element } from "./page.js";

/** Keys, the action of main.js that they run, and what the list of shortcuts shows. */
const SHORTCUTS = [
  [[" "], "toggle", "play, pause"],
  [["ArrowUp", "ArrowDown"], "lane", "listen to the lane above, below"],
  [["ArrowLeft", "ArrowRight"], "second", "move by a second"],
  [["Home", "End"], "edge", "go to the beginning, to the join"],
  [[..."123456789"], "take", "listen to that take"],
  [["0"], "recording", "listen to the recording"],
  [["x"], "swap", "A/B: back to the lane before"],
  [["l"], "toggleMatch", "level-matched or as they are"],
  [["j"], "join", "the join, a second on either side"],
  [["s"], "seam", "the seam of a loop"],
  [["m"], "makeTakes", "make takes"],
  [["k"], "keep", "keep the take"],
  [["r"], "aside", "set it aside"],
  [["n"], "note", "write a note on it"],
  [["c"], "cancel", "cancel it while it is made"],
  [["u"], "undo", "undo"],
  [["y"], "redo", "redo"],
  [["+", "="], "zoomIn", "zoom in"],
  [["-"], "zoomOut", "zoom out"],
  [["f"], "fit", "see all"],
  [["g"], "near", "see the join and the takes"],
  [["e"], "live", "play live, without end"],
  [["o"], "shelf", "open another recording"],
  [["?"], "help", "this list"],
];
const OF_HANDLES = ["Delete", "a focused handle as the recording is"];

const NAMES = { " ": "Space", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Home: "Home", End: "End" };

/** Let the keys run actions, given by name; a key is not taken from a field in which one writes. */
export function install(actions) {
  const byKey = new Map();
  const list = document.querySelector("#help dl");
  for (const [keys, action, text] of SHORTCUTS) {
    for (const key of keys) byKey.set(key, actions[action]);
    const shown = keys.map((key) => element("kbd", {}, NAMES[key] ?? key.toUpperCase()));
    list.append(element("dt", {}, ...(keys.length > 2 ? [shown[0], "…", shown.at(-1)] : shown)), element("dd", {}, text));
  }
  list.append(element("dt", {}, element("kbd", {}, OF_HANDLES[0])), element("dd", {}, OF_HANDLES[1]));
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !writes(target)) {
        event.preventDefault();
        byKey.get(event.shiftKey ? "y" : "u")();
      }
      return;
    }
    if (document.querySelector("dialog[open]") || writes(target) || uses(target, event.key)) return;
    const run = byKey.get(event.key) ?? byKey.get(event.key.toLowerCase());
    if (!run) return;
    event.preventDefault();
    run(event.key);
  });
}

const writes = (target) => target.matches?.("input:not([type=checkbox]):not([type=range]), textarea, select");
const uses = (target, key) =>
  (key === " " && target.matches?.("button, summary, a, input, [role=slider]")) ||
  (key.startsWith("Arrow") && target.matches?.("input[type=range], [role=slider]"));
