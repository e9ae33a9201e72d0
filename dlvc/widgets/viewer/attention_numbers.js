// The numbers of the attention viewer as they arrive (payload.py), and the sentences about them, which are those
// of reading.py. Nothing here knows of a page.

export function decodeBytes(text) {
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
export class Frame {
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

// Sentences ---------------------------------------------------------------------------------------------------------

export const SPACE = "\u00a0"; // keeps a number and its unit on one line
export const percent = (value) => `${(100 * value).toFixed(1)}${SPACE}%`;

/** A difference of shares, with its sign: "+1.2 points"; no sign for nothing. */
export function points(value, digits = 1) {
  const size = Math.abs(100 * value).toFixed(digits);
  return `${Number(size) === 0 ? "" : value < 0 ? "\u2212" : "+"}${size}`;
}

export function patchName(token, prefix, columns) {
  if (token < prefix) return "the class token";
  const patch = token - prefix;
  return `row ${Math.floor(patch / columns) + 1}, column ${(patch % columns) + 1}`;
}

export function strongest(values, count) {
  return values.map((value, place) => [value, place]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).slice(0, count);
}

/** Which map of a model a spot is, in words. */
export function place(spot, classes) {
  const layer = `layer ${spot.layer + 1} of ${spot.frame.layers}`;
  if (spot.view === "head") return [`${layer}`, `head ${spot.head + 1} of ${spot.frame.heads}`];
  if (spot.view === "mean") return [layer, `mean of ${spot.frame.heads} heads`];
  if (spot.view === "rollout") return [`rollout up to ${layer}`];
  return [classes ? `relevance for class ${classes[spot.class]}` : "relevance"];
}

/** The same sentences as `describe_spot` of reading.py. */
export function describe(payload, spot, patch) {
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
