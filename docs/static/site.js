/* Each cell of a table, but the first of a row, gets the heading of its column, which
   site.css shows where there is no place for columns. */
addEventListener("DOMContentLoaded", () => {
    for (const table of document.querySelectorAll("table.docutils")) {
        const names = [...table.querySelectorAll("thead th")].map((each) => each.textContent.trim());
        for (const row of table.querySelectorAll("tbody tr")) {
            [...row.children].forEach((cell, column) => {
                if (column && names[column]) {
                    cell.dataset.label = names[column];
                }
            });
        }
    }
});
