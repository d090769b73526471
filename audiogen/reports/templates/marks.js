// What is kept or rejected of a list, and the order that follows from it; both survive a reload of the page.
// Items are elements with data-file that follow each other at the end of one parent; `key` tells lists of one page from each other.
function marking(items, key) {
  const store = `audiogen ${location.pathname} ${key}`, names = ["kept", "rejected"];
  const list = items[0].parentElement;
  const of = item => names.find(name => item.classList.contains(name)) ?? "";

  function arrange() { // kept ones first, rejected ones last, else as they were written
    const rank = item => ({ kept: 0, rejected: 2 })[of(item)] ?? 1;
    const order = [...items].sort((a, b) => rank(a) - rank(b));
    const now = [...list.children].filter(each => items.includes(each));
    if (order.some((each, k) => now[k] !== each)) list.append(...order);
    for (const each of items) each.querySelector(".keep")?.setAttribute("aria-pressed", String(of(each) === "kept"));
  }

  function mark(item, name) {
    item.classList.remove(...names.filter(other => other !== name));
    item.classList.toggle(name);
    arrange();
    try { localStorage.setItem(store, JSON.stringify(Object.fromEntries(items.map(each => [each.dataset.file, of(each)])))); } catch { /* a browser that keeps nothing */ }
  }

  let marks = {};
  try { marks = JSON.parse(localStorage.getItem(store) ?? "{}"); } catch { /* nothing was kept */ }
  for (const each of items) {
    if (marks[each.dataset.file]) each.classList.add(marks[each.dataset.file]);
    each.querySelector(".keep")?.addEventListener("click", () => mark(each, "kept"));
  }
  arrange();
  return mark;
}
