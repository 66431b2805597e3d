/**
 * The page of a run: parts with `data-run-live` (the number of its job) load anew after each epoch (`cemlab:epoch`), and
 * the slider of the sample predictions (`data-samples`) shows one epoch of those kept.
 */
import type { Job } from "./jobs";

const EPOCH = /^epoch (\d+) /;

function followEpochs(): void {
  let before = "";
  document.body.addEventListener("cemlab:jobs", (event) => {
    for (const area of document.querySelectorAll<HTMLElement>("[data-run-live]")) {
      const job = (event as CustomEvent<Job[]>).detail.find((one) => String(one.id) === area.dataset.runLive);
      const epoch = EPOCH.exec(job?.message ?? "")?.[1];
      if (!epoch || epoch === before) continue;
      if (before) for (const part of document.querySelectorAll("[data-run-live]")) part.dispatchEvent(new CustomEvent("cemlab:epoch"));
      before = epoch;
    }
  });
}

function showEpoch(samples: HTMLElement, place: string): void {
  for (const part of samples.querySelectorAll<HTMLElement | SVGElement>("[data-sample-epoch]"))
    part.toggleAttribute("hidden", part.dataset.sampleEpoch !== place);
}

/** Whoever looks at an earlier epoch keeps looking at it when a newer one comes in. */
function keepEpoch(): void {
  let looking = "";
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const area = event.target;
    if (!(area instanceof HTMLElement) || area.id !== "run-samples") return;
    const slider = area.querySelector<HTMLInputElement>("[data-sample-scrub]");
    const shown = area.querySelector<HTMLElement>("p[data-sample-epoch]:not([hidden])");
    looking = slider && slider.value !== slider.max ? (shown?.dataset.number ?? "") : "";
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const area = event.target;
    if (!looking || !(area instanceof HTMLElement) || area.id !== "run-samples") return;
    const words = area.querySelector<HTMLElement>(`p[data-number="${CSS.escape(looking)}"]`);
    const slider = area.querySelector<HTMLInputElement>("[data-sample-scrub]");
    const samples = area.querySelector<HTMLElement>("[data-samples]");
    if (!words || !slider || !samples) return;
    slider.value = words.dataset.sampleEpoch ?? slider.max;
    showEpoch(samples, slider.value);
  });
}

export function startRunPage(): void {
  followEpochs();
  keepEpoch();
  document.addEventListener("input", (event) => {
    const slider = event.target;
    if (!(slider instanceof HTMLInputElement) || !slider.matches("[data-sample-scrub]")) return;
    const samples = slider.closest<HTMLElement>("[data-samples]");
    if (samples) showEpoch(samples, slider.value);
  });
}
