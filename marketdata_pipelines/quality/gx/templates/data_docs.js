"use strict";
// What a page of Data Docs can do: show failed expectations only, fold and unfold, sort a column.
(function () {
  function showFailedOnly(only) {
    document.body.classList.toggle("failed-only", only);
  }
  document.querySelectorAll('input[name="shown"]').forEach(function (choice) {
    choice.addEventListener("change", function () { showFailedOnly(choice.value === "failed" && choice.checked); });
  });
  // A row that holds a sign of success is hidden with it.
  document.querySelectorAll(".hide-succeeded-validation-target-child").forEach(function (sign) {
    var row = sign.closest("tr");
    if (row) { row.classList.add("hide-succeeded-validation-target"); }
  });
  document.querySelectorAll('[data-toggle="collapse"]').forEach(function (link) {
    var body = document.querySelector(link.getAttribute("href"));
    if (!body) { return; }
    link.setAttribute("role", "button");
    link.addEventListener("click", function (event) {
      event.preventDefault();
      var open = body.classList.toggle("show");
      link.setAttribute("aria-expanded", String(open));
    });
  });
  // What can be scrolled can be scrolled by keyboard.
  document.querySelectorAll(".table-responsive, .show-scrollbars").forEach(function (region) {
    if (region.scrollWidth > region.clientWidth) { region.tabIndex = 0; }
  });
  document.querySelectorAll("table.list thead th").forEach(function (head, column) {
    head.tabIndex = 0;
    function sort() {
      var body = head.closest("table").tBodies[0];
      var upwards = head.getAttribute("aria-sort") !== "ascending";
      var numeric = head.classList.contains("number");
      head.parentNode.querySelectorAll("th").forEach(function (each) { each.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
      Array.from(body.rows).sort(function (left, right) {
        var one = left.cells[column].textContent.trim();
        var two = right.cells[column].textContent.trim();
        var order = numeric ? parseFloat(one.replace(/,/g, "")) - parseFloat(two.replace(/,/g, "")) : one.localeCompare(two);
        return upwards ? order : -order;
      }).forEach(function (row) { body.appendChild(row); });
    }
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
})();
