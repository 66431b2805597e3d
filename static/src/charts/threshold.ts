/** The score threshold of a results page: every number is a look-up in counts that came with the page. */

/** Of lesions and findings; or of images, breasts or patients, where `lesions` are the malignant ones. */
interface Counts {
  lesions: number;
  images: number;
  /** Units without a malignant lesion. */
  negatives?: number;
  found: number[];
  right: number[];
  wrong: number[];
}

interface Content {
  steps: number;
  runs: { id: number; name: string; sets: Record<string, Counts> }[];
}

const FEWEST = 10;
const Z = 1.959964;

/** Wilson's interval; the caption says that rows are taken as independent. */
function wilson(successes: number, n: number): [number, number] {
  const share = successes / n;
  const centre = share + (Z * Z) / (2 * n);
  const reach = Z * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n));
  const scale = 1 + (Z * Z) / n;
  return [Math.max(0, (centre - reach) / scale), Math.min(1, (centre + reach) / scale)];
}

/** Two decimals; a tie goes to the even digit, as the server writes it: 10 of 16 is 0.62 on every page. */
function decimals(value: number): string {
  const tie = Number.isInteger(8 * value) && 8 * value % 2 !== 0;
  return tie ? (2 * Math.round(50 * value) / 100).toFixed(2) : value.toFixed(2);
}

function ratio(successes: number, n: number, nothing: string): string {
  if (n === 0) return `undefined: ${nothing}`;
  if (n < FEWEST) return `n=${n}, too few`;
  const [low, high] = wilson(successes, n);
  return `${decimals(successes / n)} [${decimals(low)}, ${decimals(high)}] n=${n}`;
}

function words(kind: string, counts: Counts, step: number): string {
  const at = (list: number[]): number => list[step] ?? 0;
  const negatives = counts.negatives ?? 0;
  if (kind === "sensitivity") return ratio(at(counts.found), counts.lesions, "none is malignant");
  if (kind === "precision") return ratio(at(counts.right), at(counts.right) + at(counts.wrong), "nothing is called malignant");
  if (kind === "specificity") return ratio(negatives - at(counts.wrong), negatives, "all are malignant");
  return counts.images ? decimals(at(counts.wrong) / counts.images) : "undefined: no images";
}

/** What a number of lesions opens: measure and outcome of the list of cases. */
const LISTS: Record<string, [string, string]> = {
  sensitivity: ["sensitivity", "all"],
  precision: ["precision", "all"],
  false: ["precision", "wrong"],
};
/** What a number of images, breasts or patients opens: the units in error. */
const ERRORS: Record<string, string> = { sensitivity: "fn", precision: "fp", specificity: "fp" };

function address(panel: HTMLElement, cell: HTMLElement, score: string): string {
  const kind = cell.dataset.thresholdCell ?? "";
  const level = panel.dataset.level ?? "";
  const [measure, outcome] = level ? ["views", ERRORS[kind] ?? "all"] : (LISTS[kind] ?? ["sensitivity", "all"]);
  const query = new URLSearchParams({
    run: cell.dataset.run ?? "",
    test_set: cell.dataset.testSet ?? "",
    group: panel.dataset.group ?? "malignant",
    measure,
    outcome,
    score,
    ...(level ? { level } : {}),
  });
  return `${panel.dataset.cases}?${query}`;
}

function withStep(address: string, step: string): string {
  const url = new URL(address, location.href);
  url.searchParams.set("step", step);
  return url.href;
}

export function startThreshold(): void {
  const panel = document.querySelector<HTMLElement>("[data-threshold]");
  const slider = panel?.querySelector<HTMLInputElement>("input[type=range]");
  const embedded = document.getElementById("threshold-counts");
  if (!panel || !slider || !embedded?.textContent) return;
  const content = JSON.parse(embedded.textContent) as Content;
  const runs = new Map(content.runs.map((run) => [String(run.id), run]));
  const cells = [...panel.querySelectorAll<HTMLElement>("[data-threshold-cell]")];
  const value = panel.querySelector<HTMLOutputElement>("[data-threshold-value]");
  const keeping = [...panel.querySelectorAll<HTMLAnchorElement>("[data-threshold-keep]")];

  const show = (): void => {
    const step = Number(slider.value);
    const score = (step / content.steps).toFixed(3);
    slider.setAttribute("aria-valuetext", `score above ${score}`);
    if (value) value.textContent = score;
    for (const cell of cells) {
      const counts = runs.get(cell.dataset.run ?? "")?.sets[cell.dataset.testSet ?? ""];
      if (!counts) {
        cell.textContent = "not evaluated";
        continue;
      }
      // one link a cell, changed in place: the focus stays on it while the slider moves
      const link = cell.querySelector("a") ?? cell.appendChild(document.createElement("a"));
      link.className = "number-link";
      link.href = address(panel, cell, score);
      link.textContent = words(cell.dataset.thresholdCell ?? "", counts, step);
    }
  };
  slider.addEventListener("input", show);
  // the address shows the same to whoever opens it, and another level keeps the threshold
  const write = (): void => {
    for (const link of keeping) link.href = withStep(link.href, slider.value);
    history.replaceState(history.state, "", withStep(location.href, slider.value));
  };
  slider.addEventListener("change", write);
  panel.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-threshold-set]") : null;
    if (!button) return;
    slider.value = button.dataset.thresholdSet ?? slider.value;
    show();
    // the list of cases follows as if the slider had been let go
    slider.dispatchEvent(new Event("change", { bubbles: true }));
  });
  show();
  if (new URLSearchParams(location.search).has("step")) write();
}
