// The parts of the grid: elements, the words that describe an image, tiles, and clusters of tiles.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

export function stateOf(tile) {
  if (tile.state === "new") return "not cleaned yet";
  return tile.state === "kept" ? "kept" : `rejected: ${tile.reason}`;
}

export function decisionOn(tile) {
  const decision = tile.decision;
  if (!decision) return "";
  if (decision.decision === "move") return `you move it to ${decision.class_}`;
  const elsewhere = decision.class_ === tile.class ? "" : decision.class_;
  if (decision.decision === "keep") return elsewhere ? `you keep it in ${elsewhere}` : "you keep it";
  const reason = decision.reason ? `: ${decision.reason}` : "";
  return (elsewhere ? `you reject it from ${elsewhere}` : "you reject it") + reason;
}

export function suggestionOn(tile) {
  if (tile.score < 0) return "";
  const what = tile.suggested ? `looks like ${tile.suggested}` : `${tile.kind} in ${tile.now}`;
  return `${what} · ${tile.score.toFixed(2)}`;
}

// Say how much a rejected image differs from the image that it repeats.
export function likeness(tile) {
  if (tile.twin.image_id === tile.image_id) return "the same file";
  return tile.distance === "0" ? "looks the same" : `${tile.distance} of 64 bits differ`;
}

const MARKS = { keep: "✓", reject: "✕", move: "→" };

// The frame with an image, or with the reason why the server cannot show the image.
export function imageFrame(tile, size) {
  const source = `${size}/${tile.image_id}`;
  const frame = element("div", { class: "image" });
  const showReason = async () => {
    const why = await fetch(source).then((answer) => answer.text()).catch(() => "the server does not answer");
    frame.replaceChildren(element("p", { class: "unreadable" }, element("b", {}, "cannot be shown"), why));
  };
  frame.append(element("img", { src: source, alt: "", loading: "lazy", draggable: "false", error: showReason }));
  return frame;
}

function lines(tile, shown) {
  const copies = Number(tile.copies) > 1 ? ` ×${tile.copies}` : "";
  const label = tile.state === "rejected" ? tile.reason : stateOf(tile);
  const suggestion = shown === "suggestions" ? suggestionOn(tile) : "";
  const decision = decisionOn(tile);
  return [
    element("div", { class: "line" },
      element("span", { class: "class", title: tile.title || tile.source_id }, tile.now, element("small", {}, copies)),
      element("span", { class: `state is-${tile.state}`, title: tile.detail || null }, label)),
    suggestion && element("div", { class: "suggestion" }, suggestion),
    decision && element("div", { class: "decision", title: decision },
      element("b", { "aria-hidden": "true" }, MARKS[tile.decision.decision]), ` ${decision}`),
  ].filter(Boolean);
}

function imageFrames(tile, shown) {
  const own = imageFrame(tile, "small");
  if (shown !== "rejected" || !tile.twin) return element("div", { class: "images" }, own);
  const twin = imageFrame(tile.twin, "small");
  const decision = decisionOn(tile.twin);
  twin.append(element("p", { class: "twin" }, `${tile.twin.now}, ${stateOf(tile.twin)}`,
    element("small", {}, likeness(tile)), element("small", {}, decision)));
  return element("div", { class: "images is-pair" }, own, twin);
}

export function label(tile, shown) {
  const words = [tile.title, tile.now, stateOf(tile), shown === "suggestions" && suggestionOn(tile), decisionOn(tile)];
  if (shown === "rejected" && tile.twin) words.splice(3, 0, `repeats an image in ${tile.twin.now}, ${likeness(tile)}`);
  return words.filter(Boolean).join(", ");
}

export function buildTile(tile, index, shown) {
  const tools = element("div", { class: "tools" },
    ...[["keep", "Keep"], ["reject", "Reject"], ["move", "Move"], ...(tile.decision ? [["undo", "Undo"]] : []),
      ["enlarge", "Enlarge"]].map(([act, text]) =>
      element("button", { type: "button", tabindex: "-1", "data-act": act }, text)));
  const card = element("div", { class: "card", tabindex: "-1", role: "group", "aria-label": label(tile, shown) },
    imageFrames(tile, shown), ...lines(tile, shown));
  const decided = tile.decision ? `is-decided is-${tile.decision.decision}` : "";
  const wide = shown === "rejected" && tile.twin ? "is-wide" : "";
  return element("li", { class: `tile ${decided} ${wide}`, "data-index": index }, card, tools);
}

// The tiles one by one, or the look-alikes in clusters.
export function buildGrid(tiles, shown) {
  const built = tiles.map((tile, index) => buildTile(tile, index, shown));
  if (shown !== "groups") return built;
  const clusters = new Map();
  tiles.forEach((tile, index) => {
    clusters.set(tile.group, [...(clusters.get(tile.group) ?? []), built[index]]);
  });
  return [...clusters.values()].map((members) => element("li", { class: members.length > 4 ? "cluster is-large" : "cluster" },
    element("ul", { "aria-label": `${members.length} look-alikes` }, ...members)));
}
