// Goes into the head of the page of `--html`, and writes into it what a browser draws and which errors there are.
"use strict";
{
  const seen = { errors: [], texts: [], fills: 0 };
  addEventListener("error", (event) => seen.errors.push(event.message));
  addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
  const brush = CanvasRenderingContext2D.prototype;
  const { fillText, fillRect } = brush;
  brush.fillText = function (text, ...rest) { seen.texts.push(text); return fillText.call(this, text, ...rest); };
  brush.fillRect = function (...rest) { seen.fills += 1; return fillRect.apply(this, rest); };
  // Without a screen there may be one frame, or none.
  window.requestAnimationFrame = (paint) => setTimeout(paint, 0);
  function take() { const part = { texts: seen.texts, fills: seen.fills }; seen.texts = []; seen.fills = 0; return part; }
  function painted() { return new Promise((done) => setTimeout(() => done(take()), 200)); }
  addEventListener("load", async () => {
    const result = { all: await painted() };
    document.getElementById("in").click();
    result.zoomed = await painted();
    document.getElementById("fit").click();
    result.fitted = await painted();
    document.getElementById("idle").click();
    result.idle = await painted();
    const chart = document.getElementById("chart"), box = chart.getBoundingClientRect();
    chart.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width / 2, clientY: box.top + 24 + 10 }));
    result.tip = document.getElementById("tip").textContent;
    result.errors = seen.errors;
    const report = document.createElement("pre");
    report.id = "seen";
    report.textContent = JSON.stringify(result);
    document.body.append(report);
  });
}
