// How fast the report page's network is drawn, by the browser's own clock: node network_view.mjs PAGE.html [CHANGED]
//
// A frame is the time from one animation frame to the next while the moment changes in each: drawing, rasterising and
// showing it. CHANGED replaces the loads by random ones, so that no frame is like the one before it.
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const FRAMES = 120;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu"],
});

/** Milliseconds between frames, sorted, and of drawing alone; run within the page. */
async function measure({ frames, random }) {
  const view = document.querySelector("#inside .inside").networkView,
    { network } = view;
  if (random) for (let i = 0; i < network.loads.length; i++) network.loads[i] = 100 + Math.floor(156 * Math.random());
  view.canvas.scrollIntoView({ block: "center" });
  const frame = () => new Promise(requestAnimationFrame),
    between = [];
  let drawing = 0,
    last = await frame();
  for (let i = 0; i < frames + 10; i++) {
    const began = performance.now();
    view.setBin(i % network.bins);
    if (i >= 10) drawing += performance.now() - began;
    const now = await frame();
    if (i >= 10) between.push(now - last);
    last = now;
  }
  const began = performance.now();
  for (let i = 0; i < 200; i++) view.describe((view.width * i) / 200, (view.height * (i % 7)) / 7);
  const hover = (performance.now() - began) / 200;
  return {
    between: between.sort((a, b) => a - b),
    drawing: drawing / frames,
    hover,
    lines: network.lines.count,
    bins: network.bins,
  };
}

for (const [width, height, scale] of [
  [1400, 900, 1],
  [1400, 900, 2],
  [400, 800, 3],
]) {
  const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: scale, offline: true });
  const page = await context.newPage();
  await page.goto(pathToFileURL(process.argv[2]).href);
  const m = await page.evaluate(measure, { frames: FRAMES, random: process.argv[3] === "CHANGED" });
  const at = (share) => m.between[Math.floor(share * (m.between.length - 1))].toFixed(1);
  console.log(
    `${width} x ${height} at ${scale}: ${m.lines} lines, ${m.bins} bins; ms a frame: ` +
    `median ${at(0.5)}, 95 % ${at(0.95)}, ` +
      `most ${at(1)}; the script's part ${m.drawing.toFixed(1)}; what is below the pointer ${m.hover.toFixed(2)}`,
  );
  await context.close();
}
await browser.close();
