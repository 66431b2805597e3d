/**
 * The gallery of synthetic views (`data-gallery`): on the tile in focus A accepts, R asks why and rejects, I opens the
 * record, and H shows the host while it is held. Walking and Enter come from tables.ts.
 */
import htmx from "htmx.org";
import { registerKey } from "./keyboard";
import { move } from "./tables";

/** The tile that verdicts concern: the one in focus, or the one that had it last. */
function currentTile(): HTMLElement | null {
  const focused = document.activeElement?.closest<HTMLElement>("[data-tile]");
  return focused ?? document.querySelector<HTMLElement>('[data-gallery] [data-tile][tabindex="0"]');
}

function gallery(): HTMLElement | null {
  return document.querySelector<HTMLElement>("[data-gallery]");
}

/** Sends a verdict; the answer replaces the tiles of the case, and the focus goes back to its tile. */
async function judge(tile: HTMLElement, values: Record<string, string>): Promise<void> {
  const url = tile.dataset.judgeUrl;
  if (!url) return;
  const id = tile.id;
  await htmx.ajax("post", url, { source: gallery() ?? tile, target: tile, swap: "none", values });
  document.getElementById(id)?.focus({ preventScroll: true });
}

function accept(): void {
  const tile = currentTile();
  if (tile) void judge(tile, { verdict: "accept" });
}

function askReason(): void {
  const tile = currentTile();
  const dialog = document.querySelector<HTMLDialogElement>("dialog[data-reject]");
  if (!tile?.dataset.judgeUrl || !dialog || dialog.open) return;
  dialog.querySelector("form")?.reset();
  const name = dialog.querySelector<HTMLElement>("[data-reject-name]");
  if (name) name.textContent = tile.dataset.name ?? "this case";
  const problem = dialog.querySelector<HTMLElement>("[data-reject-error]");
  if (problem) problem.textContent = "";
  dialog.dataset.for = tile.id;
  dialog.showModal();
  dialog.querySelector<HTMLElement>("input[type=radio]")?.focus();
}

/** In the gallery the dialog is sent without leaving the page; on a record it is an ordinary form. */
function onSubmit(event: SubmitEvent): void {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  const dialog = form.closest<HTMLDialogElement>("dialog[data-reject]");
  if (!dialog) return;
  const data = new FormData(form);
  const reason = String(data.get("reason") ?? "");
  const note = String(data.get("note") ?? "").trim();
  const missing = !reason ? "Choose a reason." : reason === "other" && !note ? "Say in the note why." : "";
  if (missing) {
    event.preventDefault();
    const problem = dialog.querySelector<HTMLElement>("[data-reject-error]");
    if (problem) problem.textContent = missing;
    return;
  }
  const tile = dialog.dataset.for ? document.getElementById(dialog.dataset.for) : null;
  if (!tile) return;
  event.preventDefault();
  dialog.close();
  void judge(tile, { verdict: "reject", reason, note });
}

/** The host's pictures in place of the synthetic ones, or back. */
function showHost(tile: HTMLElement, host: boolean): void {
  for (const image of tile.querySelectorAll<HTMLImageElement>("img[data-host-src]")) {
    const own = image.dataset.ownSrc ?? image.getAttribute("src") ?? "";
    image.dataset.ownSrc = own;
    image.src = host ? (image.dataset.hostSrc ?? own) : own;
  }
  tile.toggleAttribute("data-host-shown", host);
}

export function startGallery(): void {
  const when = (): boolean => gallery() !== null;
  const judges = (): boolean => Boolean(currentTile()?.dataset.judgeUrl);
  const group = "Images";
  registerKey({ keys: "ArrowRight", text: "next view", group, when, run: () => move(1) });
  registerKey({ keys: "ArrowLeft", text: "previous view", group, when, run: () => move(-1) });
  registerKey({ keys: "a", text: "accept the case", group, when: judges, run: accept });
  registerKey({ keys: "r", text: "reject the case, with a reason", group, when: judges, run: askReason });
  registerKey({
    keys: "i",
    text: "record of the case",
    group,
    when,
    run: () => {
      const url = currentTile()?.dataset.recordUrl;
      if (url) window.location.assign(url);
    },
  });
  registerKey({
    keys: "h",
    text: "hold: the host without the cluster",
    group,
    when,
    run: () => {
      const tile = currentTile();
      if (!tile || tile.hasAttribute("data-host-shown")) return;
      showHost(tile, true);
      const back = (event: KeyboardEvent): void => {
        if (event.key.toLowerCase() !== "h") return;
        document.removeEventListener("keyup", back);
        showHost(tile, false);
      };
      document.addEventListener("keyup", back);
    },
  });
  document.addEventListener("submit", onSubmit);
}
