/** The page of a review item: time on the page, what happens after a reveal, and no answer lost on the way on. */
import { showToast } from "./toasts";

interface Lesions {
  layers: { lesions: { id: number }[]; findings: { view: number; score: number; box: number[] }[] } | null;
  loadLayers: () => Promise<void>;
  goToLesion: (index: number) => void;
}

/** Time the page was in front of the reader, in seconds. */
class Stopwatch {
  private passed = 0;
  private since: number | null = document.hidden ? null : performance.now();

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        this.passed = this.milliseconds;
        this.since = null;
      } else this.since ??= performance.now();
    });
  }

  private get milliseconds(): number {
    return this.passed + (this.since === null ? 0 : performance.now() - this.since);
  }

  get seconds(): string {
    return (this.milliseconds / 1000).toFixed(1);
  }
}

/** Fetch what may be shown now and bring the lesion of the item on screen. */
async function showRevealed(root: HTMLElement): Promise<void> {
  const viewer = (root as HTMLElement & { viewer?: Lesions }).viewer;
  if (!viewer) return;
  await viewer.loadLayers();
  const lesion = Number(root.querySelector<HTMLElement>("[data-review-lesion]")?.dataset.reviewLesion ?? 0);
  const index = viewer.layers?.lesions.findIndex((one) => one.id === lesion) ?? -1;
  if (index >= 0) viewer.goToLesion(index);
}

export function startReview(): void {
  const root = document.querySelector<HTMLElement>("[data-review]");
  if (!root) return;
  const watch = new Stopwatch();
  let pending = 0;
  let leaveTo: string | null = null;

  root.addEventListener("htmx:configRequest", (event) => {
    const { parameters } = (event as CustomEvent<{ parameters: Record<string, string> }>).detail;
    parameters["seconds"] = watch.seconds;
  });
  root.addEventListener("htmx:beforeRequest", () => {
    pending += 1;
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const { successful, requestConfig } = (event as CustomEvent<{ successful: boolean; requestConfig: { verb: string } }>).detail;
    if (requestConfig.verb !== "post") return;
    pending = Math.max(0, pending - 1);
    if (!successful) leaveTo = null;
    else if (leaveTo !== null && pending === 0) location.assign(leaveTo);
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
