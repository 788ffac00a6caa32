// The page, section by section. One that fails says so, and the others are shown.

function attempt(show) {
  try {
    show();
  } catch (error) {
    console.error(error);
    document
      .getElementById("body")
      .append(el("p", { class: "note" }, `A part of this page could not be shown: ${error.message}`));
  }
}

if (!globalThis.echarts && data.runs.length) document.getElementById("body").append(missingNote());
[showTarget, showCurves, showCrossings, showSeconds, showInside, showConsensus, showProvenance].forEach(attempt);
