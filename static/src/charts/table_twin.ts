/** The same numbers as a table, below each chart. */
import type { Trace } from "./plotly";
import { linkOf, shown, wordsOf } from "./walking";

const MOST_ROWS = 500;

function titleOf(axis: unknown, otherwise: string): string {
  const title = (axis as { title?: string | { text?: string } } | undefined)?.title;
  return (typeof title === "string" ? title : title?.text) || otherwise;
}

function cell(row: HTMLTableRowElement, content: string | HTMLElement, number = false): void {
  const element = row.insertCell();
  if (number) element.className = "num";
  element.append(content);
}

export function tableTwin(traces: Trace[], layout: { [key: string]: unknown }): HTMLElement {
  const table = document.createElement("table");
  table.className = "data-table dense";
  const head = table.createTHead().insertRow();
  for (const [label, number] of [["Series", false], [titleOf(layout["xaxis"], "x"), true], [titleOf(layout["yaxis"], "y"), true], ["Reading", false]] as const) {
    const th = document.createElement("th");
    th.scope = "col";
    if (number) th.className = "num";
    th.textContent = label;
    head.append(th);
  }
  const body = table.createTBody();
  const total = traces.reduce((sum, trace) => sum + (trace.y?.length ?? 0), 0);
  // long curves are thinned evenly, and the caption says so
  const every = Math.max(1, Math.ceil(total / MOST_ROWS));
  for (const trace of traces) {
    if (trace["hoverinfo"] === "skip") continue;
    (trace.y ?? []).forEach((value, point) => {
      if (point % every && point !== (trace.y?.length ?? 0) - 1) return;
      const row = body.insertRow();
      cell(row, trace.name ?? "");
      cell(row, shown(trace.x?.[point]), true);
      cell(row, value === null ? "undefined" : shown(value), true);
      const link = linkOf(trace, point);
      const words = trace.customdata ? wordsOf(trace, point) : "";
      if (link) {
        const anchor = document.createElement("a");
        anchor.href = link;
        anchor.textContent = words || "open the cases";
        cell(row, anchor);
      } else cell(row, words);
    });
  }
  if (every > 1) {
    const caption = table.createCaption();
    caption.textContent = `every ${every}th of ${total} points`;
  }
  return table;
}
