/** The side panel: layer rows, lists of lesions and findings, synthetic cases. The server drew its frame. */
import type { Box, Finding, LayerName, Layers, LesionRow, StudyView } from "./study";

/** Half the side, in pixels, of the field shown around a calcification that was chosen in the list. */
const CALCIFICATION_FIELD = 12;

interface LayerState {
  visible: boolean;
  opacity: number;
}

export interface PanelEvents {
  /** `settled` when a layer was switched, and not while its opacity moves. */
  layersChanged: (settled: boolean) => void;
  scoreChanged: (score: number, settled: boolean) => void;
  runChanged: (run: string) => void;
  syntheticChanged: (key: string) => void;
  lesionChosen: (index: number) => void;
  findingChosen: (finding: Finding & { view: number }) => void;
  calcificationChosen: (view: number, box: Box) => void;
  calcificationsMarked: () => void;
}

function text(tag: string, className: string, words: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = words;
  return element;
}

export class Panel {
  readonly layers: Record<LayerName, LayerState> = {
    annotation: { visible: true, opacity: 1 },
    synthetic: { visible: true, opacity: 1 },
    prediction: { visible: true, opacity: 1 },
    reader: { visible: true, opacity: 1 },
  };
  private readonly lesionList: HTMLElement | null;
  private readonly findingList: HTMLElement | null;

  constructor(
    private readonly root: HTMLElement,
    private readonly events: PanelEvents,
    off: string[],
  ) {
    this.lesionList = root.querySelector("[data-lesions]");
    this.findingList = root.querySelector("[data-findings]");
    for (const box of root.querySelectorAll<HTMLInputElement>("[data-layer]")) {
      const layer = this.layers[box.dataset.layer as LayerName];
      layer.visible = box.checked = !off.includes(box.dataset.layer ?? "");
      box.addEventListener("change", () => {
        layer.visible = box.checked;
        this.events.layersChanged(true);
      });
    }
    for (const slider of root.querySelectorAll<HTMLInputElement>("[data-opacity]")) {
      slider.addEventListener("input", () => {
        this.layers[slider.dataset.opacity as LayerName].opacity = Number(slider.value) / 100;
        const words = slider.parentElement?.querySelector("output");
        if (words) words.textContent = `${slider.value}\u00a0%`;
        this.events.layersChanged(false);
      });
    }
    const score = this.scoreSlider;
    for (const kind of ["input", "change"] as const) {
      score?.addEventListener(kind, () => {
        this.writeScore(Number(score.value));
        this.events.scoreChanged(Number(score.value), kind === "change");
      });
    }
    const run = root.querySelector<HTMLSelectElement>("[data-run]");
    run?.addEventListener("change", () => this.events.runChanged(run.value));
    this.calcificationBox?.addEventListener("change", () => this.events.calcificationsMarked());
    const synthetic = this.syntheticSelect;
    synthetic?.addEventListener("change", () => this.events.syntheticChanged(synthetic.value));
  }

  get scoreSlider(): HTMLInputElement | null {
    return this.root.querySelector("[data-score]");
  }

  get syntheticSelect(): HTMLSelectElement | null {
    return this.root.querySelector("[data-synthetic]");
  }

  writeScore(score: number): void {
    const slider = this.scoreSlider;
    if (!slider) return;
    slider.value = String(score);
    const words = slider.parentElement?.querySelector("output");
    // a threshold chosen elsewhere may have three decimals, which the slider's steps do not
    if (words) words.textContent = score.toFixed(Math.abs(score * 100 - Math.round(score * 100)) < 1e-6 ? 2 : 3);
  }

  /** Why nothing of a run or application is shown on this case; empty where it is. */
  absence(run: string): string {
    const option = this.root.querySelector<HTMLOptionElement>(`[data-run] option[value="${CSS.escape(run)}"]`);
    return option?.dataset.absent ?? "";
  }

  /** Names of the layers that are switched off. */
  get off(): string[] {
    return Object.entries(this.layers).flatMap(([name, layer]) => (layer.visible ? [] : [name]));
  }

  toggle(layer: LayerName): void {
    this.root.querySelector<HTMLInputElement>(`[data-layer="${layer}"]`)?.click();
  }

  /** All layers off, or all on again. */
  toggleAll(): void {
    const boxes = [...this.root.querySelectorAll<HTMLInputElement>("[data-layer]:not(:disabled)")];
    const any = boxes.some((box) => box.checked);
    for (const box of boxes) if (box.checked === any) box.click();
  }

  /** What each layer holds, and the two lists. */
  fill(layers: Layers, score: number, shownSynthetic: string, absence: string): void {
    const views = Object.values(layers.views);
    const counts = {
      annotation: views.reduce((sum, view) => sum + view.annotation.length, 0),
      synthetic: views.reduce((sum, view) => sum + view.synthetic.length, 0),
      prediction: layers.findings.filter((finding) => finding.score > score).length,
    };
    const outlines = views.flatMap((view) => view.annotation);
    this.note("annotation", outlines.length ? annotationNote(outlines) : "none on this case");
    this.note("synthetic", counts.synthetic ? (shownSynthetic || "acquired images shown") : "none on this case");
    this.note("prediction", layers.run ? `${counts.prediction} of ${layers.findings.length} above the score` : absence || "none chosen");
    const warning = this.root.querySelector<HTMLElement>("[data-no-evidence]");
    if (warning) {
      warning.hidden = !layers.run?.no_evidence;
      const words = warning.querySelector("span");
      if (words) words.textContent = layers.run?.no_evidence ?? "";
    }
    this.fillLesions(layers.lesions);
    this.fillFindings(layers, score);
  }

  private get calcificationBox(): HTMLInputElement | null {
    return this.root.querySelector("[data-mark-calcifications]");
  }

  get marksCalcifications(): boolean {
    return this.calcificationBox?.checked ?? false;
  }

  /** What was inserted into the views of the synthetic case that is shown. */
  fillCalcifications(layers: Layers, views: StudyView[]): void {
    const section = this.root.querySelector<HTMLElement>("[data-calcifications-section]");
    const list = section?.querySelector("[data-calcifications]");
    if (!section || !list) return;
    const inserted = views.flatMap((view) => (layers.views[String(view.id)]?.calcifications ?? []).map((one, index) => ({ view, one, index })));
    section.hidden = inserted.length === 0;
    list.replaceChildren(
      ...inserted.map(({ view, one, index }) => {
        const row = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.append(text("span", "lesion-mark mark-synthetic", String(index + 1)));
        const words = text("span", "lesion-words", `${one.morphology}, ${one.diameter_mm.toFixed(2)}\u00a0mm`);
        words.append(text("small", "", `${this.viewName(view.id)}, ${one.contrast_to_noise.toFixed(1)} times the noise`));
        button.append(words);
        const box: Box = [one.x - CALCIFICATION_FIELD, one.y - CALCIFICATION_FIELD, one.x + CALCIFICATION_FIELD, one.y + CALCIFICATION_FIELD];
        button.addEventListener("click", () => this.events.calcificationChosen(view.id, box));
        row.append(button);
        return row;
      }),
    );
  }

  private note(layer: string, words: string): void {
    const place = this.root.querySelector(`[data-layer-note="${layer}"]`);
    if (place) place.textContent = words;
  }

  private fillLesions(lesions: LesionRow[]): void {
    if (!this.lesionList) return;
    this.lesionList.replaceChildren(
      ...lesions.map((lesion, index) => {
        const row = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.lesion = String(lesion.id);
        button.append(text("span", `lesion-mark mark-${lesion.layer}`, lesion.mark));
        const words = text("span", "lesion-words", lesion.title);
        words.append(text("small", "", lesionNote(lesion)));
        button.append(words);
        button.addEventListener("click", () => this.events.lesionChosen(index));
        row.append(button);
        return row;
      }),
    );
    const none = this.root.querySelector<HTMLElement>("[data-no-lesions]");
    if (none) none.hidden = lesions.length > 0;
  }

  private fillFindings(layers: Layers, score: number): void {
    if (!this.findingList) return;
    this.findingList.replaceChildren(
      ...layers.findings
        .filter((finding) => finding.score > score)
        .map((finding) => {
          const row = document.createElement("li");
          const button = document.createElement("button");
          button.type = "button";
          button.append(text("span", "lesion-mark mark-prediction", finding.label));
          const words = text("span", "lesion-words", finding.title);
          words.append(text("small", "", this.viewName(finding.view)));
          button.append(words);
          button.addEventListener("click", () => this.events.findingChosen(finding));
          row.append(button);
          return row;
        }),
    );
    const section = this.root.querySelector<HTMLElement>("[data-findings-section]");
    if (section) section.hidden = layers.run === null;
    const none = this.root.querySelector<HTMLElement>("[data-no-findings]");
    if (none) none.hidden = this.findingList.childElementCount > 0;
  }

  /** Set by the viewer, which knows the views. */
  viewName: (view: number) => string = () => "";

  choose(lesion: number | null): void {
    for (const button of this.root.querySelectorAll<HTMLElement>("[data-lesions] button")) {
      if (button.dataset.lesion === String(lesion)) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}

function annotationNote(outlines: { revision: number; author: string }[]): string {
  const latest = outlines.reduce((one, other) => (other.revision > one.revision ? other : one));
  return [`revision ${latest.revision}`, latest.author].filter(Boolean).join(", ");
}

function lesionNote(lesion: LesionRow): string {
  const labels = lesion.views.map((view) => view.label);
  const extents = lesion.views.map((view) => view.extent_mm).filter((value) => value !== null);
  const points = Math.max(0, ...lesion.views.map((view) => view.calcifications));
  const parts = [labels.join(" and ")];
  if (extents.length) parts.push(`${Math.max(...extents).toFixed(0)} mm`);
  if (points) parts.push(`${points} calcification${points === 1 ? "" : "s"}`);
  return parts.join(", ");
}
