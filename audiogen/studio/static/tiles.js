// Tiles of peaks and spectrograms: fetched once, drawn at any zoom.
import * as api from "./api.js";
import { table } from "./table.js";

const PEAKS = 512, COLUMNS = 256;
const KEPT = 600;
const cache = new Map();
let changed = () => {};
export const onTile = (callback) => { changed = callback; };
export const forget = () => { cache.clear(); loudest = 0; };

const FULL = 32767, MAX_GAIN = 16;
let loudest = 0; // peak of what has been seen of the recording: all lanes are drawn with one gain, by which that fills its row

function get(kind, lane, level, index) {
  const key = `${kind}:${lane.id}:${lane.stamp}:${level}:${index}`;
  const known = cache.get(key);
  if (known) return known.tile;
  if (cache.size > KEPT) cache.delete(cache.keys().next().value);
  const entry = { tile: null };
  cache.set(key, entry);
  api.tile(kind, table.name, lane.take?.id ?? null, level, index, lane.stamp || "0")
    .then((tile) => {
      entry.tile = tile;
      if (kind === "peaks" && lane.id === "prompt") for (const value of tile.values) loudest = Math.max(loudest, Math.abs(value));
      changed();
      if (tile.estimate) setTimeout(() => { cache.delete(key); changed(); }, 1500);
    })
    .catch(() => setTimeout(() => cache.delete(key), 2000));
  return null;
}

const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const STOPS = {
  dark: [[16, 20, 30], [46, 34, 92], [140, 50, 110], [228, 108, 72], [252, 214, 120], [255, 250, 224]],
  light: [[250, 251, 252], [206, 224, 238], [128, 178, 210], [58, 116, 170], [30, 62, 116], [12, 22, 54]],
};

function palette() {
  const stops = STOPS[dark() ? "dark" : "light"];
  return Array.from({ length: 256 }, (_, value) => {
    const at = (value / 255) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
    return stops[low].map((start, k) => start + (stops[low + 1][k] - start) * (at - low));
  });
}

function picture(tile) {
  const theme = dark() ? "dark" : "light";
  if (tile.picture && tile.theme === theme) return tile.picture;
  const rows = tile.values.length / tile.columns;
  const canvas = new OffscreenCanvas(tile.columns, rows), drawing = canvas.getContext("2d");
  const image = drawing.createImageData(tile.columns, rows), colours = palette();
  tile.values.forEach((value, k) => image.data.set([...colours[value], 255], 4 * k));
  drawing.putImageData(image, 0, 0);
  Object.assign(tile, { picture: canvas, theme });
  return canvas;
}

/** Draw the visible part of a lane's spectrogram between two heights of its canvas. */
export function drawSpectrogram(drawing, lane, width, top, height) {
  const each = (table.view.seconds * table.rate) / width;
  const level = Math.max(0, Math.min(26, Math.floor(Math.log2(Math.max(each * 1.5, 64)))));
  forTiles(lane, level, COLUMNS, (index, place) => {
    const tile = get("spectrogram", lane, level, index);
    if (tile?.columns) drawing.drawImage(picture(tile), place(0), top, place(tile.columns) - place(0), height);
  }, width);
}

/** Draw the visible part of a lane's waveform, up to two channels one above the other. */
export function drawPeaks(drawing, lane, width, top, height, colour, tailColour) {
  const each = (table.view.seconds * table.rate) / width;
  const level = Math.max(0, Math.min(26, Math.floor(Math.log2(Math.max(each, 1)))));
  const rows = Math.min(table.channels, 2), tall = height / rows;
  const half = tall * 0.48, scale = (half / FULL) * (loudest ? Math.min(FULL / loudest, MAX_GAIN) : 1);
  const drawn = (value) => Math.max(-half, Math.min(half, value * scale));
  forTiles(lane, level, PEAKS, (index, place) => {
    const tile = get("peaks", lane, level, index);
    if (!tile?.columns) return;
    const thick = Math.max(place(1) - place(0), 1);
    for (let row = 0; row < rows; row++) {
      const middle = top + tall * (row + 0.5);
      for (let column = 0; column < tile.columns; column++) {
        const x = place(column);
        if (x < -thick || x > width) continue;
        const at = 2 * (row * tile.columns + column), low = tile.values[at], high = tile.values[at + 1];
        const sample = (index * PEAKS + column) * 2 ** level;
        drawing.fillStyle = lane.take && sample >= lane.join ? tailColour : colour;
        drawing.fillRect(x, middle - drawn(high), thick, Math.max(drawn(high) - drawn(low), 1));
      }
    }
  }, width);
}

function forTiles(lane, level, columns, draw, width) {
  const size = columns * 2 ** level, { view, rate } = table;
  const first = Math.max(0, Math.floor(((view.start - lane.offset) * rate) / size));
  const last = Math.floor((Math.min((view.start + view.seconds - lane.offset) * rate, lane.length - 1)) / size);
  for (let index = first; index <= last; index++) {
    const place = (column) =>
      ((lane.offset + ((index * columns + column) * 2 ** level) / rate - view.start) / view.seconds) * width;
    draw(index, place);
  }
}
