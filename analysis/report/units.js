// Numbers as people read them: three digits and a unit that fits.

function trim3(value) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e6) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  const text = Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3);
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

function scaled(value, steps) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return `0 ${steps[steps.length - 1][1]}`;
  for (const [size, unit] of steps) if (Math.abs(value) >= size * 0.9995) return `${trim3(value / size)} ${unit}`;
  const [size, unit] = steps[steps.length - 1];
  return `${trim3(value / size)} ${unit}`;
}

function seconds(value) {
  if (value !== null && Math.abs(value) < 1e-13) return "0 s"; // a rounding: simulated times are exact to 1e-12 s
  return scaled(value, [
    [1, "s"],
    [1e-3, "ms"],
    [1e-6, "µs"],
    [1e-9, "ns"],
  ]);
}

function bytes(value) {
  return scaled(value, [
    [1e15, "PB"],
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
    [1, "B"],
  ]);
}

function bandwidth(value) {
  return scaled(value === null ? null : value * 8, [
    [1e12, "Tbit/s"],
    [1e9, "Gbit/s"],
    [1e6, "Mbit/s"],
    [1e3, "kbit/s"],
    [1, "bit/s"],
  ]);
}

function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = 100 * share;
  const text = value !== 0 && value < 9.95 ? value.toPrecision(2) : value.toFixed(value < 99.95 ? 1 : 0);
  return `${text.includes("e") ? value.toExponential(0) : text.replace(/\.0+$/, "")} %`;
}

function count(value) {
  return value === null || value === undefined ? "–" : Number(value).toLocaleString("en-GB");
}

function plain(value) {
  return value === null || value === undefined ? "–" : typeof value === "number" ? trim3(value) : String(value);
}
