// Export of the kept takes.
import * as api from "./api.js";
import { copyable } from "./lanes.js";
import { act, element, announce } from "./page.js";
import { table } from "./table.js";

const form = document.getElementById("export");
let shown = null;
const set = (name, value) => act(api.change(table.name, name, value));

function text(name, label, placeholder) {
  const input = element("input", { type: "text", name, placeholder, value: table.project.settings[name] ?? "" });
  input.onchange = () => set(name, input.value);
  return element("label", { class: "number" }, element("span", {}, label), input);
}

function check(label, name, on, run) {
  const input = element("input", { type: "checkbox", name });
  input.checked = on;
  input.onchange = () => run(input.checked);
  return element("label", { class: "check" }, input, label);
}

/** A field of the Universal Category System; by default that of the recording's own name. */
function field(name, placeholder) {
  const fields = table.project.settings.fields ?? {};
  const input = element("input", { type: "text", name, placeholder: table.project.export.fields[name] ?? placeholder, value: fields[name] ?? "" });
  input.onchange = () => set("fields", { ...fields, [name]: input.value.trim() });
  return element("label", { class: "number" }, element("span", {}, name), input);
}

const UCS = [["CatID", "RAINConc"], ["FXName", "Rain on concrete"], ["CreatorID", "you"], ["SourceID", "library"]];

export function render() {
  const kept = table.project.takes.filter((take) => take.mark === "kept" && take.state === "made");
  const { template, folder, as_set, fields } = table.project.settings;
  const { command, problem } = table.project.export;
  const key = JSON.stringify([table.name, kept.map((take) => take.id), template, folder, as_set, fields, command, problem]);
  if (key === shown) return;
  const focus = form.contains(document.activeElement) ? document.activeElement.name : null;
  shown = key;
  const message = document.getElementById("exported")?.textContent ?? "";
  const button = element("button", { type: "submit", class: "primary" }, kept.length ? `Export ${kept.length} kept` : "Nothing is kept yet");
  button.disabled = !kept.length || Boolean(problem);
  form.replaceChildren(...[
    element("h2", {}, "Export"),
    ...(template === "UCS" ? UCS.map((each) => field(...each)) : [text("template", "Names", "{prompt}_{take:02}")]),
    check("Names by the Universal Category System", "ucs", template === "UCS", (on) => set("template", on ? "UCS" : "")),
    text("folder", "Folder", "export"),
    ...(table.kind === "tune" ? [] : [check("As a set: tails alone, equally loud", "as_set", as_set, (on) => set("as_set", on))]),
    button,
    problem ? element("p", { class: "problem" }, problem) : null,
    command ? copyable(command) : null,
    element("p", { id: "exported", role: "status" }, message),
  ].filter(Boolean));
  if (focus) form.elements[focus]?.focus();
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const done = await act(api.exportKept(table.name));
  if (done) report(`${done.waits ? "Making" : "Written"}: ${done.files.join(", ")}`);
};

export function report(text) {
  document.getElementById("exported").textContent = text;
  announce(text);
}
