// The board: the shown class, filter and page, and the chosen tile.

import { toast } from "./dialogs.js";
import { ask, inOrder } from "./server.js";
import { buildGrid, buildTile, element } from "./tiles.js";

const find = (id) => document.getElementById(id);
const tileAt = (index) => document.querySelector(`.tile[data-index="${index}"]`);

export const board = {
  class: "", filter: "all", current: 0,
  moves: 0, // requests for another page or tile; until they end, no key decides
  answer: { tiles: [], classes: [], filters: [], missing: [], page: 0, pages: 1, first: 0 },
  changed: () => {}, // called when another tile is chosen, or another decision stands
  get tile() { return this.answer.tiles[this.current]; },
  get classes() { return this.answer.classes.slice(1).map(([name]) => name); },
  get filters() { return this.answer.filters.map(([name]) => name); },
};

export function query(extra = {}) {
  return new URLSearchParams({ class: board.class, filter: board.filter, ...extra }).toString();
}

function moving(work) {
  board.moves += 1;
  return inOrder(work).catch((error) => toast(error.message, true)).finally(() => { board.moves -= 1; });
}

// Show a page, or without a number the first page with an undecided tile; then choose the tile `where` on it.
export function load(page = null, where = "undecided") {
  return moving(async () => {
    board.answer = await ask(`api/page?${query(page === null ? {} : { page })}`);
    history.replaceState(null, "", `#${query({ page: board.answer.page })}`);
    render();
    const { tiles } = board.answer;
    const undecided = tiles.findIndex((tile) => !tile.decision);
    choose({ undecided: Math.max(0, undecided), last: tiles.length - 1 }[where] ?? where);
  });
}

export function show(changes) {
  Object.assign(board, changes);
  return load();
}

// Show the class or filter that is `by` places after the shown one; after the last one comes the first.
export function showNext(key, names, by) {
  return show({ [key]: names[(names.indexOf(board[key]) + by + names.length) % names.length] });
}

function render() {
  const { tiles } = board.answer;
  renderAround();
  find("grid").className = `is-${board.filter}`;
  find("grid").replaceChildren(...buildGrid(tiles, board.filter));
  find("empty").hidden = tiles.length > 0;
  find("empty").textContent = emptiness();
  scrollTo(0, 0);
}

function emptiness() {
  const missing = board.answer.missing.find((path) => path.endsWith(".csv"));
  const here = board.class ? ` in ${board.class}` : "";
  if (board.filter === "suggestions" && missing) return `There are no suggestions yet: ${missing} is not there.`;
  return `${{
    suggestions: "Nothing looks out of place", groups: "No look-alikes", rejected: "Nothing is rejected",
    decided: "Nothing is decided yet", kept: "Nothing is kept",
  }[board.filter] ?? "No images"}${here}.`;
}

function tabs(id, entries, chosen, key, everything = "") {
  find(id).replaceChildren(...entries.map(([value, count]) => element("button", {
    type: "button", "aria-current": value === chosen ? "true" : null, click: () => show({ [key]: value }),
  }, value || everything, " ", element("span", { class: "count" }, count.toLocaleString("en")))));
  find(id).querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

export function renderAround() {
  const { classes, filters, decided, total, page, pages, problem, dropped, waiting, reasons } = board.answer;
  tabs("classes", classes, board.class, "class", "All classes");
  tabs("filters", filters, board.filter, "filter");
  find("bar").max = Math.max(1, total);
  find("bar").value = decided;
  find("numbers").textContent = `${decided.toLocaleString("en")} of ${total.toLocaleString("en")} decided`;
  find("page").textContent = `Page ${page + 1} of ${pages}`;
  find("previous").disabled = page === 0;
  find("next").disabled = page + 1 >= pages;
  find("problem").hidden = !problem;
  find("problem").textContent = `${problem} Until this is mended, no decision is taken, and the page shows the state before it.`;
  find("dropped").hidden = !dropped;
  find("dropped").textContent = `The last row was not written to its end, so it was dropped: ${dropped}`;
  find("waiting").hidden = !waiting;
  find("waiting").textContent = waiting === 1 ? "A decision waits for an image that is not among the data."
    : `${waiting.toLocaleString("en")} decisions wait for images that are not among the data.`;
  find("reasons").replaceChildren(...reasons.map((value) => element("option", { value })));
  document.title = `${decided}/${total} ${board.class || "all"} · Review`;
  board.changed();
}

export function choose(index) {
  tileAt(board.current)?.classList.remove("is-current");
  tileAt(board.current)?.querySelector(".card").setAttribute("tabindex", "-1");
  board.current = Math.max(0, Math.min(index, board.answer.tiles.length - 1));
  if (board.tile) {
    mark(tileAt(board.current));
    tileAt(board.current).scrollIntoView({ block: "nearest" });
    tileAt(board.current).querySelector(".card").focus({ preventScroll: true });
  }
  board.changed();
}

function mark(tile) {
  tile.classList.add("is-current");
  tile.querySelector(".card").setAttribute("tabindex", "0");
}

export function setSaving() {
  tileAt(board.current).classList.add("is-saving");
}

// Build the tiles of an image again, after a decision on it.
export function renderTiles(image_id) {
  board.answer.tiles.forEach((tile, index) => {
    if (tile.image_id !== image_id && tile.twin?.image_id !== image_id) return;
    const old = tileAt(index);
    const isFocused = old.contains(document.activeElement);
    const built = buildTile(tile, index, board.filter);
    old.replaceWith(built);
    if (index === board.current) mark(built);
    if (isFocused) built.querySelector(".card").focus({ preventScroll: true });
  });
  board.changed();
}

export function turn(by, where = 0) {
  const page = board.answer.page + by;
  if (page >= 0 && page < board.answer.pages) load(page, where);
}

export function step(by) {
  const next = board.current + by;
  if (next >= board.answer.tiles.length) turn(1);
  else if (next < 0) turn(-1, "last");
  else choose(next);
}

// Choose the nearest tile in the row above or below, by the places of the tiles on the screen.
export function climb(direction) {
  if (!board.tile) return;
  const here = tileAt(board.current).getBoundingClientRect();
  const boxes = board.answer.tiles.map((_, index) => [index, tileAt(index).getBoundingClientRect()])
    .filter(([, box]) => direction * (box.top - here.top) > here.height / 2);
  if (!boxes.length) { turn(direction, direction > 0 ? 0 : "last"); return; }
  const far = ([, box]) => Math.abs(box.top - here.top);
  const aside = ([, box]) => Math.abs(box.left + box.width / 2 - here.left - here.width / 2);
  const row = Math.min(...boxes.map(far)) + here.height / 2;
  const near = boxes.filter((box) => far(box) < row);
  choose(near.reduce((best, box) => (aside(box) < aside(best) ? box : best))[0]);
}

export function goUndecided() {
  return moving(async () => {
    const { answer } = board;
    const { next } = await ask(`api/next?${query({ after: answer.first + board.current })}`);
    if (!next) toast("All images here are decided");
    else if (next.page === answer.page) choose(next.position - answer.first);
    else load(next.page);
  });
}
