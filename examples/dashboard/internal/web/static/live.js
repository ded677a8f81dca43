"use strict";
// Keeps the page up to date. Server-sent events contain the names of changed sections, and each of
// these sections is reloaded with one request. Without a stream of events, all sections are reloaded
// from time to time.
const live = document.getElementById("live");
const sections = () => [...document.querySelectorAll("[data-section]")].map((s) => s.dataset.section);
const show = (state) => { live.dataset.state = state; live.textContent = state; };

async function load(name) {
  const old = document.getElementById(name);
  if (!old || old.contains(document.activeElement) && document.activeElement.matches("input, button")) return;
  const response = await fetch("/sections/" + name, { cache: "no-store" });
  if (!response.ok) throw new Error("status " + response.status);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  const section = template.content.firstElementChild;
  const opened = [...old.querySelectorAll("details")].map((d) => d.open);
  section.querySelectorAll("details").forEach((d, i) => { d.open = opened[i]; });
  // The focus stays on the same link.
  const focused = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
  old.replaceWith(section);
  section.classList.add("updated");
  if (focused) [...section.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
}

let polling = 0;
async function poll() {
  try {
    for (const name of sections()) await load(name);
    show("polling");
  } catch { show("offline"); }
}

function listen() {
  const events = new EventSource("/events");
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

const units = [[86400, "days"], [3600, "h"], [60, "min"], [1, "s"]];
function ago(seconds) {
  if (seconds > -60 && seconds < 1) return "now";
  const [size, unit] = units.find(([size, unit]) => Math.abs(seconds) >= (unit === "days" ? 2 * size : size));
  const text = Math.floor(Math.abs(seconds) / size) + " " + unit;
  return seconds < 0 ? "in " + text : text + " ago";
}
setInterval(() => {
  for (const time of document.querySelectorAll("time")) time.textContent = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
}, 1000);

if (sections().length) listen(); else live.hidden = true;
