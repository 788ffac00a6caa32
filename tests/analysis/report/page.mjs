// Checks the report's pages in a browser: node page.mjs FOLDER; report_page.sh makes them. Status 1 with the first
// failure said; SHOTS: a folder for screenshots.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const folder = process.argv[2];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  timeout: 300000,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** Opens a page, hands it to `look`; whatever it says on the console, asks for or throws is a failure. */
async function open(name, look, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, offline: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(300000);
  const said = [];
  page.on("console", (message) => said.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    said.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().endsWith(`/${name}.html`)) said.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(`${folder}/${name}.html`).href);
  await look(page);
  assert.deepEqual(said, [], `${name} is silent`);
  await context.close();
}

/** A canvas's picture as text, to see that it changed. */
const pixels = (page, selector) =>
  page
    .locator(selector)
    .first()
    .evaluate((canvas) => canvas.toDataURL());

/** Lines, dots and bars that a chart draws, by the colours of the configurations. */
const marks = (page, selector) =>
  page.locator(selector).evaluate((plot) => {
    const colours = Array.from({ length: 8 }, (_, i) =>
      getComputedStyle(document.documentElement).getPropertyValue(`--c${i}`).trim(),
    );
    return [...plot.querySelectorAll("svg path, svg rect, svg circle, svg polyline, svg polygon")].filter((mark) =>
      ["fill", "stroke"].some((name) => colours.includes(mark.getAttribute(name))),
    ).length;
  });

// pairs of texts of a chart whose boxes cover each other by more than a pixel or two
const collisions = (page, selector) =>
  page.locator(selector).evaluate((plot) => {
    const box = (text) => [text.textContent, text.getBoundingClientRect()];
    const texts = [...plot.querySelectorAll("svg text")].filter((text) => text.textContent.trim()).map(box);
    const meet = (a, b) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
    return texts.flatMap(([name, a], i) =>
      texts.slice(i + 1).flatMap(([other, b]) => (meet(a, b) ? [`${name} / ${other}`] : [])),
    );
  });

await open("seeds", async (page) => {
  assert.equal(await page.locator("h1").textContent(), "Does it pay to send 8 bits, <b>here</b> & there?");
  assert.match(await page.locator(".answers").textContent(), /reached 30 %/);
  assert.match(await page.locator("#results table").textContent(), /6 of 6/);
  for (const id of ["results", "target", "curves", "crossings", "seconds", "inside", "consensus", "provenance"])
    assert.equal(await page.locator(`#${id}`).count(), 1, `section ${id}`);

  // every chart has its marks: 4 configurations in each of 2 settings, lines and bands, intervals and dots
  for (const [plot, least] of [
    ["#curves .plot >> nth=0", 8],
    ["#curves .plot >> nth=1", 8],
    ["#target .plot >> nth=0", 8],
    ["#target .plot >> nth=2", 4],
    ["#crossings .plot >> nth=0", 8],
  ])
    assert.ok((await marks(page, plot)) >= least, `${plot} has ${await marks(page, plot)} marks, not ${least}`);
  assert.ok((await page.locator("#seconds .plot >> nth=0").locator("svg path").count()) >= 8, "bars");

  // no name of a dot lies on another's
  assert.deepEqual(await collisions(page, "#target .plot >> nth=2"), []);
  assert.deepEqual(await collisions(page, "#target .plot >> nth=3"), []);

  // switches: against bytes the axis says so; a log axis has other ticks; a legend's entry takes its line away
  const curve = page.locator("#curves .plot >> nth=0");
  assert.match(await curve.textContent(), /Simulated time/);
  await page.locator('#curves button[data-value="bytes"]').click();
  assert.match(await curve.textContent(), /Bytes sent by a worker/);
  const ticks = await curve.textContent();
  await page.locator('#curves .choice[aria-label="x axis"] button[data-value="log"]').click();
  assert.notEqual(await curve.textContent(), ticks);
  const all = await marks(page, "#curves .plot >> nth=0");
  const toggle = page.locator("#curves .legend button").first();
  await toggle.click();
  assert.equal(await toggle.getAttribute("aria-pressed"), "false");
  assert.ok((await marks(page, "#curves .plot >> nth=0")) < all, "a line is gone");
  await toggle.click();
  assert.equal(await marks(page, "#curves .plot >> nth=0"), all);

  // the network moves with the slider, and names what the pointer is at
  const still = await pixels(page, "canvas.network");
  const slider = page.locator('#inside input[type="range"]');
  assert.match(await page.locator("#inside .when").textContent(), /whole run/);
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await page.locator("#inside .when").textContent(), /^at /);
  assert.notEqual(await pixels(page, "canvas.network"), still);
  const spot = await page.evaluate(() => document.querySelector("#inside .inside").networkView.shapes.middle(0));
  await page.locator("canvas.network").hover({ position: { x: spot[0], y: spot[1] } });
  assert.match(await page.locator("#inside .hover").first().textContent(), /in all.*load/);
  const near = await pixels(page, "canvas.network");
  await page.locator('button[aria-label="zoom in"]').first().click();
  assert.notEqual(await pixels(page, "canvas.network"), near);

  // the Gantt chart's window
  const gantt = await pixels(page, "canvas.gantt");
  await page.locator("#inside .picker select").nth(1).selectOption({ index: 2 });
  assert.notEqual(await pixels(page, "canvas.gantt"), gantt);
  assert.ok((await page.locator("canvas.heat").count()) >= 2, "who sent to whom, and classes");

  // another run from inside; another run's provenance
  await page.locator("#inside .picker select").first().selectOption({ index: 1 });
  assert.equal(await page.locator("canvas.network").count(), 1);
  const options = await page.locator("#provenance dl").last().textContent();
  assert.match(options, /train\.method/);
  assert.match(await page.locator("#provenance pre").first().textContent(), /rehearse run/);

  // where the time went: its four parts fill the bar, and encoding is told where messages are encoded
  const seconds = page.locator("#seconds figure").first();
  assert.match(
    await page.locator("#seconds .legend").textContent(),
    /computing.*encoding and decoding.*communicating.*waiting/,
  );
  const parts = await page.evaluate(() => configurations.map((c) => [c.label, totalOf(partsOf(c)), partsOf(c)[1]]));
  assert.ok(
    parts.length === 8 && parts.every(([label, , coding]) => label.includes("qsgd") === coding > 0),
    "encoding",
  );
  assert.match(
    await seconds
      .locator(".behind th")
      .allTextContents()
      .then((all) => all.join()),
    /encoding,decoding/,
  );

  // tables behind the pictures: in the page for a screen reader, seen when asked for, and in print
  const table = page.locator("#curves .behind").first();
  assert.ok((await table.locator("tbody tr").count()) >= 4);
  await page.locator("#curves figure button.quiet").first().click();
  assert.ok((await table.boundingBox()).height > 60);
  await page.emulateMedia({ media: "print" });
  for (const one of await page.locator(".behind table").all())
    assert.ok((await one.boundingBox()).height > 20, "a table in print");
  assert.equal(await page.locator(".controls").first().isVisible(), false);
});

// lines that cross between 1 and 100 Gbit/s: 1 s each against 0.5 and 2 s meet in the middle of the logarithms
await open("seeds", async (page) => {
  const found = await page.evaluate(() => {
    const [a, b] = labels;
    const [slow, fast] = settings;
    const set = (setting, label, time) => {
      within(setting).find((c) => c.label === label).time = [time, null, null];
    };
    set(slow, a, 1);
    set(fast, a, 1);
    set(slow, b, 0.5);
    set(fast, b, 2);
    const gigabit = 1e9 / 8;
    const quantity = {
      name: "bandwidth",
      format: bandwidth,
      values: new Map([
        [slow, gigabit],
        [fast, 100 * gigabit],
      ]),
    };
    const crossing = crossingsOf([slow, fast], quantity).find((c) => c.below === b && c.above === a);
    return [
      crossingItem(crossing, quantity).textContent,
      `${b} is faster than ${a} below about 10 Gbit/s, and slower above.`,
    ];
  });
  assert.equal(found[0], found[1]);
});

await open("ab", async (page) => {
  assert.equal(await page.locator("#inside canvas.heat").count(), 3, "ranks of factors, too");
  assert.match(await page.locator("#inside").textContent(), /Rank of each layer over time/);
});

await open("hostile", async (page) => {
  assert.equal(await page.locator("h1 script, h1 *").count(), 0);
  assert.match(await page.locator("h1").textContent(), /<\/script><script>alert\(1\)/);
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(width <= 0, `a name of 10,000 letters does not widen the page (${width})`);
});
await open("open-none", async (page) =>
  assert.match(await page.locator(".answer").textContent(), /no run in this database/),
);
await open("open-killed", async (page) => {
  assert.match(await page.locator(".answer").textContent(), /No answer yet/);
  assert.ok((await page.locator("#curves .plot svg path").count()) > 0, "what was recorded is drawn");
});
await open("one", async (page) => assert.ok((await page.locator("canvas.network").count()) === 1));
await open("timing", async (page) => {
  assert.match(await page.locator(".answer").textContent(), /a round takes 500 ms/);
  assert.equal(await page.locator("#curves").count(), 0);
});

/** Texts of charts that lie on each other, or beyond their chart. */
const misplaced = (page) =>
  page.evaluate(() => {
    const found = [];
    for (const plot of document.querySelectorAll(".plot")) {
      const frame = plot.getBoundingClientRect();
      const texts = [...plot.querySelectorAll("svg text")].filter((text) => text.textContent.trim());
      const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
      boxes.forEach(([name, a], i) => {
        if (a.right > frame.right + 1 || a.left < frame.left - 1) found.push(`'${name}' is cut off`);
        for (const [other, b] of boxes.slice(i + 1))
          if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
            found.push(`'${name}' lies on '${other}'`);
      });
    }
    return found;
  });

// nothing is wider than a phone, light or dark; screenshots for who wants to look
for (const width of [1400, 400])
  for (const colorScheme of ["light", "dark"])
    for (const name of ["seeds", "ab", "one", "timing"])
      await open(
        name,
        async (page) => {
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name} at ${width} is ${over} pixels too wide`);
          assert.deepEqual(await misplaced(page), [], `texts of ${name} at ${width}`);
          if (process.env.SHOTS)
            await page.screenshot({ path: `${process.env.SHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true });
        },
        { viewport: { width, height: 900 }, colorScheme },
      );
await browser.close();
