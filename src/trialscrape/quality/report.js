// Search and sort the table of trials. The view is in the address: #q=tree&sort=-enrollment (a minus sorts downwards).
"use strict";
const form = document.querySelector("form");
if (form) {
  const input = form.querySelector("input");
  const output = form.querySelector("output");
  const heads = [...document.querySelectorAll("#table thead th")];
  const body = document.querySelector("#table tbody");
  const rows = [...body.rows].map((row, place) => ({ row, place, text: row.textContent.toLowerCase() }));
  let sort = "";

  const read = (cell) => ("number" in cell.dataset ? cell.dataset.number : cell.textContent.trim());
  const compare = (a, b, numeric) => (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));

  // What has no value comes last in both directions; what is equal keeps the order of the pages.
  function order() {
    const down = sort.startsWith("-");
    const column = heads.findIndex((head) => head.dataset.key === sort.replace("-", ""));
    heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : down ? "descending" : "ascending"));
    const keyed = rows.map((entry) => ({ ...entry, key: column < 0 ? "" : read(entry.row.cells[column]) }));
    const numeric = column >= 0 && "number" in rows[0].row.cells[column].dataset;
    keyed.sort((a, b) => (a.key === "") - (b.key === "")
      || (down ? -1 : 1) * compare(a.key, b.key, numeric) || a.place - b.place);
    body.append(...keyed.map((entry) => entry.row));
  }

  function filter() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    output.value = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} trials`;
  }

  function remember() {
    const view = new URLSearchParams();
    if (input.value.trim()) view.set("q", input.value.trim());
    if (sort) view.set("sort", sort);
    history.replaceState(null, "", `#${view.toString() || "trials"}`);
  }

  function open() {
    const view = new URLSearchParams(location.hash.slice(1));
    if (!view.has("q") && !view.has("sort")) return;
    input.value = view.get("q") ?? "";
    sort = view.get("sort") ?? "";
    order();
    filter();
    document.getElementById("trials").scrollIntoView();
  }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      sort = sort === head.dataset.key ? `-${head.dataset.key}` : head.dataset.key;
      order();
      remember();
    });
  }
  input.addEventListener("input", () => { filter(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", open);
  form.hidden = false;
  order();
  filter();
  open();
}
