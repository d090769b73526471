// Requests of the page, and news from the server.

async function answer(response) {
  if (response.ok) return response;
  let text = `${response.status} ${response.statusText}`;
  try {
    const body = await response.clone().json();
    text = body.error ?? JSON.stringify(body.detail ?? body);
  } catch {
    text = (await response.text()) || text;
  }
  throw new Error(text);
}

const json = async (path, options) => (await answer(await fetch(path, options))).json();
const post = (path, body = {}) =>
  json(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const project = (name) => `/api/projects/${encodeURIComponent(name)}`;
const of = (take) => (take ? `&take=${take}` : "");

export const shelf = () => json("/api/shelf");
export const upload = (file) => json(`/api/files/${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
export const open = (name) => json(project(name));
export const change = (name, field, value, take = null) => post(`${project(name)}/change`, { take, field, value });
export const undo = (name) => post(`${project(name)}/undo`);
export const redo = (name) => post(`${project(name)}/redo`);
export const make = (name, count, seed = null) => post(`${project(name)}/takes`, { count, seed });
export const cancel = (name, take) => post(`${project(name)}/takes/${take}/cancel`);
export const exportKept = (name) => post(`${project(name)}/export`);
export const source = (name, take) => json(`${project(name)}/source?x=0${of(take)}`);
export const fileAddress = (name, take) => `${project(name)}/file?x=0${of(take)}`;

/** Interleaved float32 samples, fewer than requested where a take is still being made. */
export async function audio(name, take, start, stop) {
  const response = await answer(await fetch(`${project(name)}/audio?start=${start}&stop=${stop}${of(take)}`));
  return { samples: new Float32Array(await response.arrayBuffer()), growing: response.headers.get("x-growing") === "1" };
}

/** A tile of peaks (int16) or of a spectrogram (uint8). */
export async function tile(kind, name, take, level, index, stamp) {
  const response = await answer(await fetch(`${project(name)}/${kind}/${level}/${index}?v=${stamp}${of(take)}`));
  const buffer = await response.arrayBuffer();
  return {
    values: kind === "peaks" ? new Int16Array(buffer) : new Uint8Array(buffer),
    columns: Number(response.headers.get("x-columns")),
    estimate: response.headers.get("x-estimate") === "1",
  };
}

/** Calls back with each piece of news; reconnects by itself, and reports it as {type: "connected"}. */
export function listen(callback) {
  const events = new EventSource("/api/events");
  events.onopen = () => callback({ type: "connected" });
  events.onmessage = (event) => callback(JSON.parse(event.data));
  events.onerror = () => callback({ type: "lost" });
}
