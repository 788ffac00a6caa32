"use strict";
// What all parts of the page share: the data, elements, colours, sections. Files are joined into one script, in the
// order that CMakeLists.txt gives. Text from the data reaches the page as text nodes only.

const data = JSON.parse(document.getElementById("data").textContent);

/** An element: el("p", {class: "note"}, "text", child, ...). */
function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The rows of columns {a: [..], b: [..]} as objects. */
function rowsOf(columns) {
  const names = Object.keys(columns || {});
  const n = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: n }, (_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
}

function lengthOf(columns) {
  const names = Object.keys(columns || {});
  return names.length ? columns[names[0]].length : 0;
}

/** A section of the page with its heading; it is added when `fill` has put something into it. */
function section(id, title, intro, fill) {
  const body = el("section", { id }, el("h2", {}, title), intro ? el("p", { class: "intro" }, intro) : null);
  const before = body.childElementCount;
  document.getElementById("body").append(body); // sizes are known within the document only
  fill(body);
  if (body.childElementCount === before) body.remove();
}

// --- configurations and settings -----------------------------------------------------------------------------------

// Runs that are not done belong to no configuration: without any that is, each is one of its own.
const configurations = data.configurations.length
  ? data.configurations
  : data.runs.map((run, i) => ({
      setting: run.about.platform,
      label: [run.about.method, run.about.compressor, run.about.id.slice(0, 4)].join(", "),
      settingKeys: "",
      reached: 0,
      runs: [i],
      time: [null, null, null],
      bytes: [null, null, null],
      accuracy: [run.about.accuracy, null, null],
      times: [null],
      sizes: [null],
      unfinished: true,
    }));
const settings = [...new Set(configurations.map((c) => c.setting))];
const labels = [...new Set(configurations.map((c) => c.label))];

/** The colour of a configuration, the same wherever it runs; past the last colour they begin again, dashed. */
function colourOf(label) {
  return css(`--c${labels.indexOf(label) % 8}`);
}

function dashOf(label) {
  return [[], [6, 3], [2, 3], [8, 3, 2, 3]][Math.floor(labels.indexOf(label) / 8) % 4];
}

/** Without an evaluation a configuration is judged by the seconds of a round. */
const timingOnly = data.runs.length > 0 && data.runs.every((run) => run.about.accuracy === null);

function within(setting) {
  return configurations.filter((c) => c.setting === setting);
}

/** "fat-tree-64, allreduce, qsgd": a run's configuration by its place in data.runs. */
function nameOfRun(i) {
  const c = configurations.find((one) => one.runs.includes(i));
  const about = data.runs[i].about;
  const name = c ? [settings.length > 1 ? c.setting : null, labels.length > 1 || c.label ? c.label : null] : [];
  const text = name.filter(Boolean).join(", ") || [about.platform, about.method, about.compressor].join(", ");
  return c && c.runs.length > 1 ? `${text}, seed ${about.seed}` : text;
}

/** A row of buttons of which one is pressed. choices: [[value, text], ...]. */
function choice(name, choices, value, change) {
  const group = el("div", { class: "choice", role: "group", "aria-label": name }, el("span", { class: "name" }, name));
  const buttons = choices.map(([key, text]) =>
    el(
      "button",
      {
        type: "button",
        "aria-pressed": String(key === value),
        "data-value": key,
        onclick: () => {
          buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.value === String(key))));
          change(key);
        },
      },
      text,
    ),
  );
  group.append(el("span", { class: "buttons" }, ...buttons));
  return group;
}

/** A button with a sign or a word; name: what it does, where the sign does not say it. */
function button(text, name, onclick) {
  return el("button", { type: "button", class: "play", "aria-label": name, onclick }, text);
}

/** "1 link", "12 links" */
function several(number, what) {
  return `${count(number)} ${what}${number === 1 ? "" : "s"}`;
}

/** A list of which one entry is shown; with one entry nothing. */
function picker(name, entries, change) {
  if (entries.length < 2) return null;
  const select = el(
    "select",
    { onchange: () => change(Number(select.value)) },
    ...entries.map((text, i) => el("option", { value: i }, text)),
  );
  return el("label", { class: "picker" }, el("span", { class: "name" }, name), select);
}

// Pictures are drawn again when the colours change, and for print.
const redraws = [];

function onRedraw(draw) {
  redraws.push(draw);
}

function redrawAll() {
  redraws.forEach((draw) => draw());
}
