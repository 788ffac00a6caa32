// Tables: what stands behind a picture, for print, for screen readers and for everybody who asks.

const TABLE_ROWS = 200;

/** head: texts; rows: lists of texts (the first names the row). */
function table(caption, head, rows) {
  const shown = rows.slice(0, TABLE_ROWS);
  const words = head.map((_, i) => shown.every((row) => !/^[-–+]?[0-9]/.test(String(row[i])) && row[i] !== "–"));
  const body = el(
    "table",
    {},
    el(
      "caption",
      {},
      rows.length > shown.length ? `${caption} The first ${shown.length} of ${count(rows.length)} rows.` : caption,
    ),
    el(
      "thead",
      {},
      el("tr", {}, ...head.map((text, i) => el("th", { scope: "col", class: words[i] && "words" }, text))),
    ),
    el(
      "tbody",
      {},
      ...shown.map((row) =>
        el(
          "tr",
          {},
          ...row.map((text, i) =>
            el(i ? "td" : "th", i ? { class: words[i] && "words" } : { scope: "row" }, String(text)),
          ),
        ),
      ),
    ),
  );
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, body);
}

/** A picture with its words: what it shows, a place to draw in, and the table behind it, which a button shows on
 * screens. rows are made when `fill` is called: a picture may change. */
function figure(title, caption) {
  const plot = el("div", { class: "plot", role: "img" });
  const behind = el("div", { class: "behind" });
  const button = el(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-expanded": "false",
      onclick: () => button.setAttribute("aria-expanded", String(behind.classList.toggle("open"))),
    },
    "Table",
  );
  const text = el("figcaption", {}, el("b", {}, title), caption ? ` ${caption}` : "");
  const whole = el("figure", {}, el("div", { class: "top" }, text, button), plot, behind);
  return {
    whole,
    plot,
    fill(head, rows, words) {
      plot.setAttribute("aria-label", words || title);
      behind.replaceChildren(table(title, head, rows));
    },
  };
}
