/**
 * One registry for all keys. Modules register theirs with `registerKey`; templates need only
 * `data-hotkey="n"` on a link, button or field. The dialog on `?` lists what works on this page.
 */
import { preference, setPreference } from "./preferences";

export interface Key {
  /** "j", "Shift+x", "Ctrl+Enter", "Alt+1", "g c" (one after the other), "?" */
  keys: string;
  text: string;
  group: string;
  run: (event: KeyboardEvent) => void;
  /** When false the key is passed on, and it is left out of the map. */
  when?: () => boolean;
}

const registry: Key[] = [];
const SEQUENCE_MS = 1200;
/** What stands on the keys whose names are words of the browser. */
const CAPS: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "-": "−" };
let pending: { prefix: string; at: number } | null = null;

export function registerKey(key: Key): () => void {
  registry.push(key);
  return () => {
    const index = registry.indexOf(key);
    if (index >= 0) registry.splice(index, 1);
  };
}

/** The pressed combination in the form of `Key.keys`. */
function combination(event: KeyboardEvent): string {
  const letter = event.key.length === 1;
  const key = event.key === " " ? "Space" : letter ? event.key.toLowerCase() : event.key;
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  // a sign such as "?" already holds its Shift
  if (event.shiftKey && (!letter || /[a-z]/i.test(event.key))) parts.push("Shift");
  return [...parts, key].join("+");
}

function normal(keys: string): string {
  return keys
    .trim()
    .split(" ")
    .map((step) => (step === "+" ? "+" : step.split("+").map((part) => (part.length === 1 ? part.toLowerCase() : part)).join("+")))
    .join(" ");
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit", "range"].includes(target.type);
}

function visible(element: HTMLElement): boolean {
  return element.getClientRects().length > 0 && !element.closest("[inert]");
}

/** The part of the page that keys act on: an open dialog shuts out the rest. */
function scope(): ParentNode {
  return document.querySelector("dialog[open]") ?? document;
}

function hotkeyElements(): HTMLElement[] {
  return [...scope().querySelectorAll<HTMLElement>("[data-hotkey]")].filter(visible);
}

function activate(element: HTMLElement): void {
  if (element.matches("input:not([type=checkbox], [type=radio], [type=submit], [type=button]), select, textarea")) {
    element.focus();
    if (element instanceof HTMLInputElement) element.select();
  } else if (!element.matches(":disabled, [aria-disabled=true]")) {
    element.click();
    if (element.matches("summary, [data-bs-toggle]")) element.focus();
  }
}

function find(keys: string): ((event: KeyboardEvent) => void) | null {
  const element = hotkeyElements().find((one) => normal(one.dataset.hotkey ?? "") === keys);
  if (element) return () => activate(element);
  if (document.querySelector("dialog[open]")) return null;
  // the latest registration wins: a page's own keys stand over the general ones
  for (const key of [...registry].reverse()) {
    if (normal(key.keys) === keys && (key.when?.() ?? true)) return key.run;
  }
  return null;
}

function startsSequence(keys: string): boolean {
  if (document.querySelector("dialog[open]")) return false;
  return registry.some((key) => normal(key.keys).startsWith(`${keys} `) && (key.when?.() ?? true));
}

function lettersOn(): boolean {
  return preference("letters") !== "off";
}

function onKeydown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
  const keys = combination(event);
  const single = !/^(Ctrl|Alt)\+/.test(keys) && event.key.length === 1;
  if (isTyping(event.target) && !/^(Ctrl|Alt)\+/.test(keys)) {
    if (event.key === "Escape") (event.target as HTMLElement).blur();
    return;
  }
  if (single && !lettersOn() && keys !== "?") return;
  if (pending && event.timeStamp - pending.at < SEQUENCE_MS) {
    const run = find(`${pending.prefix} ${keys}`);
    pending = null;
    if (run) {
      event.preventDefault();
      run(event);
      return;
    }
  }
  pending = null;
  const run = find(keys);
  if (run) {
    // Enter and Space keep their meaning on links, buttons and folds
    const target = event.target;
    if (["Enter", "Space"].includes(keys) && target instanceof HTMLElement && target.matches("a, button, summary, input, label")) return;
    event.preventDefault();
    run(event);
  } else if (startsSequence(keys)) {
    pending = { prefix: keys, at: event.timeStamp };
  }
}

/** G (or Alt+G where pages show images) and then the letter of the rail entry. */
function registerJumps(): void {
  const prefix = document.body.dataset.keyboard === "image" ? "Alt+g" : "g";
  for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-jump]")) {
    registerKey({
      keys: `${prefix} ${link.dataset.jump}`,
      text: link.title || (link.textContent ?? "").trim(),
      group: "Go to",
      run: () => link.click(),
    });
  }
}

function entriesForMap(): { keys: string; text: string; group: string }[] {
  const rows: { keys: string; text: string; group: string }[] = [];
  for (const element of [...document.querySelectorAll<HTMLElement>("[data-hotkey]")].filter((one) => visible(one) && !one.closest("dialog"))) {
    const text = element.dataset.hotkeyLabel || element.getAttribute("aria-label") || element.title || (element.textContent ?? "").trim();
    rows.push({ keys: element.dataset.hotkey ?? "", text, group: element.closest(".topbar") ? "Everywhere" : "This page" });
  }
  for (const key of registry) {
    if (key.when?.() ?? true) rows.push({ keys: key.keys, text: key.text, group: key.group });
  }
  const seen = new Set<string>();
  return rows.filter((row) => !seen.has(row.keys + row.group) && seen.add(row.keys + row.group));
}

function keycaps(keys: string): HTMLElement {
  const term = document.createElement("dt");
  keys.split(" ").forEach((step, index) => {
    if (index) term.append(" then ");
    for (const part of step.length > 1 ? step.split("+") : [step]) {
      const cap = document.createElement("kbd");
      cap.textContent = CAPS[part] ?? (part.length === 1 ? part.toUpperCase() : part);
      term.append(cap, " ");
    }
  });
  return term;
}

export function openKeyboardMap(): void {
  const dialog = document.querySelector<HTMLDialogElement>("#keyboard-map");
  const area = dialog?.querySelector<HTMLElement>("[data-keyboard-rows]");
  if (!dialog || !area || dialog.open) return;
  const groups = new Map<string, HTMLElement>();
  for (const row of entriesForMap()) {
    let list = groups.get(row.group);
    if (!list) {
      list = document.createElement("dl");
      groups.set(row.group, list);
    }
    const text = document.createElement("dd");
    text.textContent = row.text;
    list.append(keycaps(row.keys), text);
  }
  const order = ["This page", "Table", "Images", "Chart", "Everywhere", "Go to"];
  const rank = (name: string): number => (order.indexOf(name) < 0 ? 1 : order.indexOf(name));
  area.replaceChildren(
    ...[...groups].sort(([a], [b]) => rank(a) - rank(b)).map(([name, list]) => {
      const section = document.createElement("section");
      const title = document.createElement("h3");
      title.textContent = name;
      section.append(title, list);
      return section;
    }),
  );
  const letters = dialog.querySelector<HTMLInputElement>("[data-keyboard-letters]");
  if (letters) {
    letters.checked = lettersOn();
    letters.onchange = () => setPreference("letters", letters.checked ? null : "off");
  }
  dialog.showModal();
}

export function startKeyboard(): void {
  document.addEventListener("keydown", onKeydown);
  registerJumps();
}
