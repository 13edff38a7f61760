// The dialogs: the large view, and the questions for a class and for a reason; a question that is left answers null.

import { decisionOn, element, imageFrame, likeness, stateOf, suggestionOn } from "./tiles.js";

const find = (id) => document.getElementById(id);

function figure(tile, words) {
  return element("figure", {}, imageFrame(tile, "large"), element("figcaption", {}, ...words.filter(Boolean)));
}

export function fillLarge(tile, place) {
  find("large-title").replaceChildren(tile.title || tile.source_id, " ", element("small", {}, place));
  const own = figure(tile, [element("b", {}, tile.now), ` · ${stateOf(tile)}`]);
  const twin = tile.twin && figure(tile.twin, [
    element("b", {}, tile.twin.now), ` · ${stateOf(tile.twin)} · ${likeness(tile)}`,
    tile.twin.decision && ` · ${decisionOn(tile.twin)}`,
  ]);
  find("large-images").replaceChildren(own, ...(twin ? [twin] : []));
  const facts = {
    "your decision": decisionOn(tile) || "none yet", why: tile.detail, suggestion: suggestionOn(tile),
    "collected in": tile.class === tile.now ? "" : tile.class, copies: Number(tile.copies) > 1 ? tile.copies : "",
    author: tile.author, size: tile.width && `${tile.width} × ${tile.height}`, source: tile.source_id, id: tile.image_id,
  };
  find("large-facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) =>
    [element("dt", {}, name), element("dd", {}, value)]));
}

// Open a dialog; the promise resolves to the value that `finish` was called with, or to null.
function open(dialog, prepare) {
  return new Promise((resolve) => {
    let result = null;
    const finish = (value) => { result = value; dialog.close(); };
    prepare(finish);
    dialog.addEventListener("close", () => resolve(result), { once: true });
    dialog.showModal();
  });
}

export function askClass(classes) {
  const search = find("move-search");
  search.value = "";
  return open(find("move"), (finish) => {
    const matching = () => classes.filter((name) => name.toLowerCase().startsWith(search.value.toLowerCase()));
    const list = () => find("move-classes").replaceChildren(...matching().map((name) => element("button",
      { type: "button", class: "quiet", click: () => finish(name) },
      classes.indexOf(name) < 9 ? element("kbd", {}, String(classes.indexOf(name) + 1)) : null, ` ${name}`)));
    search.oninput = () => {
      // A digit alone chooses the class of this number, unless a class begins with the digit.
      const name = /^[1-9]$/.test(search.value) && !matching().length && classes[Number(search.value) - 1];
      if (name) finish(name); else list();
    };
    find("move").querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      if (matching().length) finish(matching()[0]);
    };
    list();
  });
}

export function askReason() {
  const text = find("reason-text");
  text.value = "";
  return open(find("reason"), (finish) => {
    find("reason").querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      finish(text.value.trim());
    };
  });
}

export function showHelp(keys) {
  find("keys").replaceChildren(...keys.flatMap(([names, words]) => [
    element("dt", {}, ...names.map((name) => element("kbd", {}, name))), element("dd", {}, words)]));
  return open(find("help"), () => {});
}

// Show a message above an open dialog for 2.5 seconds, or an error for 10 seconds.
export function toast(words, isError = false) {
  const message = element("p", { class: isError ? "toast is-error" : "toast", role: isError ? "alert" : null }, words);
  const toasts = find("toasts");
  const home = document.querySelector("dialog[open]") ?? document.body;
  if (toasts.parentNode !== home) home.append(toasts);
  toasts.replaceChildren(message);
  setTimeout(() => message.remove(), isError ? 10000 : 2500);
}
