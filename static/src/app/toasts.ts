/**
 * One line at the bottom right, with undo where something can be undone. Servers send it as the response header
 * `HX-Trigger: {"toast": {"message": …, "undo_url": …}}`; scripts dispatch "toast" on document.body.
 * Failures are no toasts: they stay where they concern (see requests.ts).
 */
import { icon } from "./icons";
import { registerKey } from "./keyboard";
import { post } from "./requests";

const SHOWN_MS = 6000;
const UNDO_MS = 10000;

interface Toast {
  message: string;
  undo_url?: string;
  undo_label?: string;
  /** Undo by a function of the page instead of a post. */
  undo?: () => void;
}

let undoLatest: (() => void) | null = null;

export function showToast(toast: Toast): void {
  const area = document.getElementById("toasts");
  if (!area) return;
  const line = document.createElement("div");
  line.className = "toast-line";
  const text = document.createElement("span");
  text.textContent = toast.message;
  line.append(text);
  const undo = toast.undo ?? (toast.undo_url ? () => void undoByPost(toast.undo_url!) : null);
  if (undo) {
    const act = (): void => {
      undoLatest = null;
      line.remove();
      undo();
    };
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link-button";
    button.textContent = toast.undo_label ?? "Undo";
    button.addEventListener("click", act);
    line.append(button);
    undoLatest = act;
    area.append(line);
    keep(line, UNDO_MS, () => {
      if (undoLatest === act) undoLatest = null;
    });
  } else {
    area.append(line);
    keep(line, SHOWN_MS);
  }
}

async function undoByPost(url: string): Promise<void> {
  const response = await post(url);
  if (response.ok) window.location.reload();
  else showToast({ message: "This can no longer be undone." });
}

/** Removes the line after a while, but not under the pointer or the focus. */
function keep(line: HTMLElement, milliseconds: number, gone: () => void = () => undefined): void {
  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon-button icon-button-sm";
  close.setAttribute("aria-label", "Close");
  close.append(icon("cross", true));
  line.append(close);
  const remove = (): void => {
    line.remove();
    gone();
  };
  close.addEventListener("click", remove);
  let timer = window.setTimeout(remove, milliseconds);
  const hold = (): void => window.clearTimeout(timer);
  const release = (): void => {
    hold();
    timer = window.setTimeout(remove, SHOWN_MS / 2);
  };
  line.addEventListener("mouseenter", hold);
  line.addEventListener("focusin", hold);
  line.addEventListener("mouseleave", release);
  line.addEventListener("focusout", release);
}

export function startToasts(): void {
  document.body.addEventListener("toast", (event) => {
    const detail = (event as CustomEvent<Toast | { value: string }>).detail;
    showToast("message" in detail ? detail : { message: detail.value });
  });
  for (const line of document.querySelectorAll<HTMLElement>("[data-toast]")) keep(line, SHOWN_MS);
  registerKey({ keys: "Ctrl+z", text: "undo", group: "Everywhere", when: () => undoLatest !== null, run: () => undoLatest?.() });
}
