// Keeps the list of devices current. What comes from the server goes into the page by textContent and dataset only:
// names and descriptions are whatever an agent chose to send.
"use strict";

const rows = new Map();
for (const row of document.querySelectorAll("[data-device]")) rows.set(row.dataset.device, row);
const bodies = new Map();
for (const group of document.querySelectorAll("[data-group]")) bodies.set(group.dataset.group, group.querySelector("tbody"));

const nameOf = (row) => row.querySelector("[data-cell=name]").textContent;

function place(row, body) {
  const name = nameOf(row);
  for (const other of body.rows) {
    if (other !== row && nameOf(other) > name) {
      if (row.nextSibling !== other || row.parentNode !== body) body.insertBefore(row, other);
      return;
    }
  }
  body.append(row);
}

function show(device) {
  const body = bodies.get(device.group);
  if (!body) return location.reload(); // a new group
  let row = rows.get(device.id);
  const renamed = !row || row.parentNode !== body || nameOf(row) !== device.name;
  if (!row) {
    row = document.getElementById("row").content.firstElementChild.cloneNode(true);
    row.dataset.device = device.id;
    rows.set(device.id, row);
  }
  row.classList.toggle("online", device.online);
  for (const cell of row.cells) {
    const key = cell.dataset.cell;
    const text = key === "state" ? (device.online ? "online" : "offline") : device[key];
    if (cell.textContent !== text) cell.textContent = text;
  }
  if (renamed) place(row, body);
}

function remove(id) {
  rows.get(id)?.remove();
  rows.delete(id);
}

const state = document.getElementById("state");
const source = new EventSource("live");
source.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.all) {
    const there = new Set(message.devices.map((device) => device.id));
    for (const id of [...rows.keys()]) if (!there.has(id)) remove(id);
  }
  message.devices.forEach(show);
  message.gone?.forEach(remove);
  document.getElementById("online").textContent = message.online;
  state.textContent = "";
};
source.onerror = () => {
  // A stream that is refused is not retried by the browser: the session is over, or too many pages are open.
  const closed = source.readyState === EventSource.CLOSED;
  state.textContent = closed ? "Not kept current any more: load this page again." : "Not connected; trying again.";
};
