"use strict";

// The page of `fastrrae explore`: it keeps the point in the space of coefficients, and asks the server to decode it.

const SHOWN_SLIDERS = 24; // more are shown on request
const CLASSES = ["#4e79a7", "#f28e2b", "#e15759", "#59a14f", "#b07aa1", "#76b7b2", "#edc948", "#ff9da7", "#9c755f", "#8c96a0"];
const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const MAPS = { grey: ["#000000", "#ffffff"], viridis: VIRIDIS,
               diverging: ["#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b"] };

const find = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A number with so many digits that moves within its span are seen.
function shortNumber(value, span = Math.abs(value)) {
  if (Math.abs(value) >= 1e6) return value.toExponential(2);
  const digits = span > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(span) / 2), 0), 9) : 2;
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}

let run; // what the server says of the run
let point; // coefficients that are shown
let decoded; // their sample, Float32Array
let scatter; // x and y of the training samples that are shown
const ends = { a: null, b: null }; // of the interpolation: {coefficients, values}

// --- the server ---

async function ask(address, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer. Is fastrrae explore still running?");
  }
  const values = await answer.json();
  if (!answer.ok) throw new Error(values.error || answer.statusText);
  return values;
}

function numbersOf(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function complain(error) {
  find("error").textContent = error.message;
  find("error").hidden = false;
}

// One request at a time; while it is under way, only the latest wish is kept, so that the picture never lags behind.
let wanted = null;
let asking = false;
let neighboursLater;

async function decode(request) {
  wanted = request;
  if (asking) return;
  asking = true;
  try {
    while (wanted) {
      const current = wanted;
      wanted = null;
      const started = performance.now();
      const answer = await ask("api/decode", current);
      decoded = numbersOf(answer.values);
      if (current.between && !wanted) setPoint(answer.coefficients);
      drawDecoded();
      const whole = performance.now() - started;
      find("timing").textContent = `${answer.milliseconds.toFixed(1)} ms to decode, ${whole.toFixed(0)} ms until shown`;
      find("timing").dataset.milliseconds = whole;
    }
    find("error").hidden = true;
  } catch (error) {
    complain(error);
  }
  asking = false;
  clearTimeout(neighboursLater);
  neighboursLater = setTimeout(showNeighbours, 80);
}

function setPoint(coefficients) {
  point = Array.from(coefficients);
  point.forEach(showCoefficient);
  drawScatter();
}

function moveTo(coefficients) {
  setPoint(coefficients);
  decode({ coefficients: point });
}

// --- pictures of samples ---

function channelsOf(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function mapColour(stops, share) {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  const [a, b] = [channelsOf(stops[low]), channelsOf(stops[low + 1])];
  return a.map((value, channel) => Math.round(value + (b[channel] - value) * (at - low)));
}

const tables = {};
function colourTable(name) {
  tables[name] ??= Array.from({ length: 256 }, (_, level) => mapColour(MAPS[name], level / 255));
  return tables[name];
}

function limitsOfImage(map) {
  const [low, high] = run.drawing.limits;
  const most = Math.max(Math.abs(low), Math.abs(high));
  return map === "diverging" ? [-most, most] : [low, high];
}

// A sample at one pixel a value; channels that are no colours stand next to each other.
function drawImage(canvas, values) {
  const [height, width, channels] = run.shape;
  const isColour = channels === 3;
  const panels = isColour ? 1 : channels;
  const gap = panels > 1 ? 1 : 0;
  const map = find("colours").value;
  const table = colourTable(map);
  const [low, high] = limitsOfImage(map);
  canvas.width = panels * (width + gap) - gap;
  canvas.height = height;
  canvas.classList.add("pixels");
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, height);
  const level = (value) => Math.round(255 * Math.min(Math.max((value - low) / (high - low), 0), 1));
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let panel = 0; panel < panels; panel++) {
        const from = (row * width + column) * channels + panel;
        const to = 4 * (row * canvas.width + panel * (width + gap) + column);
        const shown = isColour ? [0, 1, 2].map((channel) => level(values[from + channel])) : table[level(values[from])];
        image.data.set([...shown, 255], to);
      }
    }
  }
  context.putImageData(image, 0, 0);
}

function classColour(number) {
  return number < CLASSES.length ? CLASSES[number] : `hsl(${(number * 137.5) % 360} 55% 55%)`;
}

// The values of a vector or signal, in the units that were chosen, and their range.
function curvesOf(values) {
  const { scaled, limits } = run.drawing;
  if (!scaled || find("units").value !== "scaled") return [values, limits];
  return [values.map((value, at) => (value - scaled.offset[at]) / scaled.scale[at]), scaled.limits];
}

function drawCurves(canvas, sample, width, height, small) {
  const ratio = small ? 2 : window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = colour("card");
  context.fillRect(0, 0, width, height);
  const [values, [low, high]] = curvesOf(sample);
  canvas.classList.add("curves");
  const channels = run.drawing.kind === "vector" ? 1 : run.shape[1];
  const count = run.shape[0];
  const area = small ? { left: 3, right: width - 3, top: 3, bottom: height - 3 }
                     : { left: 46, right: width - 10, top: 10, bottom: height - 24 };
  const margin = 0.05 * (high - low);
  const x = (at) => area.left + (count > 1 ? at / (count - 1) : 0.5) * (area.right - area.left);
  const y = (value) => area.bottom - (value - low + margin) / (high - low + 2 * margin) * (area.bottom - area.top);
  if (!small) drawAxes(context, area, { x, y, across: [0, count - 1], up: [low, high], whole: true });
  context.save();
  context.beginPath();
  context.rect(area.left - 4, 0, area.right - area.left + 8, height);
  context.clip();
  for (let channel = 0; channel < channels; channel++) {
    context.strokeStyle = context.fillStyle = channels > 1 ? classColour(channel) : colour("accent");
    context.lineWidth = small ? 1.2 : 2;
    context.beginPath();
    for (let at = 0; at < count; at++) context.lineTo(x(at), y(values[at * channels + channel]));
    context.stroke();
    if (count > 24 || small) continue;
    for (let at = 0; at < count; at++) drawDot(context, x(at), y(values[at * channels + channel]), 3.5);
  }
  context.restore();
}

function drawDot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function niceTicks(low, high, count, whole) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(power * [1, 2, 5, 10].find((factor) => factor * power >= rough), whole ? 1 : 0);
  const digits = Math.min(Math.max(-Math.floor(Math.log10(step) + 1e-9), 0), 20);
  const ticks = [];
  for (let at = Math.ceil(low / step); at * step <= high; at++) {
    ticks.push([at * step, Math.abs(at * step) >= 1e6 ? (at * step).toExponential(1) : (at * step).toFixed(digits)]);
  }
  return ticks;
}

function drawAxes(context, area, { x, y, across, up, whole = false }) {
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = colour("soft");
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.textAlign = "center";
  for (const [tick, text] of niceTicks(...across, (area.right - area.left) / 80, whole)) {
    context.fillText(text, x(tick), area.bottom + 17);
    if (!whole) drawLine(context, x(tick), area.top, x(tick), area.bottom);
  }
  context.textAlign = "right";
  for (const [tick, text] of niceTicks(...up, (area.bottom - area.top) / 60)) {
    context.fillText(text, area.left - 7, y(tick) + 4);
    drawLine(context, area.left, y(tick), area.right, y(tick));
  }
}

function drawLine(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function drawSample(canvas, values, small) {
  if (run.drawing.kind === "image") drawImage(canvas, values);
  else if (small) drawCurves(canvas, values, 84, 60, true);
  else drawCurves(canvas, values, Math.max(canvas.clientWidth, 100), Math.round(0.72 * Math.max(canvas.clientWidth, 100)));
}

function drawDecoded() {
  if (decoded) drawSample(find("picture"), decoded, narrow.matches && run.drawing.kind !== "image");
}

function showScale() {
  const map = find("colours").value;
  const isMapped = run.drawing.kind === "image" && run.shape[2] !== 3 && map !== "grey";
  find("scale").replaceChildren();
  if (isMapped) find("scale").append(...gradientBar(MAPS[map], limitsOfImage(map)));
  if (run.drawing.kind !== "signal" || run.shape[1] === 1 || run.shape[1] > CLASSES.length) return;
  for (let channel = 0; channel < run.shape[1]; channel++) {
    find("scale").append(legendEntry(`channel ${channel}`, classColour(channel)));
  }
}

function legendEntry(name, shown) {
  const entry = document.createElement("span");
  if (shown) {
    const mark = document.createElement("i");
    mark.style.background = shown;
    entry.append(mark);
  }
  entry.append(name);
  return entry;
}

function gradientBar(stops, [low, high]) {
  const bar = document.createElement("b");
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return [legendEntry(shortNumber(low, high - low)), bar, legendEntry(shortNumber(high, high - low))];
}

// --- the scatter ---

const view = { area: null, x: null, y: null, points: null };

function axes() {
  return [Number(find("axis-x").value), Number(find("axis-y").value)];
}

async function loadScatter() {
  const [x, y] = axes();
  scatter = await ask(`api/points?x=${x}&y=${y}`);
  if (run.rank === 1) scatter.y = scatter.y.map(() => 0);
  drawPoints();
}

function rangeOf(axis) {
  return run.rank === 1 && axis === 1 ? [-1, 1] : [run.coefficients[axes()[axis]].low, run.coefficients[axes()[axis]].high];
}

function pointColours() {
  const chosen = run.colourings[find("colouring").selectedIndex];
  if (!chosen) return () => colour("accent");
  if (chosen.kind === "classes") return (at) => classColour(chosen.values[at]);
  const [low, high] = extremes(chosen.values);
  const table = colourTable("viridis");
  const shown = (value) => `rgb(${table[Math.round(255 * (value - low) / (high - low || 1))]})`;
  return (at) => (chosen.values[at] === null ? colour("line") : shown(chosen.values[at])); // null: not a number
}

function extremes(values) {
  const known = values.filter((value) => value !== null);
  return known.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

// All training samples, drawn once for each change of axes, colours or size; the point is drawn over a copy.
function drawPoints() {
  const box = find("scatter");
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [box.clientWidth, box.clientHeight];
  if (!scatter || !width) return;
  const canvas = document.createElement("canvas");
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const area = { left: 46, right: width - 8, top: 8, bottom: height - 24 };
  const [across, up] = [rangeOf(0), rangeOf(1)];
  view.area = area;
  view.x = (value) => area.left + (value - across[0]) / (across[1] - across[0]) * (area.right - area.left);
  view.y = (value) => area.bottom - (value - up[0]) / (up[1] - up[0]) * (area.bottom - area.top);
  drawAxes(context, area, { x: view.x, y: view.y, across, up });
  const colourOf = pointColours();
  context.globalAlpha = 0.75;
  scatter.x.forEach((value, at) => {
    context.fillStyle = colourOf(at);
    drawDot(context, view.x(value), view.y(scatter.y[at]), 2.6);
  });
  view.points = canvas;
  showLegend();
  drawScatter();
}

function drawScatter() {
  if (!view.points || !point) return;
  const canvas = find("scatter").firstElementChild;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = view.points.width;
  canvas.height = view.points.height;
  const context = canvas.getContext("2d");
  context.drawImage(view.points, 0, 0);
  context.scale(ratio, ratio);
  for (const [name, end] of Object.entries(ends)) if (end) drawEnd(context, name.toUpperCase(), end.coefficients);
  const [x, y] = placeOf(point);
  const { area } = view;
  context.strokeStyle = colour("mark");
  context.lineWidth = 1;
  context.globalAlpha = 0.5;
  drawLine(context, x, area.top, x, area.bottom);
  drawLine(context, area.left, y, area.right, y);
  context.globalAlpha = 1;
  context.lineWidth = 3;
  context.fillStyle = colour("card");
  drawDot(context, x, y, 7);
  context.stroke();
}

function placeOf(coefficients) {
  const { area } = view;
  const [across, up] = axes();
  const x = view.x(coefficients[across]);
  const y = view.y(run.rank === 1 ? 0 : coefficients[up]);
  return [Math.min(Math.max(x, area.left), area.right), Math.min(Math.max(y, area.top), area.bottom)];
}

function drawEnd(context, letter, coefficients) {
  const [x, y] = placeOf(coefficients);
  context.fillStyle = colour("ink");
  drawDot(context, x, y, 8);
  context.fillStyle = colour("card");
  context.font = "bold 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText(letter, x, y + 4);
}

function showLegend() {
  const chosen = run.colourings[find("colouring").selectedIndex];
  find("legend").replaceChildren();
  if (!chosen) return;
  if (chosen.kind === "numbers") {
    find("legend").append(legendEntry(chosen.name), ...gradientBar(VIRIDIS, extremes(chosen.values)));
    return;
  }
  find("legend").append(...chosen.names.map((name, number) => legendEntry(name, classColour(number))));
}

function moveInScatter(event) {
  const box = find("scatter").getBoundingClientRect();
  const { area } = view;
  const share = (value, low, high) => Math.min(Math.max((value - low) / (high - low), 0), 1);
  const right = share(event.clientX - box.left, area.left, area.right);
  const upward = 1 - share(event.clientY - box.top, area.top, area.bottom);
  const [across, up] = axes();
  const next = [...point];
  const set = (index, axis, at) => { next[index] = rangeOf(axis)[0] + at * (rangeOf(axis)[1] - rangeOf(axis)[0]); };
  if (run.rank > 1) set(up, 1, upward);
  set(across, 0, right);
  moveTo(next);
}

function moveByKey(event) {
  const directions = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] };
  if (event.key === "Enter") takeNearest();
  if (!(event.key in directions)) return;
  event.preventDefault();
  const [axis, sign] = directions[event.key];
  if (run.rank === 1 && axis === 1) return;
  const [low, high] = rangeOf(axis);
  const next = [...point];
  const index = axes()[axis];
  next[index] = Math.min(Math.max(next[index] + sign * (high - low) * (event.shiftKey ? 0.1 : 0.02), low), high);
  moveTo(next);
  find("spoken").textContent = `coefficient ${index} is ${shortNumber(next[index], high - low)}`;
}

// The training sample whose two coefficients on the axes are nearest, with all its coefficients.
async function takeNearest() {
  const [x, y] = placeOf(point);
  let best = [Infinity, 0];
  scatter.x.forEach((value, at) => {
    const distance = Math.hypot(view.x(value) - x, view.y(scatter.y[at]) - y);
    if (distance < best[0]) best = [distance, at];
  });
  try {
    const found = await ask(`api/coefficients?index=${run.points[best[1]]}`);
    moveTo(found.coefficients);
  } catch (error) {
    complain(error);
  }
}

// --- sliders ---

function makeSliders() {
  run.coefficients.forEach(({ low, high }, index) => {
    const label = document.createElement("label");
    label.className = "slider";
    label.hidden = index >= SHOWN_SLIDERS;
    const name = document.createElement("span");
    name.textContent = index;
    const input = document.createElement("input");
    Object.assign(input, { type: "range", id: `coefficient-${index}`, min: low, max: high, step: (high - low) / 200 });
    input.setAttribute("aria-label", `coefficient ${index}`);
    input.addEventListener("input", () => {
      point[index] = Number(input.value);
      showCoefficient(point[index], index);
      drawScatter();
      decode({ coefficients: point });
    });
    const value = document.createElement("output");
    value.htmlFor = input.id;
    label.append(name, input, value);
    find("sliders").append(label);
  });
  const more = find("more-sliders");
  more.hidden = run.rank <= SHOWN_SLIDERS;
  more.textContent = `Show all ${run.rank} coefficients`;
  more.addEventListener("click", () => {
    for (const label of find("sliders").children) label.hidden = false;
    more.hidden = true;
    find(`coefficient-${SHOWN_SLIDERS}`).focus();
  });
}

function showCoefficient(value, index) {
  const input = find(`coefficient-${index}`);
  const { low, high } = run.coefficients[index];
  const text = shortNumber(value, high - low);
  input.value = value;
  input.setAttribute("aria-valuetext", text);
  input.nextElementSibling.textContent = text;
}

// --- neighbours, test samples, interpolation ---

function thumbnail(values, name, caption, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", name);
  button.title = name;
  const canvas = document.createElement("canvas");
  drawSample(canvas, values, true);
  button.append(canvas, ...caption);
  button.addEventListener("click", act);
  return button;
}

function small(text) {
  const element = document.createElement("small");
  element.textContent = text;
  return element;
}

function parts(answer) {
  const values = numbersOf(answer.values);
  const size = run.shape.reduce((product, side) => product * side, 1);
  return answer.labels.map((_, at) => values.slice(at * size, (at + 1) * size));
}

let neighbours;
async function showNeighbours() {
  try {
    neighbours = await ask("api/nearest", { coefficients: point });
    drawNeighbours();
  } catch (error) {
    complain(error);
  }
}

function drawNeighbours() {
  const { split, indices, distances, labels, coefficients } = neighbours;
  find("nearest").replaceChildren(...parts(neighbours).map((values, at) => {
    const name = `${split} sample ${indices[at]}${labels[at] && `, ${labels[at]}`}, distance ${shortNumber(distances[at])}`;
    return thumbnail(values, name, [labels[at], small(shortNumber(distances[at]))], () => moveTo(coefficients[at]));
  }));
}

let examples;
async function loadExamples() {
  const indices = run.examples.map((_, index) => index);
  const answer = await ask(`api/samples?split=test&indices=${indices}`);
  examples = parts(answer).map((values, at) => ({ values, coefficients: answer.coefficients[at] }));
}

function nameOfExample(index) {
  return `test ${index}${run.examples[index] && ` (${run.examples[index]})`}`;
}

function drawExamples() {
  find("examples").replaceChildren(...examples.map(({ values, coefficients }, index) =>
    thumbnail(values, nameOfExample(index), [], () => moveTo(coefficients))));
}

function setEnd(letter, end) {
  ends[letter] = end;
  drawSample(find(`picture-${letter}`), end.values, true);
  drawScatter();
}

function setWeight(weight) {
  find("weight").value = weight;
  find("weight-value").textContent = Number(weight).toFixed(2);
}

function moveOnPath() {
  const weight = Number(find("weight").value);
  setWeight(weight);
  const method = document.querySelector("input[name=method]:checked").value;
  decode({ between: { a: ends.a.coefficients, b: ends.b.coefficients, weight, method } });
}

function makeEnds() {
  for (const [letter, weight] of [["a", 0], ["b", 1]]) {
    const choice = find(`end-${letter}`);
    choice.append(...examples.map((_, index) => new Option(nameOfExample(index), index)));
    choice.append(new Option("a point", "point"));
    choice.lastElementChild.hidden = true;
    choice.selectedIndex = weight;
    setEnd(letter, examples[weight]);
    choice.addEventListener("change", () => {
      setEnd(letter, examples[Number(choice.value)]);
      setWeight(weight);
      moveOnPath();
    });
    find(`take-${letter}`).addEventListener("click", () => {
      choice.value = "point";
      setEnd(letter, { coefficients: [...point], values: decoded });
      setWeight(weight);
    });
  }
  find("weight").addEventListener("input", moveOnPath);
  for (const radio of document.querySelectorAll("input[name=method]")) radio.addEventListener("change", moveOnPath);
}

// --- downloads ---

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function savePicture() {
  let canvas = document.createElement("canvas");
  if (run.drawing.kind === "image") {
    drawImage(canvas, decoded);
    canvas = enlarged(canvas, Math.max(1, Math.floor(512 / Math.max(canvas.width, canvas.height))));
  } else {
    drawCurves(canvas, decoded, 800, 560, false);
  }
  canvas.toBlob((blob) => save(blob, `${run.name}.png`), "image/png");
}

function enlarged(canvas, factor) {
  const large = document.createElement("canvas");
  large.width = canvas.width * factor;
  large.height = canvas.height * factor;
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  return large;
}

// A table that `fastrrae decode RUN --coefficients FILE` reads.
function saveCoefficients() {
  const header = point.map((_, index) => `coefficient_${index}`);
  save(new Blob([`${header}\n${point}\n`], { type: "text/csv" }), `${run.name}-coefficients.csv`);
}

// --- start ---

const narrow = window.matchMedia("(max-width: 820px)");

function fillChoices() {
  const names = run.coefficients.map((_, index) => `coefficient ${index}`);
  for (const [id, chosen] of [["axis-x", 0], ["axis-y", Math.min(1, run.rank - 1)]]) {
    find(id).append(...names.map((name, index) => new Option(name, index)));
    find(id).selectedIndex = chosen;
    find(id).addEventListener("change", () => loadScatter().catch(complain));
  }
  find("axis-y").disabled = run.rank === 1;
  find("colouring").append(...run.colourings.map(({ name }) => new Option(name)));
  find("colouring-label").hidden = run.colourings.length === 0;
  find("colouring").addEventListener("change", drawPoints);
  find("colours").value = run.drawing.colours || "grey";
  find("colours-label").hidden = run.drawing.kind !== "image" || run.shape[2] === 3;
  find("units-label").hidden = !run.drawing.scaled;
  for (const id of ["colours", "units"]) find(id).addEventListener("change", redraw);
}

function showFacts() {
  document.title = `${run.name} · fastrrae explorer`;
  find("run-name").textContent = run.name;
  for (const [name, value] of run.facts) {
    const [entry, term, detail] = ["div", "dt", "dd"].map((kind) => document.createElement(kind));
    [term.textContent, detail.textContent] = [name, value];
    entry.append(term, detail);
    find("facts").append(entry);
  }
  const isTraining = run.neighbours === "training";
  find("nearest-title").textContent = isTraining ? "Nearest training samples" : "Nearest test samples";
  find("nearest-help").textContent = "By the distance of their coefficients." + (isTraining ? "" :
    " The training samples cannot be shown: the data of the run was not found.");
}

function redraw() {
  showScale();
  drawPoints();
  drawDecoded();
  drawExamples();
  if (neighbours) drawNeighbours();
  for (const letter of ["a", "b"]) setEnd(letter, ends[letter]);
}

function listen() {
  const box = find("scatter");
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    box.setPointerCapture(event.pointerId);
    moveInScatter(event);
  });
  box.addEventListener("pointermove", (event) => {
    if (box.hasPointerCapture(event.pointerId)) moveInScatter(event);
  });
  box.addEventListener("dblclick", takeNearest);
  box.addEventListener("keydown", moveByKey);
  find("reset").addEventListener("click", () => moveTo(run.coefficients.map(({ mean }) => mean)));
  find("save-picture").addEventListener("click", savePicture);
  find("save-coefficients").addEventListener("click", saveCoefficients);
  new ResizeObserver(drawPoints).observe(box);
  new ResizeObserver(() => run.drawing.kind !== "image" && drawDecoded()).observe(find("picture"));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

async function start() {
  run = await ask("api/run");
  showFacts();
  fillChoices();
  makeSliders();
  await Promise.all([loadScatter(), loadExamples()]);
  point = run.coefficients.map(({ mean }) => mean);
  makeEnds();
  drawExamples();
  showScale();
  listen();
  moveTo(point);
}

start().catch(complain);
