"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const chart = document.getElementById("chart");
const tip = document.getElementById("tip");
const showIdle = document.getElementById("idle");
const pen = chart.getContext("2d");

const GUTTER = 92, AXIS = 24, ROW = 20, BAR = 15;
const PATH = "#d92d20";
const whole = data.device_time_ps;
let from = 0, to = whole, rows = [], scheduled = false;

// Times are whole picoseconds since the first event of the device: exact in a double for two hours and a half.
function time(ps) {
  for (const [unit, size] of [["s", 1e12], ["ms", 1e9], ["us", 1e6], ["ns", 1e3]]) {
    if (Math.abs(ps) >= size) return +(ps / size).toFixed(3) + " " + unit;
  }
  return ps + " ps";
}

function kernelColour(kernel) { return `hsl(${(kernel * 137.508 + 205) % 360} 58% 58%)`; }

function spanColour(lane, span) {
  switch (lane.kind) {
    case "path": return data.causes[span[2]].colour;
    case "core": return kernelColour(span[2]);
    case "aicpu": return ["#cbd5e1", "#a5b4fc", "#bfdbfe", "#e2e8f0"][span[2]];
    default: return ["#fdba74", "#fcd34d", "#fde68a"][span[2]];
  }
}

function spanTitle(lane, span) {
  switch (lane.kind) {
    case "core": return data.kernels[span[2]];
    case "aicpu": return data.phases[span[2]];
    case "path": return data.works[span[3]];
    default: return data.copies[span[2]];
  }
}

function describe(lane, span) {
  const lines = [spanTitle(lane, span), `${lane.name}: ${time(span[0])} to ${time(span[0] + span[1])}, ${time(span[1])}`];
  if (lane.kind === "core") {
    const [, , , task, source, path, cost, sent, noticed] = span;
    lines[0] += ` (${task})`;
    lines.push(`cost ${time(cost)} from ${data.sources[source]}`);
    if (sent !== null) lines.push(`token sent at ${time(sent)}`);
    lines.push(noticed === null ? "its end was never noticed" : `end noticed at ${time(noticed)}`);
    if (path) lines.push("on the critical path");
  } else if (lane.kind === "path") {
    lines.push(`cause: ${data.causes[span[2]].name}`);
    if (span[4] !== null) lines.push(`task ${span[4]}`);
  } else if (lane.kind === "host") {
    lines.push(`${span[3]} bytes`);
  }
  return lines.join("\n");
}

/** Index of the first span that ends after an instant. */
function firstAfter(spans, instant) {
  let low = 0, high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle][0] + spans[middle][1] <= instant) low = middle + 1; else high = middle;
  }
  return low;
}

const width = () => chart.clientWidth - GUTTER;
const xOf = (ps) => GUTTER + (ps - from) / (to - from) * width();
const timeAt = (x) => from + (x - GUTTER) / width() * (to - from);

function layOut() {
  rows = data.lanes.filter((lane) => lane.kind !== "core" || lane.spans.length > 0 || showIdle.checked);
  chart.style.height = AXIS + rows.length * ROW + 6 + "px";
  draw();
}

function draw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; paint(); });
}

function paint() {
  const ratio = window.devicePixelRatio || 1;
  chart.width = Math.round(chart.clientWidth * ratio);
  chart.height = Math.round(chart.clientHeight * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  paintAxis();
  rows.forEach(paintLane);
}

function paintAxis() {
  const rough = (to - from) / Math.max(2, width() / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough));
  pen.strokeStyle = "#eceff3";
  pen.fillStyle = "#667085";
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) {
    const x = Math.round(xOf(tick)) + 0.5;
    pen.beginPath();
    pen.moveTo(x, AXIS - 5);
    pen.lineTo(x, chart.clientHeight);
    pen.stroke();
    pen.fillText(time(tick), x + 3, AXIS / 2);
  }
}

function paintLane(lane, row) {
  const y = AXIS + row * ROW;
  pen.fillStyle = "#344054";
  pen.fillText(lane.name, 10, y + ROW / 2, GUTTER - 14);
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, y, width(), ROW);
  pen.clip();
  let drawnTo = -1;
  for (let index = firstAfter(lane.spans, from); index < lane.spans.length; index++) {
    const span = lane.spans[index];
    if (span[0] > to) break;
    const left = xOf(span[0]), right = Math.max(xOf(span[0] + span[1]), left + 0.7);
    const onPath = lane.kind === "core" && span[5];
    // Of spans within one pixel one is enough, unless it is on the path.
    if (right < drawnTo + 0.5 && !onPath) continue;
    drawnTo = right;
    pen.fillStyle = spanColour(lane, span);
    pen.fillRect(left, y + 2, right - left, BAR);
    if (onPath) {
      pen.strokeStyle = PATH;
      pen.lineWidth = 2;
      if (right - left > 4) pen.strokeRect(left + 1, y + 3, right - left - 2, BAR - 2);
      pen.fillStyle = PATH;
      pen.fillRect(left, y + BAR, right - left, 2);
      pen.lineWidth = 1;
    }
    const shownLeft = Math.max(left, GUTTER), room = Math.min(right, chart.clientWidth) - shownLeft - 8;
    if (room > 24) {
      const title = spanTitle(lane, span);
      if (pen.measureText(title).width <= room) {
        pen.fillStyle = "#101828";
        pen.fillText(title, shownLeft + 4, y + 2 + BAR / 2);
      }
    }
  }
  pen.restore();
}

function spanAt(event) {
  const box = chart.getBoundingClientRect();
  const x = event.clientX - box.left, lane = rows[Math.floor((event.clientY - box.top - AXIS) / ROW)];
  if (!lane || x < GUTTER) return null;
  const slack = (to - from) / width() * 2;
  const instant = timeAt(x);
  const span = lane.spans[firstAfter(lane.spans, instant - slack)];
  return span && span[0] <= instant + slack ? [lane, span] : null;
}

function showTip(event) {
  const hit = spanAt(event);
  tip.style.display = hit ? "block" : "none";
  if (!hit) return;
  tip.textContent = describe(...hit);
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
}

/** Shows a stretch, kept within the run and at least a nanosecond long. */
function show(start, length) {
  length = Math.min(Math.max(length, 1000), whole);
  from = Math.min(Math.max(start, 0), whole - length);
  to = from + length;
  draw();
}

function zoom(factor, around) { show(around - (around - from) * factor, (to - from) * factor); }

let drag = null;
chart.addEventListener("wheel", (event) => {
  event.preventDefault();
  const amount = event.deltaY || event.deltaX;
  if (event.shiftKey) show(from + (to - from) * Math.sign(amount) * 0.1, to - from);
  else zoom(Math.exp(Math.max(-1, Math.min(1, amount / 240))), timeAt(event.clientX - chart.getBoundingClientRect().left));
}, { passive: false });
chart.addEventListener("pointerdown", (event) => {
  // The other buttons are the browser's: a menu may swallow their release.
  if (event.button !== 0 || !event.isPrimary) return;
  drag = { x: event.clientX, y: event.clientY, from, length: to - from, scroll: scrollY };
  chart.setPointerCapture(event.pointerId);
  chart.classList.add("dragged");
  tip.style.display = "none";
});
chart.addEventListener("pointermove", (event) => {
  if (!drag) return showTip(event);
  show(drag.from - (event.clientX - drag.x) / width() * drag.length, drag.length);
  scrollTo(scrollX, drag.scroll - (event.clientY - drag.y));
});
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  chart.addEventListener(end, () => { drag = null; chart.classList.remove("dragged"); });
}
chart.addEventListener("pointerleave", () => { tip.style.display = "none"; });
chart.addEventListener("dblclick", () => show(0, whole));
addEventListener("keydown", (event) => {
  const middle = (from + to) / 2, tenth = (to - from) / 10;
  const keys = { w: () => zoom(0.7, middle), s: () => zoom(1 / 0.7, middle), a: () => show(from - tenth, to - from),
    d: () => show(from + tenth, to - from), f: () => show(0, whole) };
  Object.assign(keys, { "+": keys.w, "=": keys.w, "-": keys.s, arrowleft: keys.a, arrowright: keys.d, "0": keys.f });
  // Whatever else is held down means something to the browser, but for Shift and Caps Lock.
  const run = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key.toLowerCase()];
  if (!run) return;
  event.preventDefault();
  run();
});
document.getElementById("in").addEventListener("click", () => zoom(0.5, (from + to) / 2));
document.getElementById("out").addEventListener("click", () => zoom(2, (from + to) / 2));
document.getElementById("fit").addEventListener("click", () => show(0, whole));
showIdle.addEventListener("change", layOut);
addEventListener("resize", draw);
document.querySelectorAll("[data-kernel]").forEach((swatch) => {
  swatch.style.background = kernelColour(+swatch.dataset.kernel);
});
layOut();
