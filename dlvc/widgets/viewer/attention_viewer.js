// The attention-head viewer, as one module with two hosts: anywidget (traits in a live notebook) and a page of its own
// (page.py), which needs neither kernel nor network. A host hands over `model` with get, set, save_changes and on;
// "payload" holds the numbers (written by payload.py), "state" is what is shown. All text reaches the page as text.
// Counting is from 0 in here and from 1 in everything a reader sees. page.py joins this file and those it imports to one.

import { Drawing } from "./attention_drawing.js";
import { Frame, SPACE, describe, patchName, percent, place, points, strongest } from "./attention_numbers.js";

const THUMB = 40; // CSS pixels that the small map of a head is wide; fewer for many heads
const VIEWS = { head: "one head", mean: "mean of the heads", rollout: "rollout", relevance: "relevance" };
/** Whose largest number gets the last colour, in the words of a view. */
function scales(view) {
  if (view === "relevance") return { patch: "what is shown", head: "this class", layer: "all classes", all: "everything" };
  return { patch: "this patch", head: view === "head" ? "this head" : `this ${view}`, layer: "this layer", all: "everything" };
}
const KEYS = [
  ["arrows", "move the patch"],
  ["Home", "the readout: what the class scores are read from"],
  ["L, Shift+L", "next, previous layer"],
  ["H, Shift+H", "next, previous head"],
  ["V", "next view"],
  ["E, Shift+E", "next, previous epoch"],
  ["Enter or click", "hold the patch; pointing and arrows then read single weights; again or Escape: let go"],
  ["T", "table of the numbers"],
  ["C", "compare"],
];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// For ids: several viewers on a page do not meet, though a notebook loads this module anew for each.
const unique = Math.random().toString(36).slice(2);
let made = 0;

function labelled(text, control, { hidden = false } = {}) {
  control.id = `dlvc-${unique}-${++made}`;
  return make("span", { class: "dlvc-field", hidden }, make("label", { for: control.id }, text), control);
}

function options(select, names) {
  select.replaceChildren(...names.map(([value, name]) => make("option", { value: String(value) }, name)));
}

class Viewer {
  constructor(host, root) {
    this.host = host;
    this.root = root;
    this.payload = JSON.parse(host.get("payload"));
    this.series = this.payload.series.map((each) => ({ ...each, frames: each.frames.map((data) => new Frame(data)) }));
    this.drawing = new Drawing(this.payload, () => this.bar && this.paint());
    this.state = { ...host.get("state") };
    this.peaks = new Map();
    this.held = null; // the weight read out while a patch is held
    this.root.style.setProperty("--side", `${this.drawing.width}px`);
    this.panes = ["", "2"].map((suffix) => this.buildPane(suffix));
    this.root.append(...this.build());
    this.onState = () => this.telling || this.update(host.get("state"), { tell: false });
    host.on("change:state", this.onState);
    this.update({});
  }

  get patches() {
    return this.payload.grid[0] * this.payload.grid[1];
  }

  /** Which map a pane shows: names of `state` without the pane's suffix, inside what the model has. */
  spot(suffix = "") {
    const s = this.state;
    const series = this.series[suffix ? s.model2 : s.model];
    const frame = series.frames[Math.min(suffix ? s.epoch2 : s.epoch, series.frames.length - 1)];
    const own = (name) => (suffix && s[`${name}2`] >= 0 ? s[`${name}2`] : s[name]);
    return {
      series,
      frame,
      image: suffix ? s.image2 : s.image,
      view: s.view,
      layer: Math.min(own("layer"), frame.layers - 1),
      head: Math.min(own("head"), frame.heads - 1),
      class: s.class,
    };
  }

  // Controls ------------------------------------------------------------------------------------------------------

  select(name, names, label, settings) {
    const control = make("select", { onchange: () => this.update({ [name]: JSON.parse(control.value) }) });
    options(control, names.map(([value, text]) => [JSON.stringify(value), text]));
    this.controls[name] = control;
    return labelled(label, control, settings);
  }

  build() {
    this.controls ??= {};
    const numbered = (names) => names.map((name, place) => [place, name]);
    const s = this.state;
    const frames = this.series[s.model].frames;
    const epoch = make("input", { type: "range", min: "0", oninput: () => this.update({ epoch: Number(epoch.value) }) });
    this.controls.epoch = epoch;
    this.epochName = make("output", {});
    this.play = make("button", { type: "button", onclick: () => this.togglePlay() }, "Play"); // it says what it will do
    this.epochs = make("span", { class: "dlvc-field" }, labelled("Epoch", epoch), this.epochName, this.play);
    const opacity = make("input", { type: "range", min: "0", max: "100", step: "5" });
    opacity.addEventListener("input", () => this.update({ opacity: Number(opacity.value) / 100 }));
    this.controls.opacity = opacity;

    const button = (text, onclick) => make("button", { type: "button", onclick }, text);
    this.readoutButton = button("Readout", () => this.update({ patch: -1 }));
    this.compareButton = button("Compare", () => this.update({ compare: !this.state.compare }));
    this.tableButton = button("Table", () => this.update({ table: !this.state.table }));
    const keys = KEYS.flatMap(([key, what]) => [make("dt", {}, key), make("dd", {}, what)]);
    const top = make(
      "div",
      { class: "dlvc-row" },
      this.select("image", numbered(this.payload.images.map((each) => each.name)), "Image"),
      this.select("model", numbered(this.series.map((each) => each.name)), "Model", { hidden: this.series.length < 2 }),
      this.epochs,
      make("span", { class: "dlvc-field" }, this.readoutButton, this.compareButton, this.tableButton, button("Save PNG", () => this.savePicture())),
      make("details", { class: "dlvc-keys" }, make("summary", {}, "Keys"), make("dl", {}, ...keys)),
    );
    this.classField = this.select("class", numbered(this.payload.classes), "for class");
    const middle = make(
      "div",
      { class: "dlvc-row" },
      this.select("view", Object.entries(VIEWS), "Show"),
      this.classField,
      this.select("layer", numbered(Array.from({ length: frames[0].layers }, (_, l) => `${l + 1}`)), "Layer"),
      this.select("head", numbered(Array.from({ length: frames[0].heads }, (_, h) => `${h + 1}`)), "Head"),
      this.select("scale", Object.entries(scales("head")), "Colours up to the largest of"),
      labelled("Map over image", opacity),
    );
    this.compared = make("div", { class: "dlvc-compared" }, this.buildSecondControls(), this.panes[1].element, this.buildDifference());
    this.grid = make("div", { class: "dlvc-grid", role: "radiogroup", "aria-label": "Layers and heads" });
    this.grid.addEventListener("keydown", (event) => this.gridKey(event));
    this.gridTitle = make("div", { class: "dlvc-title" });
    this.gridNote = make("div", { class: "dlvc-note" });
    this.prediction = make("div", { class: "dlvc-prediction" });
    this.bar = this.buildBar(this.drawing.sequential);
    this.text = make("p", { class: "dlvc-text" });
    this.live = make("div", { class: "dlvc-unseen", "aria-live": "polite" });
    this.tables = make("div", { class: "dlvc-tables", tabindex: "0", role: "region", "aria-label": "Table of the numbers" });
    this.root.addEventListener("keydown", (event) => this.key(event));
    const left = make("div", { class: "dlvc-left" }, this.panes[0].element, this.bar.element, this.compared, this.text);
    const right = make("div", { class: "dlvc-right" }, make("div", { class: "dlvc-heads" }, this.gridTitle, this.grid, this.gridNote), this.prediction);
    return [top, middle, make("div", { class: "dlvc-main" }, left, right), this.tables, this.live];
  }

  buildSecondControls() {
    const numbered = (names) => names.map((name, place) => [place, name]);
    const frames = this.series.flatMap((each) => each.frames);
    const most = (name) => Math.max(...frames.map((frame) => frame[name]));
    const same = (name) => [[-1, "as above"], ...numbered(Array.from({ length: most(name) }, (_, n) => `${n + 1}`))];
    const epochs = numbered(this.series[this.state.model2].frames.map((frame) => frame.name));
    return make(
      "div",
      { class: "dlvc-row" },
      make("strong", {}, "Compared with"),
      this.select("image2", numbered(this.payload.images.map((each) => each.name)), "Image"),
      this.select("model2", numbered(this.series.map((each) => each.name)), "Model", { hidden: this.series.length < 2 }),
      (this.epoch2Field = this.select("epoch2", epochs, "Epoch")),
      this.select("layer2", same("layers"), "Layer"),
      this.select("head2", same("heads"), "Head"),
    );
  }

  buildBar(colors) {
    const canvas = this.drawing.bar(colors);
    canvas.setAttribute("aria-hidden", "true");
    const ticks = [0, 1, 2].map(() => make("span"));
    const note = make("span", { class: "dlvc-note" });
    const element = make("div", { class: "dlvc-bar" }, canvas, make("div", { class: "dlvc-ticks" }, ...ticks), note);
    return { element, canvas, ticks, note };
  }

  square(title) {
    const canvas = this.drawing.square(Math.max(2, Math.ceil(window.devicePixelRatio || 1))); // sharp when zoomed in, too
    canvas.setAttribute("role", "img");
    const extra = make("div", { class: "dlvc-extra" });
    const heading = make("div", { class: "dlvc-title" }, title);
    return { canvas, heading, extra, element: make("div", { class: "dlvc-square" }, heading, canvas, extra) };
  }

  buildPane(suffix) {
    const squares = ["Image", "Attends to", "Is attended to by"].map((title) => this.square(title));
    const name = make("div", { class: "dlvc-pane-name" });
    const element = make(
      "div",
      {
        class: "dlvc-pane",
        tabindex: "0",
        role: "application",
        "aria-label": `Patches of the ${suffix ? "second " : ""}image. Arrow keys move the query patch.`,
      },
      name,
      ...squares.map((each) => each.element),
    );
    for (const { canvas } of squares) {
      const patchAt = (event) => {
        const box = canvas.getBoundingClientRect();
        const [rows, columns] = this.payload.grid;
        const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
        const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
        return row >= 0 && row < rows && column >= 0 && column < columns ? row * columns + column : null;
      };
      canvas.addEventListener("pointermove", (event) => this.point(patchAt(event)));
      canvas.addEventListener("pointerdown", (event) => this.click(patchAt(event)));
      canvas.addEventListener("pointerleave", () => this.state.hold && this.read(null));
    }
    return { element, name, squares };
  }

  buildDifference() {
    this.differences = [0, 1].map(() => this.square("Difference"));
    this.differenceBar = this.buildBar(this.drawing.diverging);
    const squares = this.differences.map((each) => each.element);
    const note = "Second minus first. Purple: less in the second. Orange: more.";
    const pane = make("div", { class: "dlvc-pane" }, make("div", { class: "dlvc-square dlvc-note" }, note), ...squares);
    this.difference = make("div", { class: "dlvc-difference" }, pane, this.differenceBar.element);
    return this.difference;
  }

  // What the reader does ------------------------------------------------------------------------------------------

  point(patch) {
    if (patch === null) return;
    if (this.state.hold) this.read(patch);
    else if (patch !== this.state.patch) this.update({ patch });
  }

  click(patch) {
    if (patch === null) return;
    const again = this.state.hold && patch === this.state.patch;
    this.held = null;
    this.update({ patch, hold: !again });
  }

  read(patch) {
    this.held = patch;
    this.paint();
  }

  key(event) {
    const inField = event.target.closest("select, input, summary");
    const inPane = event.target.closest(".dlvc-pane");
    if (event.ctrlKey || event.metaKey || event.altKey || inField) return;
    const s = this.state;
    const { frame, series } = this.spot();
    const turn = (name, count) => ({ [name]: (Math.min(s[name], count - 1) + (event.shiftKey ? count - 1 : 1)) % count });
    const [, columns] = this.payload.grid;
    const moves = { ArrowUp: -columns, ArrowDown: columns, ArrowLeft: -1, ArrowRight: 1 };
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const views = Object.keys(VIEWS);
    let change;
    if (name in moves && inPane) {
      const from = s.hold ? this.held ?? s.patch : s.patch;
      const to = from < 0 ? 0 : this.neighbour(from, moves[name]);
      if (s.hold) this.read(to);
      else change = { patch: to };
    } else if (name === "Home" && inPane) change = { patch: -1, hold: false };
    else if (name === "Enter" && inPane) change = { hold: !s.hold };
    else if (name === "Escape" && s.hold) change = { hold: false };
    else if (name === "l") change = turn("layer", frame.layers);
    else if (name === "h") change = turn("head", frame.heads);
    else if (name === "e") change = turn("epoch", series.frames.length);
    else if (name === "v") change = { view: views[(views.indexOf(s.view) + (event.shiftKey ? views.length - 1 : 1)) % views.length] };
    else if (name === "t") change = { table: !s.table };
    else if (name === "c") change = { compare: !s.compare };
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has keys of its own
    if (change) {
      if ("hold" in change) this.held = null;
      this.update(change);
    }
  }

  neighbour(patch, step) {
    const [rows, columns] = this.payload.grid;
    const row = Math.floor(patch / columns) + (Math.abs(step) > 1 || columns === 1 ? Math.sign(step) : 0);
    const column = (patch % columns) + (Math.abs(step) === 1 && columns > 1 ? step : 0);
    const inside = (value, count) => Math.min(Math.max(value, 0), count - 1);
    return inside(row, rows) * columns + inside(column, columns);
  }

  gridKey(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    const { frame } = this.spot();
    const [down, right] = moves[event.key];
    const column = this.gridColumn() + right;
    const inside = (value, count) => Math.min(Math.max(value, 0), count - 1);
    this.choose(inside(this.spot().layer + down, frame.layers), inside(column, frame.heads + 2));
    this.grid.querySelector("[aria-checked=true]")?.focus();
  }

  gridColumn() {
    const { frame, view, head } = this.spot();
    if (view === "relevance") return -1;
    return { head, mean: frame.heads, rollout: frame.heads + 1 }[view];
  }

  choose(layer, column) {
    const { heads } = this.spot().frame;
    if (column < heads) this.update({ layer, head: column, view: "head" });
    else this.update({ layer, view: column === heads ? "mean" : "rollout" });
  }

  togglePlay() {
    if (this.timer) {
      clearInterval(this.timer);
      this.timer = null;
    } else {
      const count = this.spot().series.frames.length;
      this.timer = setInterval(() => this.update({ epoch: (this.state.epoch + 1) % count }), 700);
    }
    this.play.textContent = this.timer ? "Pause" : "Play";
  }

  // What is shown -------------------------------------------------------------------------------------------------

  update(change, { tell = true } = {}) {
    const started = performance.now();
    this.state = { ...this.state, ...change };
    if (tell && Object.keys(change).length) {
      this.telling = true; // the host tells us, too, what we tell it
      this.host.set("state", { ...this.state });
      this.telling = false;
      this.host.save_changes();
    }
    this.paintControls();
    this.paint();
    const entries = performance.getEntriesByName("dlvc-repaint").length;
    if (entries > 500) performance.clearMeasures("dlvc-repaint");
    performance.measure("dlvc-repaint", { start: started, end: performance.now() });
  }

  paintControls() {
    const s = this.state;
    const spot = this.spot();
    const count = spot.series.frames.length;
    const numbers = (length) => Array.from({ length }, (_, place) => [place, `${place + 1}`]);
    const fill = (name, names) => {
      const control = this.controls[name];
      if (control.length !== names.length || control.names !== names.join()) options(control, names);
      control.names = names.join();
    };
    fill("layer", numbers(spot.frame.layers));
    fill("head", numbers(spot.frame.heads));
    fill("scale", Object.entries(scales(s.view)).map(([value, name]) => [JSON.stringify(value), name]));
    fill("epoch2", this.spot("2").series.frames.map((frame, place) => [place, frame.name]));
    this.controls.epoch.max = String(count - 1);
    this.epochs.hidden = count < 2;
    this.epoch2Field.hidden = this.spot("2").series.frames.length < 2;
    if (count < 2 && this.timer) this.togglePlay();
    this.epochName.textContent = spot.frame.name;
    this.controls.epoch.setAttribute("aria-valuetext", spot.frame.name);
    const values = { ...s, layer: spot.layer, head: spot.head, epoch: Math.min(s.epoch, count - 1) };
    for (const [name, control] of Object.entries(this.controls)) {
      if (name === "opacity") control.value = String(Math.round(100 * s.opacity));
      else if (name === "epoch") control.value = String(values.epoch);
      else control.value = JSON.stringify(values[name]);
    }
    this.classField.hidden = s.view !== "relevance";
    this.controls.layer.disabled = s.view === "relevance";
    this.controls.head.disabled = s.view !== "head";
    this.compared.hidden = !s.compare;
    this.readoutButton.setAttribute("aria-pressed", String(s.patch < 0));
    this.compareButton.setAttribute("aria-pressed", String(s.compare));
    this.tableButton.setAttribute("aria-pressed", String(s.table));
  }

  /** The largest number of the scale: everything that is shown side by side shares it. */
  scaleTop(spots, maps) {
    const { scale } = this.state;
    if (scale === "patch") return Math.max(...maps.filter(Boolean).flat());
    if (scale === "all") return Math.max(...this.series.map((series) => this.seriesPeak(series, spots[0], scale)));
    return Math.max(...spots.map((spot) => this.seriesPeak(spot.series, spot, scale)));
  }

  /** The largest number of a scope over all epochs of a model; kept, for every movement asks for it. */
  seriesPeak(series, spot, scope) {
    const name = [this.series.indexOf(series), spot.image, spot.view, spot.layer, spot.head, spot.class, scope].join();
    if (!this.peaks.has(name)) this.peaks.set(name, Math.max(...series.frames.map((frame) => frame.peak(spot, scope))));
    return this.peaks.get(name);
  }

  paint() {
    const { patch, compare, opacity } = this.state;
    const spots = compare ? [this.spot(), this.spot("2")] : [this.spot()];
    const pairs = spots.map((spot) => [spot.frame.given(spot, patch), spot.frame.taken(spot, patch)]);
    const top = this.scaleTop(spots, pairs.flat()) || 1;
    this.drawing.marks = { patch, read: this.held, opacity };
    this.shown = { spots, pairs, top };
    spots.forEach((spot, place) => this.paintPane(this.panes[place], spot, pairs[place], top));
    this.paintBar(pairs.flat());
    if (compare) this.paintDifference();
    this.paintGrid();
    const { image, view, layer, head } = spots[0];
    const { model, epoch, scale } = this.state;
    const about = [model, epoch, image, view, layer, head, scale].join();
    if (about !== this.told) {
      this.told = about;
      this.paintEffects(); // which no patch changes
      this.paintPrediction();
    }
    this.paintText(spots);
    this.paintTables(spots[0], pairs[0]);
  }

  paintPane({ squares, name: paneName }, spot, [given, taken], top) {
    const relevance = spot.view === "relevance";
    const { name, label } = this.payload.images[spot.image];
    const prefix = relevance ? 0 : spot.frame.prefix;
    paneName.hidden = !this.state.compare;
    paneName.textContent = [spot.series.name, spot.series.frames.length > 1 ? spot.frame.name : "", ...place(spot)].filter(Boolean).join(", ");
    squares[0].heading.textContent = name;
    squares[1].heading.textContent = relevance ? `Relevance for ${this.payload.classes[spot.class]}` : "Attends to";
    squares[2].heading.textContent = taken ? "Is attended to by" : "";
    squares[2].element.classList.toggle("dlvc-empty", !taken);
    this.drawing.image(squares[0].canvas, spot.image);
    squares[0].canvas.setAttribute("aria-label", label === null ? name : `${name}, an image of class ${this.payload.classes[label]}`);
    [given, taken].forEach((values, number) => {
      const { canvas, extra, heading } = squares[number + 1];
      canvas.hidden = !values;
      if (!values) return;
      this.drawing.map(canvas, spot.image, values.slice(prefix), (value) => value / top, this.drawing.sequential);
      canvas.setAttribute("aria-label", `${heading.textContent}: largest ${percent(Math.max(...values))}`);
      const parts = [];
      if (prefix) parts.push(`class token ${percent(values[0])}`);
      if (this.held !== null) parts.push(`${patchName(this.held, 0, this.payload.grid[1])}: ${(100 * values[prefix + this.held]).toFixed(2)}${SPACE}%`);
      else if (this.state.hold) parts.push("point at a patch to read it");
      extra.replaceChildren(...parts.map((part) => make("div", {}, part)));
    });
    const { hold, patch } = this.state;
    const query = patch >= 0 ? patchName(patch, 0, this.payload.grid[1]) : spot.frame.prefix ? "the class token" : "the mean of all patches";
    squares[0].extra.textContent = relevance ? "" : `${hold ? "held" : "query"}: ${query}`;
  }

  paintBar(maps) {
    const { spots, top } = this.shown;
    const [{ view, frame, series }] = spots;
    const { scale } = this.state;
    [0, top / 2, top].forEach((value, place) => (this.bar.ticks[place].textContent = percent(value)));
    const equal = 1 / (view === "relevance" ? this.patches : frame.tokens);
    const where = [scales(view)[scale]];
    if (series.frames.length > 1 && scale !== "patch") where.push("over all epochs");
    if (spots.length > 1) where.push("in both rows");
    const sentences = [`Share of ${view === "relevance" ? "relevance" : "attention"}. The brightest colour is ${percent(top)}, the largest of ${where.join(" ")}: ${(top / equal).toFixed(1)} times an equal share of ${percent(equal)}.`];
    const largest = Math.max(...maps.filter(Boolean).flat());
    if (largest < top / 3) sentences.push(`The largest shown is ${percent(largest)}; \u201c${scales(view).patch}\u201d brings it out.`);
    this.bar.note.textContent = sentences.join(" ");
  }

  /** Second minus first, each token at its place: one model may have a class token, the other none. */
  ahead(place) {
    const maps = this.shown.spots.map((spot, n) => {
      const values = this.shown.pairs[n][place];
      return values && values.slice(spot.view === "relevance" ? 0 : spot.frame.prefix);
    });
    return maps[0] && maps[1] && maps[1].map((value, patch) => value - maps[0][patch]);
  }

  paintDifference() {
    const { spots, top } = this.shown;
    this.differences.forEach(({ canvas, element }, place) => {
      const ahead = this.ahead(place);
      element.hidden = !ahead;
      if (!ahead) return;
      this.drawing.map(canvas, spots[1].image, ahead, (value) => 0.5 + value / (2 * top), this.drawing.diverging);
      const largest = ahead.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
      const title = this.panes[1].squares[place + 1].heading.textContent;
      canvas.setAttribute("aria-label", `${title}, difference: largest ${points(largest)} points`);
    });
    [-top, 0, top].forEach((value, place) => (this.differenceBar.ticks[place].textContent = `${points(value)}${SPACE}points`));
  }

  paintGrid() {
    const { spots: [spot] } = this.shown;
    const { frame } = spot;
    const { scale, patch } = this.state;
    if (this.gridFor !== `${frame.layers},${frame.heads}`) this.buildGrid(frame);
    const chosen = this.gridColumn();
    const relevance = spot.view === "relevance";
    const tops = new Map(); // heads, means and rollouts are three kinds of numbers, each with its own scale
    this.thumbs.forEach(({ canvas, cell, view, layer, column }) => {
      const here = { ...spot, view, layer, head: Math.min(column, frame.heads - 1) };
      const values = frame.given(here, patch);
      const name = scale === "all" ? view : `${view},${layer},${scale === "layer" ? "" : column}`;
      if (!tops.has(name)) tops.set(name, this.scaleTop([here], [values]) || 1);
      const checked = !relevance && layer === spot.layer && column === chosen;
      const end = tops.get(name);
      const pixels = this.drawing.colored(values.slice(frame.prefix), (value) => value / end, this.drawing.sequential);
      canvas.getContext("2d").putImageData(pixels, 0, 0);
      cell.setAttribute("aria-checked", String(checked));
      cell.tabIndex = checked || (relevance && !layer && !column) ? 0 : -1;
    });
    const query = patch < 0 ? "the readout" : "this patch";
    this.gridTitle.textContent = `What ${query} attends to, by layer (down) and head (across)`;
  }

  /** What silencing each head does, and the note that explains it. */
  paintEffects() {
    const { spots: [spot] } = this.shown;
    const { frame } = spot;
    const best = strongest(frame.probabilities[spot.image], 1)[0];
    const name = this.payload.classes[best[1]];
    this.thumbs.forEach(({ effect, cell, view, layer, column }) => {
      let label = `layer ${layer + 1}, ${view === "head" ? `head ${column + 1}` : VIEWS[view]}`;
      if (view === "head") {
        const change = frame.silencedProbabilities({ ...spot, layer, head: column })[best[1]] - best[0];
        effect.textContent = points(change, 0);
        label += `; silencing it changes ${name} by ${points(change)} points`;
      }
      cell.setAttribute("aria-label", label);
    });
    const scale = { all: "All heads share one scale", layer: "Each layer has a scale of its own" }[this.state.scale] ?? "Each map has a scale of its own";
    const others = this.state.scale === "layer" || this.state.scale === "all" ? ", and so have means and rollouts" : "";
    this.gridNote.textContent = `Below a head: by how many points ${name} changes without it. ${scale}${others}.`;
  }

  buildGrid(frame) {
    this.gridFor = `${frame.layers},${frame.heads}`;
    this.told = null;
    this.thumbs = [];
    const columns = [...Array(frame.heads).fill("head"), "mean", "rollout"];
    const title = (text) => make("span", { class: "dlvc-head", "aria-hidden": "true" }, text);
    const cells = [title(""), ...columns.map((view, column) => title(view === "head" ? `${column + 1}` : view))];
    for (let layer = 0; layer < frame.layers; layer++) {
      cells.push(title(`${layer + 1}`));
      columns.forEach((view, column) => {
        const canvas = make("canvas", { width: this.payload.grid[1], height: this.payload.grid[0], "aria-hidden": "true" });
        canvas.style.width = `${frame.heads > 4 ? 0.7 * THUMB : THUMB}px`;
        const effect = make("span", { class: "dlvc-effect", "aria-hidden": "true" });
        const cell = make("button", { type: "button", class: "dlvc-thumb", role: "radio", onclick: () => this.choose(layer, column) }, canvas, effect);
        this.thumbs.push({ canvas, effect, cell, view, layer, column });
        cells.push(cell);
      });
    }
    this.grid.style.gridTemplateColumns = `repeat(${columns.length + 1}, auto)`;
    this.grid.replaceChildren(...cells);
  }

  paintPrediction() {
    const { spots: [spot] } = this.shown;
    const { frame } = spot;
    const intact = frame.probabilities[spot.image];
    const silenced = spot.view === "head" ? frame.silencedProbabilities(spot) : null;
    const truth = this.payload.images[spot.image].label;
    const rows = strongest(intact, 3).map(([value, place]) => [place, value]);
    if (truth !== null && !rows.some(([place]) => place === truth)) rows.push([truth, intact[truth]]);
    const head = ["class", silenced ? "intact" : "probability", ...(silenced ? ["silenced", "points"] : [])];
    const cells = ([place, value]) => {
      const name = `${this.payload.classes[place]}${place === truth ? " (true)" : ""}`;
      const change = silenced ? [percent(silenced[place]), points(silenced[place] - value)] : [];
      return [name, percent(value), ...change];
    };
    const table = make(
      "table",
      {},
      make("caption", {}, silenced ? `Prediction, with layer ${spot.layer + 1}, head ${spot.head + 1} silenced` : "Prediction"),
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells(row).map((text, n) => make(n ? "td" : "th", n ? {} : { scope: "row" }, text))))),
    );
    this.prediction.replaceChildren(table);
  }

  paintText(spots) {
    const text = spots.map((spot) => describe(this.payload, spot, this.state.patch)).join(" Compared with ");
    this.text.textContent = text;
    clearTimeout(this.speaking); // a pointer passes over many patches; only where it rests is read out
    this.speaking = setTimeout(() => (this.live.textContent = text), 300);
  }

  paintTables(spot, pair) {
    this.tables.hidden = !this.state.table;
    if (!this.state.table) return;
    const prefix = spot.view === "relevance" ? 0 : spot.frame.prefix;
    const [rows, columns] = this.payload.grid;
    const titles = [spot.view === "relevance" ? "Relevance" : "Attends to", "Is attended to by"];
    const tables = pair.map((values, place) => {
      if (!values) return null;
      const head = Array.from({ length: columns }, (_, column) => make("th", { scope: "col", "aria-label": `column ${column + 1}` }, `${column + 1}`));
      const body = Array.from({ length: rows }, (_, row) =>
        make(
          "tr",
          {},
          make("th", { scope: "row", "aria-label": `row ${row + 1}` }, `${row + 1}`),
          ...values.slice(prefix + row * columns, prefix + (row + 1) * columns).map((value) => make("td", {}, (100 * value).toFixed(2))),
        ),
      );
      const extra = prefix ? `; class token ${(100 * values[0]).toFixed(2)} %` : "";
      return make(
        "table",
        {},
        make("caption", {}, `${titles[place]}, in percent, row by row${extra}`),
        make("thead", {}, make("tr", {}, make("td"), ...head)),
        make("tbody", {}, ...body),
      );
    });
    this.tables.replaceChildren(...tables.filter(Boolean));
  }

  // PNG -----------------------------------------------------------------------------------------------------------

  /** All that is shown large, as one canvas. */
  picture() {
    const { spots, pairs, top } = this.shown;
    const words = ({ ticks }) => ticks.map((tick) => tick.textContent);
    const map = (title, spot, values, place, colors) => ({ title, draw: (canvas) => this.drawing.map(canvas, spot.image, values, place, colors) });
    const rows = spots.map((spot, n) => {
      const prefix = spot.view === "relevance" ? 0 : spot.frame.prefix;
      const { name, squares } = this.panes[n];
      const image = { title: this.payload.images[spot.image].name, draw: (canvas) => this.drawing.image(canvas, spot.image) };
      const maps = pairs[n].map(
        (values, place) => values && map(squares[place + 1].heading.textContent, spot, values.slice(prefix), (value) => value / top, this.drawing.sequential),
      );
      return { name: name.textContent, squares: [image, ...maps] };
    });
    const share = spots[0].view === "relevance" ? "share of relevance" : "share of attention";
    rows.at(-1).bar = { canvas: this.bar.canvas, ticks: words(this.bar), label: share };
    if (this.state.compare) {
      const maps = [0, 1].map((place) => {
        const ahead = this.ahead(place);
        return ahead && map("Second minus first", spots[1], ahead, (value) => 0.5 + value / (2 * top), this.drawing.diverging);
      });
      rows.push({ squares: [null, ...maps], bar: { canvas: this.differenceBar.canvas, ticks: words(this.differenceBar), label: `difference, ${share}` } });
    }
    return this.drawing.picture(rows, this.text.textContent);
  }

  savePicture() {
    this.picture().toBlob((blob) => {
      const link = make("a", { href: URL.createObjectURL(blob), download: "attention.png" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // not before the browser has read it
    });
  }

  remove() {
    clearInterval(this.timer);
    clearTimeout(this.speaking);
    this.host.off?.("change:state", this.onState);
  }
}

export default {
  render({ model, el }) {
    el.classList.add("dlvc-viewer");
    el.setAttribute("role", "group");
    el.setAttribute("aria-label", "Attention viewer");
    el.dataset.lmSuppressShortcuts = "true"; // JupyterLab's one-letter keys would run cells
    const viewer = new Viewer(model, el);
    return () => viewer.remove();
  },
};
