"use strict";
// Counts the points in each cell at every change of the view: one pass over typed arrays, also for a million points.
const data = JSON.parse(document.getElementById("payload").textContent);
const byId = (id) => document.getElementById(id);
// Positions are 0..SIDE; up to DOTS points in view are dots; cells are CELL pixels wide.
const SIDE = 65536, MAX_ZOOM = 100, DOTS = 20000, MIN_OPACITY = 0.25, CELL = 2;

function bytes(text) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) out[at] = raw.charCodeAt(at);
  return out;
}
const xs = new Uint16Array(bytes(data.x).buffer), ys = new Uint16Array(bytes(data.y).buffer), codes = bytes(data.codes);
const bits = bytes(data.sampled), rows = data.rows && new Uint32Array(bytes(data.rows).buffer);
const isSampled = (at) => (bits[at >> 3] >> (at & 7)) & 1;
data.x = data.y = data.codes = data.sampled = data.rows = null;

const canvas = byId("plane"), pen = canvas.getContext("2d"), small = document.createElement("canvas");
const rgb = data.groups.map((group) => [1, 3, 5].map((from) => parseInt(group.color.slice(from, from + 2), 16)));
const visible = data.groups.map(() => true);
// The bounding box of all points: its centre, and its sides as shares of SIDE.
const box = [xs, ys].map((values) => [values.reduce((low, value) => Math.min(low, value), SIDE), values.reduce((high, value) => Math.max(high, value), 0)]);
const middle = box.map(([low, high]) => (low + high) / 2), shares = box.map(([low, high]) => Math.max(0.05, (high - low) / SIDE));
// The view: its centre, its zoom (1: the whole map), whether it waits to be drawn, and the points shown as dots.
let centre = middle, zoom = 1, waiting = false, seen = [];
let counts = new Float32Array(0), sums = [counts, counts, counts];

// Pixels of the canvas for each unit of position.
const scale = () => ((0.96 * Math.min(canvas.width / shares[0], canvas.height / shares[1])) / SIDE) * zoom;

function draw() {
  waiting = false;
  const began = performance.now();
  const [width, height] = [canvas.width, canvas.height], per = scale(), only = byId("only").checked;
  const left = centre[0] - width / 2 / per, top = centre[1] - height / 2 / per;
  const size = CELL * (window.devicePixelRatio || 1), across = Math.ceil(width / size), lines = Math.ceil(height / size);
  if (counts.length !== across * lines) {
    counts = new Float32Array(across * lines);
    sums = [0, 1, 2].map(() => new Float32Array(across * lines));
  } else [counts, ...sums].forEach((cells) => cells.fill(0));
  const [reds, greens, blues] = sums;
  let count = 0;
  seen = [];
  for (let at = 0; at < data.count; at++) {
    const code = codes[at];
    if (!visible[code] || (only && !isSampled(at))) continue;
    const px = ((xs[at] - left) * per) | 0, py = ((ys[at] - top) * per) | 0;
    if (px < 0 || py < 0 || px >= width || py >= height || xs[at] < left || ys[at] < top) continue;
    const cell = ((py / size) | 0) * across + ((px / size) | 0), color = rgb[code];
    counts[cell]++; reds[cell] += color[0]; greens[cell] += color[1]; blues[cell] += color[2];
    if (count++ < DOTS) seen.push(at);
  }
  pen.clearRect(0, 0, width, height);
  if (count <= DOTS) dots(left, top, per);
  else { seen = []; density(across, lines, size); }
  byId("status").textContent = `${count.toLocaleString("en")} points in view`;
  canvas.dataset.milliseconds = (performance.now() - began).toFixed(1);
}

function density(across, lines, size) {
  const [reds, greens, blues] = sums, image = pen.createImageData(across, lines), out = image.data;
  // The fullest 0.1 % of the cells are opaque: by the fullest alone, all others would be pale.
  const filled = counts.filter((count) => count > 0).sort(), most = Math.log(Math.max(2, filled[Math.floor(filled.length * 0.999)]));
  for (let cell = 0; cell < counts.length; cell++) {
    const count = counts[cell];
    if (!count) continue;
    const at = 4 * cell;
    out[at] = reds[cell] / count; out[at + 1] = greens[cell] / count; out[at + 2] = blues[cell] / count;
    out[at + 3] = 255 * (MIN_OPACITY + (1 - MIN_OPACITY) * Math.min(1, Math.log(count) / most));
  }
  [small.width, small.height] = [across, lines];
  small.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, across * size, lines * size);
}

function dots(left, top, per) {
  const radius = (seen.length > 5000 ? 1.5 : 3) * (window.devicePixelRatio || 1);
  pen.globalAlpha = 0.75;
  // In a scrambled order, so that no group covers the others.
  const step = 7919, count = seen.length;
  for (let turn = 0; turn < count; turn++) {
    const at = seen[count % step ? (turn * step) % count : turn];
    pen.fillStyle = data.groups[codes[at]].color;
    pen.beginPath();
    pen.arc((xs[at] - left) * per, (ys[at] - top) * per, radius, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function later() {
  byId("tip").hidden = true;
  if (!waiting) { waiting = true; requestAnimationFrame(draw); }
}

// Zooms about a position on the canvas, in pixels, which stays where it is.
function zoomBy(factor, px = canvas.width / 2, py = canvas.height / 2) {
  const before = scale(), offset = [px - canvas.width / 2, py - canvas.height / 2];
  zoom = Math.min(MAX_ZOOM, Math.max(0.8, zoom * factor));
  centre = centre.map((value, axis) => value + offset[axis] / before - offset[axis] / scale());
  later();
}

function move(dx, dy) {
  centre = [centre[0] - dx / scale(), centre[1] - dy / scale()].map((value) => Math.min(SIDE, Math.max(0, value)));
  later();
}

function fit() {
  const ratio = window.devicePixelRatio || 1, frame = byId("frame");
  canvas.width = Math.max(1, Math.round(frame.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(frame.clientHeight * ratio));
  later();
}

// The position of an event on the canvas, in pixels.
function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * (canvas.width / box.width), (event.clientY - box.top) * (canvas.height / box.height)];
}

function nameOf(at) {
  const group = data.groups[codes[at]].name;
  if (!isSampled(at)) return `${group}\nrow ${(rows ? rows[at] : at).toLocaleString("en")} of map.parquet (from 0), placed`;
  let before = 0;
  for (let other = 0; other < at; other++) before += isSampled(other);
  return `${group}\n${data.names[before]}, in the t-SNE sample`;
}

function point(event) {
  const [px, py] = place(event), per = scale(), tip = byId("tip"), reach = 8 * (window.devicePixelRatio || 1);
  let nearest = -1, least = reach * reach;
  for (const at of seen) {
    const dx = (xs[at] - centre[0]) * per + canvas.width / 2 - px, dy = (ys[at] - centre[1]) * per + canvas.height / 2 - py;
    if (dx * dx + dy * dy < least) { least = dx * dx + dy * dy; nearest = at; }
  }
  tip.hidden = nearest < 0;
  if (nearest < 0) return;
  tip.textContent = nameOf(nearest);
  const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  tip.style.left = x < box.width / 2 ? `${x + 12}px` : ""; tip.style.right = x < box.width / 2 ? "" : `${box.width - x + 12}px`;
  tip.style.top = `${Math.min(y + 12, box.height - 60)}px`;
}

// Fingers and mouse buttons that are down: one moves the map, two zoom.
const down = new Map();
const span = () => { const [a, b] = [...down.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
canvas.addEventListener("pointerdown", (event) => { down.set(event.pointerId, place(event)); canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
  const before = down.get(event.pointerId), now = place(event);
  if (!before) { point(event); return; }
  if (down.size === 1) { down.set(event.pointerId, now); move(now[0] - before[0], now[1] - before[1]); return; }
  const distance = span();
  down.set(event.pointerId, now);
  if (down.size === 2 && distance > 0) zoomBy(span() / distance, now[0], now[1]);
});
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => down.delete(event.pointerId));
canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(Math.exp(-event.deltaY / 400), ...place(event)); }, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const step = canvas.height / 8, moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (moves[event.key]) { event.preventDefault(); move(...moves[event.key]); }
  if (event.key === "+" || event.key === "-") zoomBy(event.key === "+" ? 1.5 : 1 / 1.5);
});
byId("closer").addEventListener("click", () => zoomBy(1.5));
byId("farther").addEventListener("click", () => zoomBy(1 / 1.5));
byId("whole").addEventListener("click", () => { centre = middle; zoom = 1; later(); });
byId("only").addEventListener("change", later);

data.groups.forEach((group, code) => {
  const label = document.createElement("label"), box = document.createElement("input"), mark = document.createElement("i");
  box.type = "checkbox"; box.checked = true; mark.style.background = group.color;
  box.addEventListener("change", () => { visible[code] = box.checked; later(); });
  label.append(box, mark, group.name);
  byId("legend").append(label);
});
new ResizeObserver(fit).observe(byId("frame"));
