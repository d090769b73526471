// The folder, and files that are dropped or picked.
import * as api from "./api.js";
import { act, element, announce } from "./page.js";

const welcome = document.getElementById("welcome");
const list = document.getElementById("shelf");
let open = () => {};
export const onOpen = (callback) => { open = callback; };

export async function show() {
  const found = await act(api.shelf());
  if (!found) return [];
  list.replaceChildren(...found.files.map((file) => {
    const button = element("button", { type: "button" }, file.name);
    button.onclick = () => open(file.name);
    return element("li", {}, button, file.project ? element("span", {}, " has takes") : null);
  }));
  if (!found.files.length) list.append(element("li", {}, `${found.folder} holds no recordings yet`));
  return found.files;
}

export async function receive(file) {
  announce(`Reading ${file.name}`);
  const done = await act(api.upload(file));
  announce("");
  if (done) open(done.name);
}

document.getElementById("pick").onchange = (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) receive(file);
};

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) receive(file);
});

export const visible = (on) => { welcome.hidden = !on; };
