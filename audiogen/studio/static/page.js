// Small things that every part of the page uses.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** 75.25 -> "1:15.2"; hours if there are any. */
export function time(seconds, digits = 1) {
  const scale = 10 ** digits, whole = Math.floor(Math.max(seconds, 0) * scale + 1e-6) / scale;
  const hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

const status = document.getElementById("status");
const error = document.getElementById("error");
error.querySelector("button").onclick = () => { error.hidden = true; };

let silenced = 0;

/** Say something, also to a screen reader. */
export function announce(text) {
  status.textContent = text;
  clearTimeout(silenced);
  silenced = setTimeout(() => { status.textContent = ""; }, 6000);
}

export function complain(text) {
  error.querySelector("span").textContent = text;
  error.hidden = false;
}

/** Wait for the server, and show what it refuses. */
export async function act(promise) {
  try {
    const result = await promise;
    error.hidden = true;
    return result;
  } catch (reason) {
    complain(reason.message);
    return null;
  }
}
