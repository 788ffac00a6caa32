// How to repeat it: every option, version, hash and warning of every run.

const aboutNames = [
  ["id", "run"],
  ["study", "study"],
  ["status", "status"],
  ["reason", "ended because"],
  ["start_utc", "started"],
  ["end_utc", "ended"],
  ["platform_file", "platform file"],
  ["platform_hash", "its hash"],
  ["network_model", "network model"],
  ["protocol", "protocol"],
  ["precision_s", "precision of time"],
  ["workers", "workers"],
  ["zones", "zones"],
  ["time_source", "durations"],
  ["profile_hash", "profile"],
  ["device", "measured on"],
  ["backend", "backend"],
  ["kernel", "kernel"],
  ["threads", "threads"],
  ["versions", "versions"],
  ["parameters_hash", "hash of the parameters"],
  ["wall_s", "wall time"],
  ["peak_memory_bytes", "peak memory"],
  ["simulated_messages", "messages simulated"],
  ["skipped_messages", "messages skipped in steady states"],
  ["simulated_in_full", "simulated in full"],
  ["closed_form_ratio", "collectives / closed form"],
  ["lambda2", "second eigenvalue"],
];

function aboutText(key, value) {
  if (value === null || value === "") return null;
  if (key === "peak_memory_bytes") return bytes(value);
  if (key.endsWith("_s")) return seconds(value);
  if (/messages$/.test(key)) return count(value);
  return typeof value === "number" ? plain(value) : value;
}

function pairsList(pairs) {
  return el("dl", { class: "pairs" }, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function aboutRun(run) {
  const about = aboutNames
    .map(([key, name]) => [name, aboutText(key, run.about[key])])
    .filter(([, value]) => value !== null);
  return el(
    "div",
    {},
    el("p", {}, "This repeats the run:"),
    el("pre", {}, run.about.command || "(not recorded)"),
    pairsList(about),
    el("h3", {}, "Every option"),
    pairsList(Object.entries(run.configuration)),
  );
}

function sameForAll(key) {
  const values = [...new Set(data.runs.map((run) => run.about[key]))];
  return values.filter((v) => v !== null && v !== "").join("; ");
}

/** Which runs a warning is of. */
function whoseText(runs) {
  if (runs.length === 1) return nameOfRun(runs[0]);
  return runs.length === data.runs.length ? "all runs" : `${runs.length} runs`;
}

function drawWarnings(host) {
  const warnings = new Map();
  data.runs.forEach((run, i) =>
    (run.warnings.warning || []).forEach((text) => warnings.set(text, [...(warnings.get(text) || []), i])),
  );
  if (!warnings.size) return;
  const items = [...warnings].map(([text, runs]) =>
    el("li", {}, `${text} `, el("span", { class: "soft" }, `(${whoseText(runs)})`)),
  );
  host.append(el("h3", {}, "Warnings"), el("ul", { class: "plain" }, ...items));
}

function drawRuns(host) {
  const body = el("div", {});
  const show = (i) => body.replaceChildren(aboutRun(data.runs[i]));
  const short = (run) => run.about.id.slice(0, 8);
  const names = data.runs.map((run, i) => `${short(run)}: ${nameOfRun(i)}`);
  host.append(el("h3", {}, "Each run"), picker("run", names, show) || "", body);
  show(0);
  if (data.runs.length < 2) return;
  const rows = data.runs.map((run, i) => [short(run), nameOfRun(i), run.about.status, run.about.command || "–"]);
  const head = ["run", "configuration", "status", "command"];
  host.append(el("div", { class: "behind" }, table("Commands that repeat the runs.", head, rows)));
}

function showProvenance() {
  if (!data.runs.length) return;
  section("provenance", "How it was made", "", (host) => {
    const common = [
      ["versions", sameForAll("versions")],
      ["network models", sameForAll("network_model")],
      ["platforms", sameForAll("platform")],
      ["durations", sameForAll("time_source")],
      ["measured on", sameForAll("device")],
      ["kernel", sameForAll("kernel")],
    ];
    host.append(pairsList(common.filter(([, value]) => value)));
    drawWarnings(host);
    drawRuns(host);
    host.append(el("h3", {}, "This page"), el("pre", {}, data.command));
  });
}
