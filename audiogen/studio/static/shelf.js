// The folder, and files that are dropped or picked.
import * as api from "./api.js";
import { act, complain, element, announce } from "./page.js";

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

/** Copy files into the folder, and open the first; what is refused is said in the end. */
export async function receive(files) {
  const refused = [];
  let first = null;
  for (const file of files) {
    announce(`Reading ${file.name}`);
    try {
      const { name } = await api.upload(file);
      first ??= name;
    } catch (reason) {
      refused.push(reason.message);
    }
  }
  announce("");
  if (first) await open(first);
  if (refused.length) complain(refused.join(" · "));
}

document.getElementById("pick").onchange = (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  receive(files);
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
  receive([...event.dataTransfer.files]);
});

export const visible = (on) => { welcome.hidden = !on; };
