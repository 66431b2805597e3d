/** The page of a review item: time on the item, what happens after a reveal, and no answer lost on the way on. */
import { isTyping } from "./keyboard";
import { csrfToken } from "./requests";
import { showToast } from "./toasts";

interface CaseViewer {
  layers: { lesions: { id: number }[]; findings: { id: number; view: number; box: number[] }[] } | null;
  loadLayers: () => Promise<void>;
  goToLesion: (index: number) => void;
  goTo: (view: number, box: number[]) => void;
}

/** A stretch of time on the item; its key lets the server count it once, however often it arrives. */
interface Stretch {
  visit: string;
  seconds: string;
}

/** Time the page was in front of the reader, cut into stretches: each is sent with an answer or on leaving. */
class Stopwatch {
  private passed = 0;
  private since: number | null = document.hidden ? null : performance.now();

  pause(): void {
    this.passed = this.milliseconds;
    this.since = null;
  }

  resume(): void {
    this.since ??= performance.now();
  }

  private get milliseconds(): number {
    return this.passed + (this.since === null ? 0 : performance.now() - this.since);
  }

  /** The stretch up to now; the next one begins. */
  cut(): Stretch {
    const seconds = (this.milliseconds / 1000).toFixed(2);
    this.passed = 0;
    if (this.since !== null) this.since = performance.now();
    return { visit: key(), seconds };
  }
}

/** A random UUID; `crypto.randomUUID` exists only on secure origins. */
function key(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Stretches that did not reach the server, and those that end when the page is left. */
class Visits {
  private readonly unsent: Stretch[] = [];

  constructor(private readonly url: string) {}

  keep(stretch: Stretch): void {
    this.unsent.push(stretch);
  }

  /** Send without waiting: it goes out although the page is being left. */
  send(): void {
    while (this.unsent.length > 0) {
      const stretch = this.unsent[0];
      if (!stretch) return;
      const body = new FormData();
      body.set("csrfmiddlewaretoken", csrfToken());
      for (const [name, value] of Object.entries(stretch)) body.set(name, String(value));
      if (!navigator.sendBeacon(this.url, body)) return;
      this.unsent.shift();
    }
  }
}

const viewerOf = (root: HTMLElement): CaseViewer | undefined => (root as HTMLElement & { viewer?: CaseViewer }).viewer;

/** Bring the lesion or the false finding of a revealed item on screen. */
function showSubject(root: HTMLElement, viewer: CaseViewer): void {
  const lesion = Number(root.querySelector<HTMLElement>("[data-review-lesion]")?.dataset.reviewLesion ?? 0);
  const index = viewer.layers?.lesions.findIndex((one) => one.id === lesion) ?? -1;
  if (index >= 0) viewer.goToLesion(index);
  const finding = Number(root.querySelector<HTMLElement>("[data-review-finding]")?.dataset.reviewFinding ?? 0);
  const found = viewer.layers?.findings.find((one) => one.id === finding);
  if (found) viewer.goTo(found.view, found.box);
}

/** Fetch what may be shown now; until then there was nothing to hide. */
async function showRevealed(root: HTMLElement): Promise<void> {
  for (const box of root.querySelectorAll<HTMLInputElement>("[data-layer]")) box.disabled = false;
  const viewer = viewerOf(root);
  if (!viewer) return;
  await viewer.loadLayers();
  showSubject(root, viewer);
}

/** A note that no reason goes with yet waits in this tab, and comes back with the page. */
function keepNote(root: HTMLElement): void {
  const place = `cemlab.note.${root.dataset.reader ?? ""}.${location.pathname}`;
  const fill = (): void => {
    const note = root.querySelector<HTMLTextAreaElement>("#review-note");
    if (note && !note.value) note.value = sessionStorage.getItem(place) ?? "";
  };
  root.addEventListener("input", (event) => {
    if (event.target instanceof HTMLTextAreaElement) sessionStorage.setItem(place, event.target.value);
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    if (root.querySelector("#review-panel [name=reason]:checked")) sessionStorage.removeItem(place);
    fill();
  });
  fill();
}

/** Who walks the panel with Tab goes on in the panel that takes its place. */
function keepFocus(root: HTMLElement): void {
  let inside = false;
  document.body.addEventListener("htmx:beforeSwap", () => {
    inside = root.querySelector("#review-panel")?.contains(document.activeElement) ?? false;
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    if (inside && document.activeElement === document.body) root.querySelector<HTMLElement>(".review-scroll")?.focus();
  });
}

/** A reason before the reveal is answered in words: the reveal comes first. */
function sayWhatComesFirst(root: HTMLElement): void {
  document.addEventListener("keydown", (event) => {
    if (!/^\d$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    const place = root.querySelector("#review-after [role=status]");
    if (place && root.querySelector("[data-hotkey=r]")) place.textContent = "Reveal first (R), then the reason";
  });
}

export function startReview(): void {
  const root = document.querySelector<HTMLElement>("[data-review]");
  if (!root) return;
  const watch = new Stopwatch();
  const visits = new Visits(root.dataset.time ?? "");
  const sent = new WeakMap<object, Stretch>();
  let pending = 0;
  let leaveTo: string | null = null;

  const leave = (): void => {
    const last = watch.cut();
    watch.pause();
    if (Number(last.seconds) > 0) visits.keep(last);
    visits.send();
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : watch.resume()));
  window.addEventListener("pagehide", leave);
  keepNote(root);
  keepFocus(root);
  sayWhatComesFirst(root);
  root.addEventListener("viewer:ready", () => {
    const viewer = viewerOf(root);
    if (viewer) showSubject(root, viewer);
  });

  root.addEventListener("htmx:configRequest", (event) => {
    const detail = (event as CustomEvent<{ parameters: Record<string, string>; verb: string; elt: HTMLElement }>).detail;
    if (detail.verb !== "post") return;
    const { parameters } = detail;
    if (parameters["state"] === "answered" && !parameters["reason"]) {
      // a note alone is no answer: it stays in the field until the reason is given
      event.preventDefault();
      const place = root.querySelector("#review-after [role=status]");
      if (place) place.textContent = "Choose a reason; the note is kept with it";
      return;
    }
    const stretch = watch.cut();
    Object.assign(parameters, stretch);
    sent.set(parameters, stretch);
  });
  root.addEventListener("htmx:beforeRequest", () => {
    pending += 1;
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const detail = (event as CustomEvent<{ successful: boolean; requestConfig: { verb: string; parameters: object } }>).detail;
    const { successful, requestConfig } = detail;
    if (requestConfig.verb !== "post") return;
    pending = Math.max(0, pending - 1);
    const stretch = sent.get(requestConfig.parameters);
    if (!successful) {
      leaveTo = null;
      if (stretch) visits.keep(stretch);
    } else if (leaveTo !== null && pending === 0) location.assign(leaveTo);
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    if (root.querySelector("[data-review-just-revealed]")) {
      root.querySelector("[data-review-just-revealed]")?.removeAttribute("data-review-just-revealed");
      showRevealed(root).catch((error: unknown) => showToast({ message: `The layers could not be shown. ${String(error)}` }));
    }
  });
  // an answer still on its way arrives before the page is left
  root.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[data-review-leave]") : null;
    if (!link || pending === 0) return;
    event.preventDefault();
    leaveTo = link.href;
  });
}
