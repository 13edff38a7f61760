// One image at a time: the page sends it to this machine's own server and shows the prediction and the heat map.

const FIRST = 8; // classes shown at first; a button shows the others
const find = (id) => document.getElementById(id);
const model = await fetch("api/model").then((reply) => reply.json());
const latest = { file: null, number: 0, heat: 0 }; // the last image and requests; older replies are ignored

const percent = (probability) => `${(100 * probability).toFixed(1)} %`;

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

async function send(path, file) {
  const options = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file };
  const reply = await fetch(path, options).catch(() => {
    throw new Error("the server does not answer; start it again: python -m stages.predict --serve");
  });
  const values = await reply.json();
  if (!reply.ok) throw new Error(values.error);
  return values;
}

// A canvas and not an `img`: the policy of the page allows images from the server's addresses only, not from data.
async function draw(canvas, png, label) {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height, ariaLabel: label });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

function showMessage(words, isProblem = false) {
  find("problem").hidden = !isProblem;
  find("problem").textContent = isProblem ? words : "";
  find("status").textContent = isProblem ? "" : words;
}

async function showHeat(name) {
  const number = (latest.heat += 1);
  find("main").classList.add("is-waiting");
  try {
    const { heat } = await send(`api/heat?${new URLSearchParams({ class: name })}`, latest.file);
    if (number !== latest.heat) return;
    await draw(find("heat"), heat, `Where the network saw ${name}: purple for nowhere, yellow for most`);
    find("heat-caption").textContent = `Where it saw ${name}`;
  } catch (error) {
    if (number === latest.heat) showMessage(error.message, true);
  }
  if (number === latest.heat) find("main").classList.remove("is-waiting");
}

function classRow([name, probability], index) {
  const radio = element("input", { type: "radio", name: "class", value: name, checked: index === 0 });
  radio.addEventListener("change", () => showHeat(name));
  const bar = element("progress", { max: 1, value: probability, ariaHidden: "true" });
  return element("li", { hidden: index >= FIRST },
    element("label", { className: "class" }, radio, element("span", { title: name }, name), percent(probability), bar));
}

function answer({ probabilities, none_of_these }) {
  const [[name, probability]] = probabilities;
  return none_of_these ? ["None of these", `if it must be, ${name} ${percent(probability)}`] : [name, percent(probability)];
}

function note({ likely, none_of_these }) {
  if (none_of_these) return "This image is unlike all that the network learned from.";
  return likely.length > 1 ? `It may also be ${likely.slice(1).join(" or ")}.` : "";
}

function showPrediction(title, prediction) {
  const { probabilities, image, learned } = prediction;
  const [said, more] = answer(prediction);
  document.body.classList.add("has-result");
  find("result").hidden = false;
  find("name").textContent = title;
  find("predicted").replaceChildren(said, " ", element("small", {}, more));
  find("note").textContent = note(prediction);
  find("note").hidden = !find("note").textContent;
  find("learned").hidden = !learned;
  find("learned").textContent = learned && `Note: ${learned}. Its answer here says nothing of how good it is.`;
  find("classes").replaceChildren(...probabilities.map(classRow));
  find("all").hidden = probabilities.length <= FIRST;
  find("all").textContent = `Show all ${probabilities.length} classes`;
  const [height, width] = model.size;
  find("image-caption").textContent = `What the network sees: ${width} × ${height} pixels, ${model.crop}`;
  return draw(find("image"), image, `The image as the network sees it, ${width} by ${height} pixels`);
}

async function predict(files) {
  const [file, ...others] = files;
  if (!file) return;
  const number = (latest.number += 1);
  if (file.size > model.max_megabytes * 1e6) {
    const size = (file.size / 1e6).toFixed(1);
    showMessage(`${file.name}: expected at most ${model.max_megabytes} megabytes, got ${size}.`, true);
    return;
  }
  showMessage(`Looking at ${file.name} …`);
  find("main").ariaBusy = "true";
  try {
    const prediction = await send("api/prediction", file);
    if (number !== latest.number) return;
    latest.file = file;
    latest.heat += 1; // the heat map of the image before is ignored
    await showPrediction(file.name + (others.length ? `, the first of ${files.length}` : ""), prediction);
    showMessage([`${file.name}: ${answer(prediction).join(", ")}`, note(prediction)].filter(Boolean).join(". "));
    await showHeat(prediction.probabilities[0][0]);
  } catch (error) {
    if (number === latest.number) showMessage(`${file.name}: expected an image, got: ${error.message}.`, true);
  } finally {
    if (number === latest.number) find("main").ariaBusy = "false";
  }
}

find("about").textContent = `${model.network} of ${model.model}`;
find("known").textContent = `It knows ${model.classes.length} classes: ${model.classes.join(", ")}`;
find("choose").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", (event) => {
  predict([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
find("all").addEventListener("click", () => {
  for (const row of find("classes").children) row.hidden = false;
  find("all").hidden = true;
});

// A drop counts anywhere on the page: outside the frame the browser would open the image instead of the page.
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.toggle("is-over", carriesFiles(event));
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("is-over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("is-over");
  if (carriesFiles(event)) predict([...event.dataTransfer.files]);
  else showMessage("Expected a file, got something else: save the image first, or copy and paste it.", true);
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) predict(files);
  else showMessage("Expected an image to be pasted, got text.", true);
});
