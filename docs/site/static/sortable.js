// Tables inside .sortable: a field to filter by, and columns that sort when their head is clicked.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".sortable")) {
    const table = box.querySelector("table");
    if (!table) continue;
    const body = table.tBodies[0];
    const filter = Object.assign(document.createElement("input"), { className: "filter", type: "search", placeholder: "filter" });
    filter.setAttribute("aria-label", "filter the table");
    const text = (row, column) => row.cells[column].textContent.trim();
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/);
      for (const row of body.rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    });
    box.prepend(filter);
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.tabIndex = 0;
      const sort = () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].sort((a, b) => text(a, column).localeCompare(text(b, column), "en", { numeric: true }));
        body.append(...(down ? rows.reverse() : rows));
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    });
  }
});
