/**
 * Tables and grids whose rows can be walked: `data-rows` around, `data-row` on each row.
 * One roving tab stop; J/K or arrows move, Enter opens `data-url`, X selects, Shift+X a range, Space previews.
 */
import htmx from "htmx.org";
import { isTyping, registerKey } from "./keyboard";
import { preference, setPreference } from "./preferences";

const PREVIEW_REST_MS = 180;
let anchor: HTMLElement | null = null;
let previewTimer = 0;

function lists(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-rows]")].filter((list) => list.getClientRects().length > 0);
}

function rowsOf(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>("[data-row]")];
}

function currentList(): HTMLElement | null {
  return document.activeElement?.closest<HTMLElement>("[data-rows]") ?? lists()[0] ?? null;
}

function currentRow(): HTMLElement | null {
  return document.activeElement?.closest<HTMLElement>("[data-row]") ?? null;
}

/** The row that has, or last had, the focus; else the first. */
function rememberedRow(list: HTMLElement): HTMLElement | null {
  return currentRow() ?? list.querySelector<HTMLElement>('[data-row][tabindex="0"]');
}

function setStop(list: HTMLElement, row: HTMLElement): void {
  for (const one of rowsOf(list)) one.tabIndex = one === row ? 0 : -1;
}

/** To another row of the list in use; from outside it, to the row that had the focus last. */
export function move(step: number | "first" | "last"): void {
  const list = currentList();
  if (!list) return;
  const rows = rowsOf(list);
  const now = currentRow();
  let index: number;
  if (step === "first") index = 0;
  else if (step === "last") index = rows.length - 1;
  else if (!now) index = Math.max(0, rows.indexOf(rememberedRow(list) ?? rows[0]!));
  else index = Math.min(rows.length - 1, Math.max(0, rows.indexOf(now) + step));
  const row = rows[index];
  if (!row) return;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/** Rows of a grid stand side by side, so down means as many rows on as fit beside each other. */
function perLine(): number {
  const list = currentList();
  const rows = list ? rowsOf(list) : [];
  const top = rows[0]?.offsetTop;
  return Math.max(1, rows.findIndex((row) => row.offsetTop !== top));
}

function open(row: HTMLElement): void {
  if (row.dataset.url) window.location.assign(row.dataset.url);
  else row.querySelector<HTMLAnchorElement>("a[href]")?.click();
}

function box(row: HTMLElement): HTMLInputElement | null {
  return row.querySelector<HTMLInputElement>("input[data-select]");
}

function select(row: HTMLElement, checked: boolean): void {
  const input = box(row);
  if (!input || input.disabled || input.checked === checked) return;
  input.checked = checked;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function toggle(row: HTMLElement): void {
  const input = box(row);
  if (input) select(row, !input.checked);
  anchor = row;
}

function selectRange(row: HTMLElement): void {
  const list = row.closest<HTMLElement>("[data-rows]");
  if (!list) return;
  const rows = rowsOf(list);
  const from = anchor ? rows.indexOf(anchor) : -1;
  const to = rows.indexOf(row);
  if (from < 0) toggle(row);
  else rows.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => select(one, true));
}

function preview(row: HTMLElement): void {
  const target = row.closest<HTMLElement>("[data-rows]")?.dataset.previewTarget;
  const url = row.dataset.previewUrl;
  if (target && url && document.querySelector<HTMLElement>(target)?.getClientRects().length) {
    void htmx.ajax("get", url, { target, swap: "innerHTML" });
  }
}

function showSelection(list: HTMLElement): void {
  let count = 0;
  for (const row of rowsOf(list)) {
    const checked = box(row)?.checked ?? false;
    row.classList.toggle("selected", checked);
    if (checked) count += 1;
  }
  const all = list.querySelector<HTMLInputElement>("input[data-select-all]");
  if (all) {
    const total = rowsOf(list).filter(box).length;
    all.checked = count > 0 && count === total;
    all.indeterminate = count > 0 && count < total;
  }
  for (const bar of document.querySelectorAll<HTMLElement>(`[data-selection-for="${CSS.escape(list.id)}"]`)) {
    bar.querySelectorAll("[data-selection-count]").forEach((one) => (one.textContent = String(count)));
    bar.querySelectorAll<HTMLButtonElement>("[data-selection-action]").forEach((one) => (one.disabled = count === 0));
  }
  list.dispatchEvent(new CustomEvent("cemlab:selection", { bubbles: true, detail: { count } }));
}

/** Gives each list its one tab stop; called again for what htmx brings in. */
export function prepareRows(root: ParentNode): void {
  const found = [...root.querySelectorAll<HTMLElement>("[data-rows]")];
  const around = root instanceof HTMLElement ? root.closest<HTMLElement>("[data-rows]") : null;
  for (const list of around ? [around, ...found] : found) {
    const rows = rowsOf(list);
    const stop = rows.find((row) => row.tabIndex === 0) ?? rows[0];
    if (stop) setStop(list, stop);
    showSelection(list);
  }
}

function onFocus(event: FocusEvent): void {
  const row = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>("[data-row]") : null;
  const list = row?.closest<HTMLElement>("[data-rows]");
  if (!row || !list) return;
  setStop(list, row);
  if (list.dataset.previewTarget && !list.hasAttribute("data-preview-on-space")) {
    window.clearTimeout(previewTimer);
    previewTimer = window.setTimeout(() => preview(row), PREVIEW_REST_MS);
  }
}

function onClick(event: MouseEvent): void {
  if (!(event.target instanceof HTMLElement) || event.target.closest("a, button, input, label, select, summary")) return;
  const row = event.target.closest<HTMLElement>("[data-row]");
  if (!row) return;
  row.focus({ preventScroll: true });
  if (event.shiftKey) selectRange(row);
  else if (event.ctrlKey || event.metaKey) toggle(row);
}

function onChange(event: Event): void {
  const input = event.target;
  if (!(input instanceof HTMLInputElement)) return;
  const list = input.closest<HTMLElement>("[data-rows]");
  if (!list) return;
  if (input.matches("[data-select-all]")) {
    // Read once: each selected row sets the state of this box anew.
    const checked = input.checked;
    rowsOf(list).forEach((row) => select(row, checked));
  } else if (input.matches("[data-select]")) {
    anchor = input.closest<HTMLElement>("[data-row]");
    showSelection(list);
  }
}

export function startTables(): void {
  const when = (): boolean => lists().length > 0;
  const onRow = (): boolean => currentRow() !== null;
  const selects = (): boolean => lists().some((list) => list.querySelector("input[data-select]") !== null);
  const previews = (): boolean => lists().some((list) => Boolean(list.dataset.previewTarget));
  const withRow = (act: (row: HTMLElement) => void) => (): void => {
    const list = currentList();
    const row = list && rememberedRow(list);
    if (row) act(row);
  };
  const group = "Table";
  registerKey({ keys: "j", text: "next row", group, when, run: () => move(1) });
  registerKey({ keys: "k", text: "previous row", group, when, run: () => move(-1) });
  registerKey({ keys: "ArrowDown", text: "next row", group, when: onRow, run: () => move(perLine()) });
  registerKey({ keys: "ArrowUp", text: "previous row", group, when: onRow, run: () => move(-perLine()) });
  registerKey({ keys: "Home", text: "first row", group, when: onRow, run: () => move("first") });
  registerKey({ keys: "End", text: "last row", group, when: onRow, run: () => move("last") });
  registerKey({ keys: "Enter", text: "open", group, when: onRow, run: withRow(open) });
  registerKey({ keys: "x", text: "select", group, when: selects, run: withRow(toggle) });
  registerKey({ keys: "Shift+x", text: "select up to here", group, when: selects, run: withRow(selectRange) });
  registerKey({ keys: "Space", text: "preview", group, when: () => previews() && onRow(), run: withRow(preview) });
  registerKey({ keys: "d", text: "dense rows", group, when, run: () => setPreference("dense", preference("dense") ? null : "1") });
  document.addEventListener("focusin", onFocus);
  document.addEventListener("click", onClick);
  document.addEventListener("dblclick", (event) => {
    const row = event.target instanceof HTMLElement && !isTyping(event.target) ? event.target.closest<HTMLElement>("[data-row]") : null;
    if (row && !(event.target as HTMLElement).closest("a, button, input, label")) open(row);
  });
  document.addEventListener("change", onChange);
  prepareRows(document);
}
