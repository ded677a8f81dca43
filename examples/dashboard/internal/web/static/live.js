"use strict";
// Keeps the page up to date. Server-sent events contain the names of changed sections, and each of
// these sections is loaded with one request. Without a stream of events, all sections are loaded
// from time to time. What did not change stays the same element, so the focus, the selection and
// the scroll positions stay.
const live = document.getElementById("live");
const base = document.body.dataset.base;
const sections = () => [...document.querySelectorAll("[data-section]")].map((s) => s.dataset.section);
const show = (state) => { if (live.dataset.state !== state) { live.dataset.state = state; live.textContent = state; } };

// morph changes an element to what another one is.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) { old.replaceWith(fresh); return; }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.nodeName === "TIME") { tell(old); return; }
  if (old.matches("input, select")) return;
  morphChildren(old, fresh);
}

const key = (node) => node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "";

function morphChildren(old, fresh) {
  const keyed = new Map([...old.childNodes].filter(key).map((node) => [key(node), node]));
  let next = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let match = key(wanted) ? keyed.get(key(wanted)) : next;
    if (!key(wanted)) {
      while (match && (key(match) || match.nodeName !== wanted.nodeName)) match = match.nextSibling;
    }
    if (!match) { old.insertBefore(wanted, next); continue; }
    if (match === next) next = next.nextSibling;
    else if (old.moveBefore) old.moveBefore(match, next);
    else old.insertBefore(match, next);
    morph(match, wanted);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

// update changes an element to what the HTML of the server says, and keeps the focus.
function update(old, html, selector) {
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector(selector);
  if (!fresh) return;
  const focused = document.activeElement;
  const held = focused && focused !== document.body && old.contains(focused);
  morph(old, document.adoptNode(fresh));
  if (!held || document.activeElement === focused) return;
  (focused.isConnected ? focused : old.querySelector("h1, h2"))?.focus({ preventScroll: true });
}

const loading = new Map(); // names of sections, and whether they changed again meanwhile
async function load(name) {
  if (loading.has(name)) { loading.set(name, true); return; }
  loading.set(name, false);
  try {
    const response = await fetch(base + "/sections/" + name + location.search, { cache: "no-store" });
    if (!response.ok) throw new Error("status " + response.status);
    const old = document.getElementById(name);
    if (old) update(old, await response.text(), "section");
  } finally {
    const again = loading.get(name);
    loading.delete(name);
    if (again) load(name).catch(() => show("offline"));
  }
}

let polling = 0;
async function poll() {
  try {
    for (const name of sections()) await load(name);
    show("polling");
  } catch { show("offline"); }
}

function listen() {
  const events = new EventSource(base + "/events");
  let lost = false;
  events.onopen = () => {
    clearInterval(polling);
    polling = 0;
    show("live");
    if (lost) poll().then(() => show("live")); // what changed meanwhile
  };
  events.addEventListener("changed", (event) => load(event.data).catch(() => show("offline")));
  events.onerror = () => {
    lost = true;
    if (!polling) { poll(); polling = setInterval(poll, Number(live.dataset.poll)); }
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
}

// reload loads a page without sections, such as that of a device, while somebody looks at it.
async function reload() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    if (!response.ok) throw new Error("status " + response.status);
    update(document.querySelector("[data-reload]"), await response.text(), "[data-reload]");
    show("live");
  } catch { show("offline"); }
}

const units = [[86400, "days"], [3600, "h"], [60, "min"]];
function ago(seconds) {
  if (seconds > -60 && seconds < 60) return "just now";
  const [size, unit] = units.find(([size, unit]) => Math.abs(seconds) >= (unit === "days" ? 2 * size : size));
  const text = Math.floor(Math.abs(seconds) / size) + " " + unit;
  return seconds < 0 ? "in " + text : text + " ago";
}

const times = document.getElementById("times");
let absolute = false;
function tell(time) {
  const date = new Date(time.dateTime);
  const text = absolute ? date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : ago((Date.now() - date) / 1000);
  if (time.textContent !== text) time.textContent = text;
}
const tellAll = () => document.querySelectorAll("time").forEach(tell);
times.hidden = false;
times.addEventListener("click", () => {
  absolute = !absolute;
  times.setAttribute("aria-pressed", absolute);
  tellAll();
});
setInterval(tellAll, 10000);

// Printed pages contain the numbers of the charts.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((d) => { d.open = true; });
});
addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));

// The first device changes which sections there are.
if (document.getElementById("empty")) setInterval(() => location.reload(), Number(live.dataset.poll) * 4);

if (sections().length) listen();
else if (document.querySelector("[data-reload]")) { show("live"); setInterval(reload, Number(live.dataset.poll) * 4); }
else live.hidden = true;
