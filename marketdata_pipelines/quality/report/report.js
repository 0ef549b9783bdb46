"use strict";
// Sorting, filtering and the map's other symbols. Without it the page shows everything but these.
(() => {
  const byId = (id) => document.getElementById(id);
  const tell = (id, told) => { const place = byId(id); if (place) place.textContent = told; };

  for (const tools of document.querySelectorAll(".tools")) tools.hidden = false;

  // Tables: a press on a column's name sorts by it, a second one turns it round.
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent.trim();
  };
  const compare = (one, other) => {
    if (one === other) return 0;
    if (one === "" || one === "\u2013") return 1;
    if (other === "" || other === "\u2013") return -1;
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), "en", { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const turned = head.getAttribute("aria-sort") === "ascending";
        for (const each of heads) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", turned ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row, at) => ({ row, at, key: keyOf(row, column) }));
        rows.sort((one, other) => (turned ? -1 : 1) * compare(one.key, other.key) || one.at - other.at);
        body.append(...rows.map((each) => each.row));
      });
    });
  }

  // Findings: by rule, severity and symbol.
  const found = byId("found");
  if (found) {
    const rule = byId("found-rule"), severity = byId("found-severity"), symbol = byId("found-symbol");
    const rows = [...found.tBodies[0].rows];
    const filter = () => {
      const part = symbol.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits = (!rule.value || row.dataset.rule === rule.value)
          && (!severity.value || row.dataset.severity === severity.value)
          && row.dataset.symbol.includes(part);
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      tell("found-count", shown + " of " + rows.length + " shown");
    };
    for (const control of [rule, severity, symbol]) control.addEventListener("input", filter);
    filter();
  }

  // The map: rows are made from the data beside it.
  const body = byId("heat-rows"), data = byId("heat-data");
  if (body && data) {
    const heat = JSON.parse(data.textContent);
    const text = byId("map-filter"), scores = byId("map-scores");
    const rowOf = ([symbol, letters, values]) => {
      const row = document.createElement("tr"), head = document.createElement("th");
      head.scope = "row";
      const name = document.createElement(symbol ? "bdi" : "i");
      name.textContent = symbol || "no symbol";
      head.append(name);
      row.append(head);
      values.forEach((value, at) => {
        const cell = row.insertCell();
        const letter = letters[at];
        cell.className = value === null ? "g0" : "g" + letter;
        cell.textContent = value === null ? "\u2013" : scores.checked ? String(Math.floor(value / 10)) : letter;
        if (value !== null) cell.title = (value / 10).toFixed(1);
      });
      return row;
    };
    const draw = () => {
      const part = text.value.trim().toLowerCase();
      const fitting = heat.rows.filter((row) => row[0].toLowerCase().includes(part));
      body.replaceChildren(...fitting.slice(0, heat.shown).map(rowOf));
      const shown = Math.min(fitting.length, heat.shown);
      tell("map-count", shown + " of " + heat.rows.length + " symbols shown"
        + (fitting.length > shown ? ", " + fitting.length + " fit" : ""));
    };
    text.addEventListener("input", draw);
    scores.addEventListener("input", draw);
    draw();
  }
})();
