// What the attention viewer draws on canvases: images, maps over them, colour bars, and all of it as one picture to save.

import { decodeBytes } from "./attention_numbers.js";

export const SQUARE = 200; // CSS pixels that an image may be wide

export class Drawing {
  constructor(payload, loaded) {
    this.grid = payload.grid;
    this.scale = Math.max(1, Math.floor(SQUARE / payload.width)); // CSS pixels for a pixel of the image
    this.width = payload.width * this.scale;
    this.height = payload.height * this.scale;
    this.sequential = decodeBytes(payload.colors.sequential);
    this.diverging = decodeBytes(payload.colors.diverging);
    this.small = document.createElement("canvas"); // a map with one pixel a patch, drawn larger from here
    [this.small.height, this.small.width] = this.grid;
    this.marks = { patch: null, read: null, opacity: 1 }; // how every square is drawn; the viewer sets it
    this.pictures = payload.images.map(({ source }) => {
      const picture = new Image();
      picture.addEventListener("load", loaded);
      picture.src = source;
      return picture;
    });
  }

  /** A canvas for one square, with `fine` dots for each CSS pixel. */
  square(fine) {
    const canvas = document.createElement("canvas");
    canvas.width = this.width * fine;
    canvas.height = this.height * fine;
    canvas.fine = fine;
    return canvas;
  }

  image(canvas, image) {
    this.copy(canvas, image, "none");
    this.frames(canvas);
  }

  /** A map over the grey image: `place` says for each value where it lies in the colours, 0 to 1. */
  map(canvas, image, values, place, colors) {
    const { opacity } = this.marks;
    const context = canvas.getContext("2d");
    if (opacity < 1) this.copy(canvas, image, "grayscale(1)");
    this.small.getContext("2d").putImageData(this.colored(values, place, colors), 0, 0);
    context.imageSmoothingEnabled = false;
    context.globalAlpha = opacity;
    context.drawImage(this.small, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
    this.frames(canvas);
  }

  copy(canvas, image, filter) {
    const context = canvas.getContext("2d");
    const picture = this.pictures[image];
    if (!picture.complete || !picture.naturalWidth) return; // `loaded` paints again
    context.imageSmoothingEnabled = false;
    context.filter = filter;
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    context.filter = "none";
  }

  /** The pixels of a map, one a patch. */
  colored(values, place, colors) {
    const [rows, columns] = this.grid;
    const pixels = new ImageData(columns, rows);
    values.forEach((value, patch) => {
      const index = Math.round(255 * Math.min(Math.max(place(value), 0), 1));
      pixels.data.set(colors.subarray(3 * index, 3 * index + 3), 4 * patch);
      pixels.data[4 * patch + 3] = 255;
    });
    return pixels;
  }

  /** Black and white around the query patch and, dashed, around the one being read: visible on every colour. */
  frames(canvas) {
    const context = canvas.getContext("2d");
    const [rows, columns] = this.grid;
    const [height, width] = [canvas.height / rows, canvas.width / columns];
    const line = canvas.fine;
    context.lineWidth = line;
    for (const [patch, dashes] of [[this.marks.patch, []], [this.marks.read, [3 * line, 3 * line]]]) {
      if (patch === null || patch < 0) continue;
      const [x, y] = [(patch % columns) * width, Math.floor(patch / columns) * height];
      for (const [color, inset, dash] of [["#000000", line / 2, []], ["#ffffff", line * 1.5, dashes]]) {
        context.strokeStyle = color;
        context.setLineDash(dash);
        context.strokeRect(x + inset, y + inset, width - 2 * inset, height - 2 * inset);
      }
    }
    context.setLineDash([]);
  }

  /** A canvas with all colours from left to right. */
  bar(colors) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [256, 1];
    const pixels = new ImageData(256, 1);
    for (let index = 0; index < 256; index++) pixels.data.set([...colors.subarray(3 * index, 3 * index + 3), 255], 4 * index);
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas;
  }

  /**
   * Rows of squares with their colour bars and the text below, on white, with four dots for each CSS pixel. A row is
   * { name, squares: [{ title, draw } or null], bar: { canvas, ticks, label } or null }; `draw` draws on a canvas it is given.
   */
  picture(rows, text) {
    const [fine, gap, head, foot, lineHeight] = [4, 14, 22, 34, 15];
    const wide = 3 * this.width + 4 * gap;
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d");
    const font = (size, weight = "normal") => `${weight} ${size}px sans-serif`;
    context.font = font(11);
    const lines = wrapped(text, (line) => context.measureText(line).width < wide - 2 * gap);
    const tall = ({ name, bar }) => (name ? 18 : 0) + head + this.height + gap + (bar ? foot : 0);
    const high = gap + rows.reduce((total, row) => total + tall(row), 0) + lines.length * lineHeight + gap;
    [canvas.width, canvas.height] = [wide * fine, high * fine];
    context.scale(fine, fine);
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, wide, high);
    context.fillStyle = "#1f1f1f";
    const write = (line, x, y, weight, align = "left") => {
      context.font = font(weight ? 12 : 11, weight);
      context.textAlign = align;
      context.fillText(line, x, y);
    };
    let y = gap;
    for (const row of rows) {
      if (row.name) write(row.name, gap, y + 8);
      const top = y + (row.name ? 18 : 0);
      row.squares.forEach((each, column) => {
        if (!each) return;
        const x = gap + column * (this.width + gap);
        write(each.title, x, top + 12, "bold");
        const square = this.square(fine);
        each.draw(square);
        context.drawImage(square, x, top + head, this.width, this.height);
      });
      if (row.bar) {
        const [left, right, under] = [2 * gap + this.width, wide - gap, top + head + this.height + gap];
        context.imageSmoothingEnabled = true;
        write(row.bar.label, gap, under + 5);
        context.drawImage(row.bar.canvas, left, under - 4, right - left, 9);
        const places = [[left, "left"], [(left + right) / 2, "center"], [right, "right"]];
        row.bar.ticks.forEach((tick, n) => write(tick, places[n][0], under + 18, "", places[n][1]));
      }
      y += tall(row);
    }
    lines.forEach((line, n) => write(line, gap, y + 11 + lineHeight * n));
    return canvas;
  }
}

/** `text` in lines that are short enough. */
function wrapped(text, fits) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && fits(longer)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
