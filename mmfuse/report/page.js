"use strict";
(() => {
  // Light or dark: the reader's system says, until the switch is used.
  const root = document.documentElement;
  const stored = (value) => {
    try {
      if (value) localStorage.setItem("mmfuse-theme", value);
      return localStorage.getItem("mmfuse-theme");
    } catch { return value; } // a browser that keeps nothing for files
  };
  if (stored()) root.dataset.theme = stored();
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    stored(root.dataset.theme);
  });

  // A click on a column's name sorts by it, a second one the other way. Cells without a value stay last.
  const value = (row, column) => row.cells[column].dataset.by ?? row.cells[column].textContent.trim();
  const sort = (table, column, down) => {
    const body = table.tBodies[0];
    const empty = (text) => text === "" || text === "n/a";
    body.append(...[...body.rows].sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (empty(x) || empty(y)) return empty(x) - empty(y);
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
      return down ? -order : order;
    }));
  };
  for (const table of document.querySelectorAll(".table table")) {
    if (!table.tHead) continue; // names and values
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table, column, down);
    }));
  }

  // Rows that hold every word of the filter are shown.
  for (const input of document.querySelectorAll(".filter input")) {
    const rows = [...input.closest(".table").querySelectorAll("tbody tr")];
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }

  // Charts. Those within something folded are drawn when they can be seen, for they ask how wide they may be.
  const config = JSON.parse(document.getElementById("chart-config").textContent);
  const draw = (figure) => {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    figure.dataset.drawn = "";
    return vegaEmbed(figure.querySelector(".drawing"), spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, logLevel: 1, config, tooltip: { theme: "custom" },
    }).catch((error) => { figure.querySelector(".drawing").textContent = String(error); console.error(error); });
  };
  const waiting = () => [...document.querySelectorAll(".chart:not([data-drawn])")].filter((f) => f.offsetParent);
  waiting().forEach(draw);
  for (const folded of document.querySelectorAll("details")) {
    folded.addEventListener("toggle", () => waiting().forEach(draw));
  }
})();
