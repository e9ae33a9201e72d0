// The attention-head viewer, as one module with two hosts: anywidget (traits in a live notebook) and a page of its own
// (page.py), which needs neither kernel nor network. A host hands over `model` with get, set, save_changes and on;
// "payload" holds the numbers (written by attention_payload.py), "state" is what is shown. All text reaches the page as text.
// Counting is from 0 in here and from 1 in everything a reader sees.

const SQUARE = 200; // CSS pixels that an image may be wide
const THUMB = 40; // and a small map of a head; narrower for many heads
const VIEWS = { head: "one head", mean: "mean of the heads", rollout: "rollout", relevance: "relevance" };
const SCALES = { patch: "this patch", head: "this head", layer: "this layer", all: "everything" };
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

// ---------------------------------------------------------------------------------------------------------- numbers

function decodeBytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function decodeFloats(text) {
  return new Float32Array(decodeBytes(text).buffer);
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Rows of numbers as bytes, each row with its own largest value: value = largest * byte / 255. */
class PackedRows {
  constructor({ bytes, largest, length }) {
    this.bytes = decodeBytes(bytes);
    this.largest = decodeFloats(largest);
    this.length = length;
  }

  value(row, place) {
    return (this.largest[row] * this.bytes[row * this.length + place]) / 255;
  }

  row(row) {
    return Array.from({ length: this.length }, (_, place) => this.value(row, place));
  }

  /** The largest value in `count` rows from `first`. */
  peak(first, count) {
    let peak = 0;
    for (let row = first; row < first + count; row++) peak = Math.max(peak, this.largest[row]);
    return peak;
  }
}

/** The maps of one model at one moment of its training. */
class Frame {
  constructor(data) {
    Object.assign(this, data); // name, layers, heads, tokens, prefix, probabilities
    this.weights = new PackedRows(data.weights);
    this.rollouts = new PackedRows(data.rollout);
    this.relevances = new PackedRows(data.relevance);
    this.silenced = decodeFloats(data.silenced);
    this.meanPeaks = new Map();
  }

  matrixStart(spot) {
    if (spot.view === "rollout") return (spot.image * this.layers + spot.layer) * this.tokens;
    return ((spot.image * this.layers + spot.layer) * this.heads + spot.head) * this.tokens;
  }

  /** Weight that token `query` gives to token `key`. */
  weight(spot, query, key) {
    if (spot.view === "rollout") return this.rollouts.value(this.matrixStart(spot) + query, key);
    if (spot.view === "head") return this.weights.value(this.matrixStart(spot) + query, key);
    const first = this.matrixStart({ ...spot, head: 0 });
    let total = 0;
    for (let head = 0; head < this.heads; head++) total += this.weights.value(first + head * this.tokens + query, key);
    return total / this.heads;
  }

  /** What patch (or -1: the readout) takes from each token. */
  given(spot, patch) {
    if (spot.view === "relevance") return this.relevances.row(spot.image * this.probabilities[0].length + spot.class);
    const keys = Array.from({ length: this.tokens }, (_, key) => key);
    if (patch >= 0 || this.prefix) {
      const query = patch >= 0 ? patch + this.prefix : 0;
      return keys.map((key) => this.weight(spot, query, key));
    }
    return keys.map((key) => sum(keys.map((query) => this.weight(spot, query, key))) / this.tokens);
  }

  /** What each token takes from patch (or -1: the class token); null where there is no such thing. */
  taken(spot, patch) {
    if (spot.view === "relevance" || (patch < 0 && !this.prefix)) return null;
    const key = patch >= 0 ? patch + this.prefix : 0;
    return Array.from({ length: this.tokens }, (_, query) => this.weight(spot, query, key));
  }

  /** The largest number of a scope: of this image's "head" or "layer", or of "all" layers in every image. */
  peak(spot, scope) {
    if (scope !== "all") return this.layerPeak({ ...spot, layer: Math.min(spot.layer, this.layers - 1) }, scope);
    let peak = 0;
    for (let image = 0; image < this.probabilities.length; image++) {
      for (let layer = 0; layer < this.layers; layer++) peak = Math.max(peak, this.layerPeak({ ...spot, image, layer }, scope));
    }
    return peak;
  }

  layerPeak(spot, scope) {
    if (spot.view === "relevance") {
      const classes = this.probabilities[0].length;
      const first = spot.image * classes;
      return scope === "head" ? this.relevances.peak(first + spot.class, 1) : this.relevances.peak(first, classes);
    }
    if (spot.view === "rollout") return this.rollouts.peak(this.matrixStart(spot), this.tokens);
    if (spot.view === "head" && scope === "head") return this.weights.peak(this.matrixStart(spot), this.tokens);
    if (spot.view === "head") return this.weights.peak(this.matrixStart({ ...spot, head: 0 }), this.heads * this.tokens);
    const name = `${spot.image},${spot.layer}`;
    if (!this.meanPeaks.has(name)) {
      let peak = 0;
      for (let query = 0; query < this.tokens; query++) {
        for (let key = 0; key < this.tokens; key++) peak = Math.max(peak, this.weight(spot, query, key));
      }
      this.meanPeaks.set(name, peak);
    }
    return this.meanPeaks.get(name);
  }

  silencedProbabilities(spot) {
    const classes = this.probabilities[0].length;
    const first = ((spot.image * this.layers + spot.layer) * this.heads + spot.head) * classes;
    return Array.from(this.silenced.subarray(first, first + classes));
  }
}

// --------------------------------------------------------------------------------------------------------- sentences

const SPACE = "\u00a0"; // keeps a number and its unit on one line
const percent = (value) => `${(100 * value).toFixed(1)}${SPACE}%`;

/** A difference of shares, with its sign: "+1.2 points"; no sign for nothing. */
function points(value, digits = 1) {
  const size = Math.abs(100 * value).toFixed(digits);
  return `${Number(size) === 0 ? "" : value < 0 ? "\u2212" : "+"}${size}`;
}

function patchName(token, prefix, columns) {
  if (token < prefix) return "the class token";
  const patch = token - prefix;
  return `row ${Math.floor(patch / columns) + 1}, column ${(patch % columns) + 1}`;
}

function strongest(values, count) {
  return values.map((value, place) => [value, place]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).slice(0, count);
}

/** Which map of a model a spot is, in words. */
function place(spot, classes) {
  const layer = `layer ${spot.layer + 1} of ${spot.frame.layers}`;
  if (spot.view === "head") return [`${layer}`, `head ${spot.head + 1} of ${spot.frame.heads}`];
  if (spot.view === "mean") return [layer, `mean of ${spot.frame.heads} heads`];
  if (spot.view === "rollout") return [`rollout up to ${layer}`];
  return [classes ? `relevance for class ${classes[spot.class]}` : "relevance"];
}

/** The same sentences as `describe` of attention_reading.py. */
function describe(payload, spot, patch) {
  const { frame, series } = spot;
  const columns = payload.grid[1];
  const prefix = spot.view === "relevance" ? 0 : frame.prefix;
  const list = (values) =>
    strongest(values, 5).map(([value, token]) => `${patchName(token, prefix, columns)} (${percent(value)})`).join("; ");
  const moment = series.frames.length > 1 ? `, ${frame.name}` : "";
  const where = `${series.name}${moment}, ${payload.images[spot.image].name}: ${place(spot, payload.classes).join(", ")}`;
  const sentences = [];
  if (spot.view === "relevance") {
    sentences.push(`Its largest shares: ${list(frame.given(spot, patch))}.`);
  } else {
    const readout = frame.prefix ? "the class token" : "the mean of all patches";
    const query = patch < 0 ? `Readout, ${readout},` : `Query patch ${patchName(patch, 0, columns)}`;
    sentences.push(`${query} attends most to: ${list(frame.given(spot, patch))}.`);
    const taken = frame.taken(spot, patch);
    if (taken) sentences.push(`It is attended to most by: ${list(taken)}.`);
    sentences.push(`Equal attention would be ${percent(1 / frame.tokens)}.`);
  }
  const best = strongest(frame.probabilities[spot.image], 1)[0];
  let prediction = `The model says ${payload.classes[best[1]]} (${percent(best[0])})`;
  if (spot.view === "head") prediction += `; with this head silenced ${percent(frame.silencedProbabilities(spot)[best[1]])}`;
  return `${where}. ${sentences.join(" ")} ${prediction}.`;
}

// ------------------------------------------------------------------------------------------------------------- page

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
    this.sequential = decodeBytes(this.payload.colors.sequential);
    this.diverging = decodeBytes(this.payload.colors.diverging);
    this.state = { ...host.get("state") };
    this.peaks = new Map();
    this.held = null; // the weight read out while a patch is held
    this.small = make("canvas"); // a map with one pixel a patch, drawn larger from here
    [this.small.height, this.small.width] = this.payload.grid;
    this.pictures = this.payload.images.map((each) => this.loadPicture(each.source));
    this.panes = ["", "2"].map((suffix) => this.buildPane(suffix));
    this.root.append(...this.build());
    this.onState = () => this.update(host.get("state"), { tell: false });
    host.on("change:state", this.onState);
    this.update({});
  }

  loadPicture(source) {
    const image = new Image();
    image.addEventListener("load", () => this.paint());
    image.src = source;
    return image;
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
    this.play = make("button", { type: "button", onclick: () => this.togglePlay() }, "Play");
    this.epochs = make("span", { class: "dlvc-field" }, labelled("Epoch", epoch), this.epochName, this.play);
    const opacity = make("input", { type: "range", min: "0", max: "100", step: "5" });
    opacity.addEventListener("input", () => this.update({ opacity: Number(opacity.value) / 100 }));
    this.controls.opacity = opacity;

    const top = make(
      "div",
      { class: "dlvc-row" },
      this.select("image", numbered(this.payload.images.map((each) => each.name)), "Image"),
      this.select("model", numbered(this.series.map((each) => each.name)), "Model", { hidden: this.series.length < 2 }),
      this.epochs,
    );
    this.classField = this.select("class", numbered(this.payload.classes), "for class");
    const middle = make(
      "div",
      { class: "dlvc-row" },
      this.select("view", Object.entries(VIEWS), "Show"),
      this.classField,
      this.select("layer", numbered(Array.from({ length: frames[0].layers }, (_, l) => `${l + 1}`)), "Layer"),
      this.select("head", numbered(Array.from({ length: frames[0].heads }, (_, h) => `${h + 1}`)), "Head"),
      this.select("scale", Object.entries(SCALES), "Largest colour for"),
      labelled("Map over image", opacity),
    );
    this.readoutButton = make("button", { type: "button", onclick: () => this.update({ patch: -1 }) }, "Readout");
    this.compareButton = make("button", { type: "button", onclick: () => this.update({ compare: !this.state.compare }) }, "Compare");
    this.tableButton = make("button", { type: "button", onclick: () => this.update({ table: !this.state.table }) }, "Table");
    const buttons = make(
      "div",
      { class: "dlvc-row" },
      this.readoutButton,
      this.compareButton,
      this.tableButton,
      make("button", { type: "button", onclick: () => this.savePicture() }, "Save PNG"),
      make(
        "details",
        { class: "dlvc-keys" },
        make("summary", {}, "Keys"),
        make("dl", {}, ...KEYS.flatMap(([key, what]) => [make("dt", {}, key), make("dd", {}, what)])),
      ),
    );
    this.compared = make("div", { class: "dlvc-compared" }, this.buildSecondControls(), this.panes[1].element, this.buildDifference());
    this.grid = make("div", { class: "dlvc-grid", role: "radiogroup", "aria-label": "Layers and heads" });
    this.grid.addEventListener("keydown", (event) => this.gridKey(event));
    this.gridTitle = make("div", { class: "dlvc-title" });
    this.gridNote = make("div", { class: "dlvc-note" });
    this.prediction = make("div", { class: "dlvc-prediction" });
    this.bar = this.buildBar("dlvc-bar");
    this.text = make("p", { class: "dlvc-text" });
    this.live = make("div", { class: "dlvc-unseen", "aria-live": "polite" });
    this.tables = make("div", { class: "dlvc-tables", tabindex: "0", role: "region", "aria-label": "Table of the numbers" });
    this.root.addEventListener("keydown", (event) => this.key(event));
    const left = make("div", { class: "dlvc-left" }, this.panes[0].element, this.bar.element, this.compared, this.text, buttons);
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

  buildBar(name) {
    const canvas = make("canvas", { width: 256, height: 1, "aria-hidden": "true" });
    const ticks = [0, 1, 2].map(() => make("span"));
    const note = make("span", { class: "dlvc-note" });
    const element = make("div", { class: name }, canvas, make("div", { class: "dlvc-ticks" }, ...ticks), note);
    return { element, canvas, ticks, note };
  }

  square(title) {
    const { width, height } = this.payload;
    const scale = Math.max(1, Math.floor(SQUARE / width));
    const fine = Math.max(2, Math.ceil(window.devicePixelRatio || 1)); // sharp when zoomed in, too
    const canvas = make("canvas", { width: width * scale * fine, height: height * scale * fine, role: "img" });
    canvas.style.width = `${width * scale}px`;
    canvas.fine = fine;
    const extra = make("span", { class: "dlvc-extra" });
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
    this.differences = ["Attends to: difference", "Is attended to by: difference"].map((title) => this.square(title));
    this.differenceBar = this.buildBar("dlvc-bar");
    const squares = this.differences.map((each) => each.element);
    const note = "Second minus first. Purple: less in the second. Orange: more.";
    const pane = make("div", { class: "dlvc-pane" }, make("div", { class: "dlvc-square dlvc-note" }, note), ...squares);
    pane.firstChild.style.width = squares[0].querySelector("canvas").style.width;
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
      this.host.set("state", { ...this.state });
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
    if (!this.panes || !this.bar) return; // a picture may arrive before the page is built
    const { patch, compare } = this.state;
    const spots = compare ? [this.spot(), this.spot("2")] : [this.spot()];
    const pairs = spots.map((spot) => [spot.frame.given(spot, patch), spot.frame.taken(spot, patch)]);
    const top = this.scaleTop(spots, pairs.flat()) || 1;
    this.shown = { spots, pairs, top };
    spots.forEach((spot, place) => this.paintPane(this.panes[place], spot, pairs[place], top));
    this.paintBar(this.bar, this.sequential, [0, top / 2, top], spots[0]);
    if (compare) this.paintDifference(spots, pairs, top);
    this.paintGrid(spots[0], top);
    this.paintPrediction(spots[0]);
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
    this.paintImage(squares[0].canvas, spot.image);
    squares[0].canvas.setAttribute("aria-label", label === null ? name : `${name}, an image of class ${this.payload.classes[label]}`);
    [given, taken].forEach((values, number) => {
      const { canvas, extra, heading } = squares[number + 1];
      canvas.hidden = !values;
      if (!values) return;
      this.paintMap(canvas, spot.image, values.slice(prefix), (value) => value / top, this.sequential);
      canvas.setAttribute("aria-label", `${heading.textContent}: largest ${percent(Math.max(...values))}`);
      const parts = [];
      if (prefix) parts.push(`class token ${percent(values[0])}`);
      if (this.held !== null) parts.push(`${patchName(this.held, 0, this.payload.grid[1])}: ${(100 * values[prefix + this.held]).toFixed(2)}${SPACE}%`);
      extra.textContent = parts.join(" · ");
    });
    squares[0].extra.textContent = this.state.hold ? "held: click it again to let go" : "";
  }

  paintImage(canvas, image, { grey = false } = {}) {
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.globalAlpha = 1;
    context.filter = grey ? "grayscale(1)" : "none";
    const picture = this.pictures[image];
    if (picture.complete && picture.naturalWidth) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    context.filter = "none";
    if (!grey) this.frame(canvas);
  }

  paintMap(canvas, image, values, place, colors) {
    const context = canvas.getContext("2d");
    if (this.state.opacity < 1) this.paintImage(canvas, image, { grey: true });
    context.imageSmoothingEnabled = false;
    context.globalAlpha = this.state.opacity;
    context.drawImage(this.colored(values, place, colors), 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
    this.frame(canvas);
  }

  /** A canvas with one pixel a patch: `place` says for each value where it lies in the scale, 0 to 1. */
  colored(values, place, colors) {
    const context = this.small.getContext("2d");
    const pixels = context.createImageData(this.small.width, this.small.height);
    values.forEach((value, patch) => {
      const index = Math.round(255 * Math.min(Math.max(place(value), 0), 1));
      pixels.data.set(colors.subarray(3 * index, 3 * index + 3), 4 * patch);
      pixels.data[4 * patch + 3] = 255;
    });
    context.putImageData(pixels, 0, 0);
    return this.small;
  }

  /** Black on white around the query patch and, dashed, around the one being read: visible on every colour. */
  frame(canvas) {
    const context = canvas.getContext("2d");
    const [rows, columns] = this.payload.grid;
    const [height, width] = [canvas.height / rows, canvas.width / columns];
    for (const [patch, dashes] of [[this.state.patch, []], [this.held, [3, 3]]]) {
      if (patch === null || patch < 0) continue;
      const line = canvas.fine;
      const box = [(patch % columns) * width, Math.floor(patch / columns) * height, width, height];
      context.setLineDash([]);
      for (const [color, inset] of [["#000000", line / 2], ["#ffffff", line * 1.5]]) {
        context.strokeStyle = color;
        context.lineWidth = line;
        if (color === "#ffffff") context.setLineDash(dashes.map((dash) => dash * line));
        context.strokeRect(box[0] + inset, box[1] + inset, box[2] - 2 * inset, box[3] - 2 * inset);
      }
      context.setLineDash([]);
    }
  }

  paintBar(bar, colors, values, spot) {
    const context = bar.canvas.getContext("2d");
    const pixels = context.createImageData(256, 1);
    for (let index = 0; index < 256; index++) pixels.data.set([...colors.subarray(3 * index, 3 * index + 3), 255], 4 * index);
    context.putImageData(pixels, 0, 0);
    const signed = values[0] < 0;
    values.forEach((value, place) => {
      bar.ticks[place].textContent = signed ? `${points(value)}${SPACE}points` : percent(value);
    });
    const uniform = spot.view === "relevance" ? 1 / this.patches : 1 / spot.frame.tokens;
    const scope = spot.view === "relevance" && this.state.scale !== "all" ? "" : ` The scale ends at the largest of ${SCALES[this.state.scale]}.`;
    bar.note.textContent = signed ? "" : `equal: ${percent(uniform)}, top of scale: ${(values[2] / uniform).toFixed(1)} × that.${scope}`;
  }

  paintDifference(spots, pairs, top) {
    const possible = pairs[0][0].length - spots[0].frame.prefix === pairs[1][0].length - spots[1].frame.prefix || spots[0].view === "relevance";
    this.difference.hidden = !possible;
    this.differences.forEach(({ canvas, element }, place) => {
      const [first, second] = [pairs[0][place], pairs[1][place]];
      element.hidden = !(first && second);
      if (!first || !second) return;
      const prefixes = spots.map((spot) => (spot.view === "relevance" ? 0 : spot.frame.prefix));
      const ahead = second.slice(prefixes[1]).map((value, patch) => value - first[patch + prefixes[0]]);
      this.paintMap(canvas, spots[1].image, ahead, (value) => 0.5 + value / (2 * top), this.diverging);
      const largest = ahead.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
      canvas.setAttribute("aria-label", `Difference: largest ${points(largest)} points`);
    });
    this.paintBar(this.differenceBar, this.diverging, [-top, 0, top], spots[0]);
  }

  paintGrid(spot, top) {
    const { frame } = spot;
    const columns = frame.heads + 2;
    if (this.grid.childElementCount !== (columns + 1) * (frame.layers + 1) || this.gridHeads !== frame.heads) this.buildGrid(frame);
    const best = strongest(frame.probabilities[spot.image], 1)[0];
    const chosen = this.gridColumn();
    const relevance = spot.view === "relevance";
    const scales = new Map(); // heads, means and rollouts are three kinds of numbers, each with its own scale
    this.thumbs.forEach(({ canvas, effect, cell, layer, column }) => {
      const view = column < frame.heads ? "head" : column === frame.heads ? "mean" : "rollout";
      const here = { ...spot, view, layer, head: Math.min(column, frame.heads - 1) };
      const values = frame.given(here, this.state.patch);
      const scope = this.state.scale;
      const name = scope === "all" ? view : `${view},${layer},${scope === "layer" ? "" : column}`;
      if (!scales.has(name)) scales.set(name, scope === "patch" ? Math.max(...values) : this.scaleTop([here], [values]) || 1);
      const own = !relevance && scope !== "patch" && view === spot.view && layer === spot.layer && column === chosen ? top : scales.get(name);
      const context = canvas.getContext("2d");
      context.drawImage(this.colored(values.slice(frame.prefix), (value) => value / own, this.sequential), 0, 0);
      const checked = !relevance && layer === spot.layer && column === chosen;
      cell.setAttribute("aria-checked", String(checked));
      cell.tabIndex = checked || (relevance && !layer && !column) ? 0 : -1;
      let label = `layer ${layer + 1}, ${view === "head" ? `head ${column + 1}` : VIEWS[view]}`;
      if (view === "head") {
        const change = frame.silencedProbabilities(here)[best[1]] - best[0];
        effect.textContent = points(change, 0);
        label += `; silencing it changes ${this.payload.classes[best[1]]} by ${points(change)} points`;
      }
      cell.setAttribute("aria-label", label);
    });
    this.gridTitle.textContent = `${this.state.patch < 0 ? "What the readout" : "What this patch"} attends to, in each layer and head`;
    this.gridNote.textContent = `Below a head: by how many points ${this.payload.classes[best[1]]} changes without it. Mean and rollout have scales of their own.`;
  }

  buildGrid(frame) {
    const columns = frame.heads + 2;
    this.gridHeads = frame.heads;
    this.thumbs = [];
    const cells = [make("span")];
    for (let head = 0; head < frame.heads; head++) cells.push(make("span", { class: "dlvc-head" }, `${head + 1}`));
    cells.push(make("span", { class: "dlvc-head" }, "mean"), make("span", { class: "dlvc-head" }, "rollout"));
    for (let layer = 0; layer < frame.layers; layer++) {
      cells.push(make("span", { class: "dlvc-head" }, `${layer + 1}`));
      for (let column = 0; column < columns; column++) {
        const canvas = make("canvas", { width: this.payload.grid[1], height: this.payload.grid[0], "aria-hidden": "true" });
        canvas.style.width = `${frame.heads > 4 ? 0.7 * THUMB : THUMB}px`;
        const effect = make("span", { class: "dlvc-effect", "aria-hidden": "true" });
        const cell = make("button", { type: "button", class: "dlvc-thumb", role: "radio", onclick: () => this.choose(layer, column) }, canvas, effect);
        this.thumbs.push({ canvas, effect, cell, layer, column });
        cells.push(cell);
      }
    }
    this.grid.style.gridTemplateColumns = `auto repeat(${columns}, auto)`;
    for (const cell of cells) if (!cell.getAttribute("role")) cell.setAttribute("aria-hidden", "true");
    this.grid.replaceChildren(...cells);
  }

  paintPrediction(spot) {
    const { frame } = spot;
    const intact = frame.probabilities[spot.image];
    const silenced = spot.view === "head" ? frame.silencedProbabilities(spot) : null;
    const truth = this.payload.images[spot.image].label;
    const rows = strongest(intact, 3).map(([value, place]) => [place, value]);
    if (truth !== null && !rows.some(([place]) => place === truth)) rows.push([truth, intact[truth]]);
    const head = ["class", "says", ...(silenced ? ["head silenced", "points"] : [])];
    const cells = ([place, value]) => {
      const name = `${this.payload.classes[place]}${place === truth ? " (true)" : ""}`;
      const change = silenced ? [percent(silenced[place]), points(silenced[place] - value)] : [];
      return [name, percent(value), ...change];
    };
    const table = make(
      "table",
      {},
      make("caption", {}, silenced ? `Prediction, and with layer ${spot.layer + 1}, head ${spot.head + 1} silenced` : "Prediction"),
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
      const head = Array.from({ length: columns }, (_, column) => make("th", { scope: "col" }, `column ${column + 1}`));
      const body = Array.from({ length: rows }, (_, row) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, `row ${row + 1}`),
          ...values.slice(prefix + row * columns, prefix + (row + 1) * columns).map((value) => make("td", {}, (100 * value).toFixed(2))),
        ),
      );
      const extra = prefix ? `; class token ${(100 * values[0]).toFixed(2)} %` : "";
      return make(
        "table",
        {},
        make("caption", {}, `${titles[place]}, in percent${extra}`),
        make("thead", {}, make("tr", {}, make("td"), ...head)),
        make("tbody", {}, ...body),
      );
    });
    this.tables.replaceChildren(...tables.filter(Boolean));
  }

  // PNG -----------------------------------------------------------------------------------------------------------

  /** The panes with their colour bars and the sentences below, four times as fine as on the screen. */
  picture() {
    const fine = 4;
    const { spots, pairs, top } = this.shown;
    const { width, height } = this.payload;
    const scale = Math.max(1, Math.floor(SQUARE / width));
    const [side, tall] = [width * scale, height * scale];
    const gap = 14;
    const rows = spots.length + (this.state.compare ? 1 : 0);
    const wide = 3 * side + 4 * gap;
    const canvas = make("canvas", { width: wide * fine });
    const words = this.text.textContent.split(" ");
    const context = canvas.getContext("2d");
    const font = (size, weight = "normal") => `${weight} ${size}px sans-serif`;
    context.font = font(11);
    const lines = [];
    for (const word of words) {
      const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
      if (lines.length && context.measureText(longer).width < wide - 2 * gap) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    const rowHeight = tall + 24 + gap;
    canvas.height = (rows * (rowHeight + 16) + rows * 20 + 40 + lines.length * 15 + gap) * fine;
    context.scale(fine, fine);
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, wide, canvas.height / fine);
    const write = (text, x, y, size = 11, weight = "normal", align = "left") => {
      context.fillStyle = "#222222";
      context.textAlign = align;
      context.font = font(size, weight);
      context.fillText(text, x, y);
    };
    const sharp = (draw) => {
      const square = make("canvas", { width: side * fine, height: tall * fine });
      square.fine = fine;
      draw(square);
      return square;
    };
    const put = (square, title, column, y) => {
      const x = gap + column * (side + gap);
      write(title, x, y + 14, 12, "bold");
      context.drawImage(square, x, y + 20, side, tall);
    };
    let y = gap / 2;
    spots.forEach((spot, place) => {
      const prefix = spot.view === "relevance" ? 0 : spot.frame.prefix;
      if (this.state.compare) write(this.panes[place].name.textContent, gap, (y += 16));
      put(sharp((square) => this.paintImage(square, spot.image)), this.payload.images[spot.image].name, 0, y);
      pairs[place].forEach((values, n) => {
        if (!values) return;
        const title = this.panes[place].squares[n + 1].heading.textContent;
        put(sharp((square) => this.paintMap(square, spot.image, values.slice(prefix), (value) => value / top, this.sequential)), title, n + 1, y);
      });
      y += rowHeight;
    });
    const bar = ({ canvas: colors, ticks }, y) => {
      context.imageSmoothingEnabled = true;
      context.drawImage(colors, 2 * gap + side, y, 2 * side + gap, 9);
      const ends = [[2 * gap + side, "left"], [2 * gap + side + (2 * side + gap) / 2, "center"], [3 * gap + 3 * side, "right"]];
      ticks.forEach((tick, n) => write(tick.textContent, ends[n][0], y + 22, 11, "normal", ends[n][1]));
    };
    bar(this.bar, y);
    y += 40;
    if (this.state.compare && !this.difference.hidden) {
      this.differences.forEach(({ canvas: drawn, element, heading }, n) => {
        if (!element.hidden) put(drawn, heading.textContent, n + 1, y);
      });
      y += rowHeight;
      bar(this.differenceBar, y);
      y += 40;
    }
    lines.forEach((line, n) => write(line, gap, y + 12 + 15 * n));
    return canvas;
  }

  savePicture() {
    this.picture().toBlob((blob) => {
      const link = make("a", { href: URL.createObjectURL(blob), download: "attention.png" });
      link.click();
      URL.revokeObjectURL(link.href);
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
