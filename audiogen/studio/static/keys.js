// The keyboard: everything that the pointer can do.
import { element } from "./page.js";

const NAMES = { " ": "Space", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Home: "Home", End: "End" };

/** [keys, what they do, function]; a key is not taken from a field in which one writes. */
export function install(shortcuts) {
  const byKey = new Map();
  const list = document.querySelector("#help dl");
  for (const [keys, text, run] of shortcuts) {
    for (const key of keys) byKey.set(key, run);
    list.append(element("dt", {}, ...keys.slice(0, 2).map((key) => element("kbd", {}, NAMES[key] ?? key.toUpperCase()))), element("dd", {}, text));
  }
  list.append(element("dt", {}, element("kbd", {}, "1"), "…", element("kbd", {}, "9")), element("dd", {}, "listen to that take"));
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
