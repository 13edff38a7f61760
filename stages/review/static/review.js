// The review page: what the keys and clicks do with the chosen tile.

import { board, choose, climb, goUndecided, load, query, renderAround, renderTiles, setSaving, show, showNext, step, turn }
  from "./board.js";
import { askClass, askReason, fillLarge, showHelp, toast } from "./dialogs.js";
import { ask, inOrder, waiting } from "./server.js";
import { element } from "./tiles.js";

const find = (id) => document.getElementById(id);
const large = find("large");

// --- decisions

function decide(decision, class_ = null, reason = "") {
  const { tile, current } = board;
  if (!tile) return;
  setSaving();
  step(1);
  send({ image_id: tile.image_id, decision, class: class_ ?? tile.class, reason }).catch((error) => {
    toast(`Not saved: ${error.message}`, true);
    if (board.answer.tiles[current] !== tile) return;
    renderTiles(tile.image_id);
    choose(current);
  });
}

function move(name) {
  if (!board.tile || !name) return;
  if (name === board.tile.class) toast(`It was collected in ${name}: press K to keep it there`);
  else decide("move", name);
}

async function chooseClass() {
  if (board.tile) move(await askClass(board.classes));
}

async function giveReason() {
  const reason = board.tile ? await askReason() : null;
  if (reason !== null) decide("reject", null, reason);
}

function undo(image_id = "") {
  send({ image_id, decision: "undo" }).catch((error) => toast(error.message, true));
}

async function undoChosen() {
  await inOrder(() => {}); // wait until the decisions of earlier keys are saved
  if (board.tile?.decision) undo(board.tile.image_id);
  else toast("You have not decided about this image");
}

function send(body) {
  const asked = query();
  return inOrder(async () => {
    const { done, undone, ...around } = await ask(`api/decisions?${asked}`, body);
    const decision = done ?? undone;
    for (const tile of board.answer.tiles) {
      for (const image of [tile, tile.twin]) {
        if (image?.image_id === decision.image_id) image.decision = done ?? null;
      }
    }
    if (asked === query()) {
      Object.assign(board.answer, around);
      renderAround();
    }
    renderTiles(decision.image_id);
    const index = board.answer.tiles.findIndex((tile) => tile.image_id === decision.image_id);
    if (undone && index >= 0) choose(index);
    const where = { keep: "in", reject: "from", move: "to" }[decision.decision];
    const away = index < 0 ? ", on another page" : "";
    toast(`${done ? "Saved" : "Undone"}: ${decision.decision} ${where} ${decision.class_}${undone ? away : ""}`);
  });
}

// --- the large view

function fill() {
  if (!board.tile) return;
  fillLarge(board.tile, `${board.answer.first + board.current + 1} of ${board.answer.total}`);
}

function enlarge() {
  if (!board.tile) return;
  fill();
  large.showModal();
  large.focus();
}

function toggleLarge() {
  if (large.open) large.close(); else enlarge();
}

// --- keys and buttons

const KEYS = [
  [["←", "→", "↑", "↓"], "choose another image; at the edge, on the next page"],
  [["K"], "keep it in its class, even if clean rejects it", () => decide("keep")],
  [["R"], "reject it", () => decide("reject")],
  [["Shift R"], "reject it with a reason", giveReason],
  [["1", "…", "9"], "move it to the class of this number"],
  [["M"], "move it to a class, chosen by name", chooseClass],
  [["U"], "undo the last decision", () => undo()],
  [["Shift U"], "undo the decision on this image", undoChosen],
  [["Space", "Enter"], "large view, and back", toggleLarge],
  [["G"], "go to the next undecided image", goUndecided],
  [["N"], "next filter", () => showNext("filter", board.filters, 1)],
  [["P"], "previous filter", () => showNext("filter", board.filters, -1)],
  [["C"], "next class", () => showNext("class", ["", ...board.classes], 1)],
  [["Shift C"], "previous class", () => showNext("class", ["", ...board.classes], -1)],
  [["PageDown"], "next page", () => turn(1)],
  [["PageUp"], "previous page", () => turn(-1)],
  [["Home"], "first image of the page", () => choose(0)],
  [["End"], "last image of the page", () => choose(board.answer.tiles.length - 1)],
  [["?"], "this list of keys", () => showHelp(KEYS)],
];
const ACTIONS = new Map([
  ...KEYS.filter(([, , act]) => act).flatMap(([names, , act]) => names.map((name) => [name, act])),
  ["ArrowLeft", () => step(-1)], ["ArrowRight", () => step(1)],
  ["ArrowUp", () => climb(-1)], ["ArrowDown", () => climb(1)],
]);

function nameOf(event) {
  if (event.key === " ") return "Space";
  const isLetter = /^[a-z]$/i.test(event.key);
  return isLetter ? (event.shiftKey ? "Shift " : "") + event.key.toUpperCase() : event.key;
}

document.addEventListener("keydown", (event) => {
  const dialog = document.querySelector("dialog[open]");
  const isElsewhere = (dialog && dialog !== large) || event.target.matches("input");
  if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
  const name = nameOf(event);
  if (["Space", "Enter"].includes(name) && event.target.closest("button")) return;
  const act = /^[1-9]$/.test(name) ? () => move(board.classes[Number(name) - 1]) : ACTIONS.get(name);
  if (!act) return;
  event.preventDefault();
  // Nobody decides about an unseen image: a key held down decides once, and no key decides while a page loads.
  const decides = /^([KRMU1-9]|Shift [RU])$/.test(name);
  if ((board.moves && decides) || (event.repeat && !name.startsWith("Arrow"))) return;
  act();
});

// --- the mouse

const BUTTONS = { keep: () => decide("keep"), reject: () => decide("reject"), move: chooseClass, undo: undoChosen, enlarge };

find("grid").addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  choose(Number(tile.dataset.index));
  BUTTONS[event.target.closest("[data-act]")?.dataset.act]?.();
});
find("grid").addEventListener("dblclick", (event) => { if (event.target.closest(".card")) enlarge(); });

function button(words, key, act, isPressed = null) {
  return element("button", { type: "button", click: act, "aria-pressed": isPressed === null ? null : String(isPressed) },
    element("kbd", { "aria-hidden": "true" }, key), ` ${words}`);
}

// Draw the row of buttons under the board and in the large view; the button of the standing decision is pressed.
function renderActions() {
  const { tile } = board;
  const stands = (decision, class_) => tile?.decision?.decision === decision && tile.decision.class_ === class_;
  for (const id of ["actions", "large-actions"]) {
    find(id).replaceChildren(
      button("Keep", "K", BUTTONS.keep, stands("keep", tile?.class)),
      button("Reject", "R", BUTTONS.reject, stands("reject", tile?.class)),
      element("span", { class: "moves", role: "group", "aria-label": "Move to" }, element("span", {}, "Move to"),
        ...board.classes.slice(0, 9).map((name, n) => button(name, String(n + 1), () => move(name), stands("move", name))),
        ...(board.classes.length > 9 ? [button("more …", "M", chooseClass)] : [])),
      button("Undo last", "U", () => undo()),
      ...(id === "actions" ? [button("Enlarge", "Space", enlarge)] : []));
  }
  if (large.open) fill();
}

// --- the start

board.changed = renderActions;
find("help-button").addEventListener("click", () => showHelp(KEYS));
find("previous").addEventListener("click", () => turn(-1));
find("next").addEventListener("click", () => turn(1));
for (const close of document.querySelectorAll("dialog .close")) {
  close.addEventListener("click", () => close.closest("dialog").close());
}
large.addEventListener("close", () => choose(board.current));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !waiting.requests) load(board.answer.page, board.current);
});
addEventListener("beforeunload", (event) => { if (waiting.requests) event.preventDefault(); });

const start = new URLSearchParams(location.hash.slice(1));
board.class = start.get("class") ?? "";
board.filter = start.get("filter") ?? "all";
await load(start.has("page") ? Number(start.get("page")) : null);
// An old address may name a class that no longer exists.
if (!board.answer.classes.length) show({ class: "", filter: "all" });
