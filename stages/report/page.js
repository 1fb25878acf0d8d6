// Sorts a table by the column whose heading is pressed; pressed again, the other way round.
"use strict";
const status = document.getElementById("sorted");

function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === ""); // what is not there comes last
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en") : x - y;
}

function sort(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  const value = (row) => row.cells[column].dataset.value;
  const sign = (a, b) => (order === "descending" && value(a) !== "" && value(b) !== "" ? -1 : 1);
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort((a, b) => sign(a, b) * compare(value(a), value(b))));
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  status.textContent = `Sorted by ${heading.textContent}, ${order}.`;
}

for (const button of document.querySelectorAll(".sortable thead button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}
