// Export of the kept takes.
import * as api from "./api.js";
import { act, element, say } from "./page.js";
import { table } from "./table.js";

const form = document.getElementById("export");
let shown = null;
const set = (name, value) => act(api.change(table.name, name, value));

function text(name, label, placeholder) {
  const input = element("input", { type: "text", name, placeholder, value: table.project.settings[name] ?? "" });
  input.onchange = () => set(name, input.value);
  return element("label", { class: "number" }, element("span", {}, label), input);
}

export function render() {
  const kept = table.project.takes.filter((take) => take.mark === "kept" && take.state === "made");
  const { template, folder, as_set } = table.project.settings;
  const key = JSON.stringify([table.name, kept.map((take) => take.id), template, folder, as_set]);
  if (key === shown) return;
  const focus = form.contains(document.activeElement) ? document.activeElement.name : null;
  shown = key;
  const asSet = element("input", { type: "checkbox", name: "as_set" });
  asSet.checked = as_set;
  asSet.onchange = () => set("as_set", asSet.checked);
  const button = element("button", { type: "submit", class: "primary" }, kept.length ? `Export ${kept.length} kept` : "Nothing is kept yet");
  button.disabled = !kept.length;
  form.replaceChildren(
    element("h2", {}, "Export"),
    text("template", "Names", "{prompt}_{take:02}"),
    text("folder", "Folder", "export"),
    ...(table.kind === "tune" ? [] : [element("label", { class: "check" }, asSet, "As a set: tails alone, equally loud")]),
    button,
    element("p", { id: "exported", role: "status" }),
  );
  if (focus) form.elements[focus]?.focus();
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const done = await act(api.exportKept(table.name));
  if (done) tell(`${done.waits ? "Making" : "Written"}: ${done.files.join(", ")}`);
};

export function tell(text) {
  document.getElementById("exported").textContent = text;
  say(text);
}
