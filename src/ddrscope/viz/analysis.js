"use strict";
// Draws the t-SNE plane of a layer and the measures against depth from the payload, and keeps both on the same layer.
const data = JSON.parse(document.getElementById("payload").textContent);
const byId = (id) => document.getElementById(id);
const { colors, markers } = data.style;
const layout = { margin: { l: 60, r: 10, t: 10, b: 45 }, font: { size: 13 }, hovermode: "closest", legend: { orientation: "h", y: -0.12 } };
const config = { responsive: true, displaylogo: false };
// Plotly reads texts as markup.
const asText = (text) => text.replaceAll("<", "‹").replaceAll(">", "›");

// What can be chosen: each network, then each control that has planes.
const subjects = [];
for (const plane of data.planes) {
  const label = plane.control ? `${plane.network} (control: ${plane.control.replace("_", " ")})` : plane.network;
  if (!subjects.some((subject) => subject.label === label)) subjects.push({ label, network: plane.network, control: plane.control });
}

function fill(select, options, wanted) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => String(value) === wanted)) select.value = wanted;
}

const subject = () => subjects[Number(byId("network").value)];
const planesOf = (chosen) => data.planes.filter((plane) => plane.network === chosen.network && plane.control === chosen.control);

function chooseSubject() {
  const planes = planesOf(subject());
  const layers = [...new Set(planes.map((plane) => plane.layer))];
  const views = [...new Set(planes.map((plane) => plane.view))];
  const before = byId("layer").value;
  fill(byId("layer"), layers.map((layer) => [layer, layer]), layers.includes(before) ? before : layers[layers.length - 1]);
  fill(byId("view"), views.map((view) => [view, view]), byId("view").value);
  drawMap();
}

// One trace for each value that has a colour; levels share one trace with a colour scale.
function traces(plane, by) {
  const points = plane.rows.map((row) => data.points[row]);
  const column = { image: 0, photo: 1, degradation: 2, level: 3 }[by];
  const trace = (name, chosen, marker) => ({
    type: "scatter", mode: "markers", name, hoverinfo: "none",
    x: chosen.map((at) => plane.x[at]), y: chosen.map((at) => plane.y[at]), customdata: chosen.map((at) => plane.rows[at]),
    marker: { size: 9, line: { width: 0.5, color: "#fff" }, ...marker },
  });
  const all = points.map((_, at) => at);
  if (by === "level") {
    const levels = points.map((point) => point[3]);
    return [trace("level", all, { color: levels, colorscale: "Viridis", showscale: true, colorbar: { title: { text: "level" } } })];
  }
  const values = by === "degradation" ? data.groups : [...new Set(points.map((point) => point[column]))];
  return values.map((value, index) => {
    const turn = Math.floor(index / colors.length);
    const style = { color: colors[index % colors.length], symbol: markers[(index + turn) % markers.length] };
    return trace(value, all.filter((at) => points[at][column] === value), style);
  }).filter((each) => each.x.length);
}

function drawMap() {
  const chosen = subject();
  const [layer, view, by] = ["layer", "view", "color"].map((id) => byId(id).value);
  const plane = planesOf(chosen).find((each) => each.layer === layer && each.view === view);
  const axis = { showticklabels: false, zeroline: false, showgrid: false, title: { text: "" }, linecolor: "#999", mirror: true };
  const many = by === "image" || by === "photo";
  const shown = traces(plane, by).map((each) => ({ ...each, name: asText(each.name) }));
  Plotly.react("map", shown, {
    ...layout, margin: { l: 10, r: 10, t: 10, b: 10 }, showlegend: !many && by !== "level",
    xaxis: axis, yaxis: { ...axis, scaleanchor: "x" },
  }, config).then(() => {
    const map = byId("map");
    map.removeAllListeners("plotly_hover");
    map.on("plotly_hover", (event) => showPoint(event.points[0].customdata));
  });
  describe(chosen, layer, view);
  drawCurves();
}

function showPoint(row) {
  const [image, photo, degradation, level] = data.points[row];
  const thumbnail = data.thumbnails[`${image}\n${degradation}`];
  byId("thumbnail").src = thumbnail ? `data:image/jpeg;base64,${thumbnail}` : "";
  byId("caption").textContent = `${image}\n${degradation}` + (photo === image ? "" : `\nphotograph ${photo}`) + (level === null ? "" : `\nlevel ${level}`);
}

function layerOf(chosen, layer, view) {
  const same = (entry) => (chosen.control ? entry.kind === chosen.control && entry.network === chosen.network : entry.name === chosen.network);
  const entry = (chosen.control ? data.controls : data.networks).find(same);
  return entry && entry.layers.find((row) => row.layer === layer && row.view === view);
}

// A measure of a layer is [value, low, high, text]; value and ends are null where they are not available.
const [VALUE, LOW, HIGH, TEXT] = [0, 1, 2, 3];

function describe(chosen, layer, view) {
  const row = layerOf(chosen, layer, view);
  if (!row) { byId("numbers").textContent = ""; return; }
  const parts = ["chi_pca", "chi_content_pca", ...(data.balanced ? ["degradation_share", "content_share"] : []), "knn_accuracy"];
  byId("numbers").textContent = parts.map((key) => `${data.measures[key]}: ${row.measures[key][TEXT]}`).join(" · ") + ` · n = ${row.n}, k = ${row.k}`;
}

function drawCurves() {
  const measure = byId("measure").value;
  const view = byId("view").value;
  const chosen = subject();
  const curves = [];
  const random = data.controls.filter((control) => control.kind === "random_weights");
  [...random, ...data.networks].forEach((entry) => {
    const index = data.networks.indexOf(entry);
    const color = index < 0 ? data.style.control : colors[index % colors.length];
    const rows = entry.layers.filter((row) => row.view === view && row.measures[measure][VALUE] !== null);
    const x = rows.map((row) => row.depth);
    const [low, high] = [LOW, HIGH].map((end) => rows.map(({ measures }) => measures[measure][end] ?? measures[measure][VALUE]));
    curves.push({ x: [...x, ...x.slice().reverse()], y: [...high, ...low.slice().reverse()], fill: "toself", fillcolor: color + "33", line: { width: 0 }, hoverinfo: "skip", showlegend: false, mode: "lines" });
    curves.push({
      x, y: rows.map((row) => row.measures[measure][VALUE]), mode: "lines+markers", name: asText(entry.name),
      line: { color, dash: index < 0 ? "dash" : "solid" },
      marker: {
        symbol: index < 0 ? "circle-open" : markers[index % markers.length],
        size: rows.map((row) => (index >= 0 && entry.name === chosen.network && !chosen.control && row.layer === byId("layer").value ? 14 : 7)),
      },
      customdata: rows.map((row) => [index, row.layer]),
      text: rows.map((row) => asText(`${row.layer}: ${row.measures[measure][TEXT]}`)), hoverinfo: "text+name",
    });
  });
  Plotly.react("curves", curves, {
    ...layout, margin: { l: 70, r: 10, t: 10, b: 90 }, legend: { orientation: "h", y: -0.25 },
    xaxis: { title: { text: "depth (1 = last HR layer)" } },
    yaxis: { title: { text: data.measures[measure] }, type: measure.startsWith("chi") ? "log" : "linear" },
  }, config).then(() => {
    const graph = byId("curves");
    graph.removeAllListeners("plotly_click");
    graph.on("plotly_click", (event) => {
      const [index, layer] = event.points[0].customdata ?? [-1];
      if (index < 0) return;
      byId("network").value = String(subjects.findIndex((each) => each.network === data.networks[index].name && !each.control));
      byId("layer").value = layer;
      chooseSubject();
    });
  });
}

function sortTable(column) {
  const body = byId("table").tBodies[0];
  const value = (row) => {
    const cell = row.cells[column];
    const key = cell.dataset.value ?? cell.textContent;
    return key === "" ? -Infinity : Number.isNaN(Number(key)) ? key : Number(key);
  };
  const order = byId("table").dataset.sorted === String(column) ? -1 : 1;
  byId("table").dataset.sorted = order === 1 ? String(column) : "";
  body.append(...[...body.rows].sort((a, b) => order * (value(a) > value(b) ? 1 : value(a) < value(b) ? -1 : 0)));
}

byId("controls").addEventListener("change", (event) => byId("table").classList.toggle("with-controls", event.target.checked));
[...byId("table").tHead.rows[0].cells].forEach((cell, column) => cell.addEventListener("click", () => sortTable(column)));
fill(byId("measure"), Object.entries(data.measures), data.balanced ? "degradation_share" : "knn_accuracy");
fill(byId("network"), subjects.map((each, index) => [index, each.label]), "0");
byId("network").addEventListener("change", chooseSubject);
for (const id of ["layer", "view", "color"]) byId(id).addEventListener("change", drawMap);
byId("measure").addEventListener("change", drawCurves);
if (subjects.length) chooseSubject();
