/** The case viewer: one choice of layout and image kind, the layers over the images, the synthetic case, the lesions. */
import { goAlong, replaceQuery } from "./address";
import { Controls } from "./controls";
import { firstPlace, LAYOUTS, panesOf, usualLayout, type Layout } from "./layout";
import type { ReaderMark } from "./overlay";
import type { Pane } from "./pane";
import { PaneSet, type Drawing } from "./pane_set";
import { finderOf, finderQuery } from "./finder";
import { Panel, type PanelEvents } from "./panel";
import { fetchJson, KIND_WORDS, nameOfView, otherKind, type Box, type Kind, type Layers, type Study, type StudyView } from "./study";
import { SyntheticChoice, type Face } from "./synthetic";

export class Viewer {
  layout: Layout;
  kind: Kind;
  active: string;
  layers: Layers | null = null;
  score: number;
  /** Told after a reader clicked a pixel without dragging. */
  onPoint: (view: number, kind: Kind, x: number, y: number) => void = () => undefined;
  readonly set: PaneSet;
  readonly panel: Panel;
  readonly synthetic: SyntheticChoice;
  private readonly controls: Controls;
  private run: string;
  private lesion = -1;
  /** The lesion the address opens on. */
  private readonly focus: number;
  private marks = new Map<number, ReaderMark[]>();

  constructor(
    readonly root: HTMLElement,
    private readonly study: Study,
    drawing: Drawing | null,
  ) {
    const query = new URLSearchParams(location.search);
    const layout = query.get("layout") as Layout;
    this.layout = LAYOUTS.includes(layout) ? layout : usualLayout(study);
    this.kind = query.get("kind") === "recombined" ? "recombined" : "low_energy";
    this.run = finderOf(query);
    this.score = Math.min(Math.max(Number(query.get("score") ?? root.dataset.score ?? 0.1), 0), 1);
    this.synthetic = new SyntheticChoice(study, query, () => this.faceChanged());
    this.active = firstPlace(study, query.get("place"), Object.keys(this.synthetic.current?.views ?? {}));
    this.focus = Number(query.get("focus"));
    this.controls = new Controls(root);
    this.set = new PaneSet(this.grid, drawing, {
      activated: (place) => (this.active = place),
      pointed: (view, kind, x, y) => this.onPoint(view, kind, x, y),
    });
    const events: PanelEvents = {
      layersChanged: (settled) => {
        this.showLayers();
        if (settled) this.writeAddress();
      },
      scoreChanged: (score, settled) => this.setScore(score, settled),
      runChanged: (run) => this.setRun(run),
      syntheticChanged: (key) => this.chooseSynthetic(key),
      lesionChosen: (index) => this.goToLesion(index),
      findingChosen: (finding) => this.goTo(finding.view, finding.box),
      calcificationChosen: (view, box) => this.goTo(view, box),
      calcificationsMarked: () => this.drawLayers(),
    };
    this.panel = new Panel(root, events, (query.get("off") ?? "").split(","));
    this.panel.viewName = (view) => nameOfView(study, view);
    this.panel.writeScore(this.score);
  }

  async open(): Promise<void> {
    this.fillSynthetic();
    await Promise.all([this.build(), this.loadLayers()]);
    this.goToLesion(this.layers?.lesions.findIndex((lesion) => lesion.id === this.focus) ?? -1);
    this.root.dataset.ready = "true";
  }

  // layout and images

  /** Make the panes of the layout and show their images; every pane then fits. */
  async build(): Promise<void> {
    this.grid.dataset.layout = this.layout;
    this.set.make(panesOf(this.layout, this.study, this.active), (place) =>
      [place.view, ...this.study.synthetic_cases.map((one) => one.views[place.key])].filter((view) => !!view),
    );
    this.writeControls();
    await this.showImages();
    this.set.fit();
  }

  private async showImages(): Promise<void> {
    const difference = this.synthetic.face === "difference";
    await Promise.all(
      this.set.panes.map((pane) => {
        const { place, swapped } = pane.frame.spec;
        return pane.show(this.synthetic.viewFor(place), swapped ? otherKind(this.kind) : this.kind, difference);
      }),
    );
    this.drawLayers();
  }

  setKind(kind: Kind): void {
    this.kind = kind;
    this.writeControls();
    void this.showImages();
    this.say(KIND_WORDS[kind]);
  }

  setLayout(layout: Layout): void {
    this.layout = layout;
    void this.build();
    this.say(`layout ${layout}`);
  }

  setPlace(key: string): void {
    this.active = key;
    if (this.layout === "four") this.set.focus(key);
    else void this.build();
  }

  /** The same direction of the other breast. */
  otherBreast(): void {
    const [laterality, position] = this.active.split("-");
    this.setPlace(`${laterality === "R" ? "L" : "R"}-${position}`);
  }

  // moving and display

  get drawn(): Pane[] {
    return this.set.drawn;
  }

  setInverted(on: boolean): void {
    this.set.setInverted(on);
    this.writeControls();
  }

  nextWindow(): void {
    this.say(this.set.nextWindow());
  }

  setRuler(on: boolean): void {
    this.set.setRuler(on);
    this.writeControls();
    this.say(on ? "ruler: drag to measure" : "ruler off");
  }

  setLinked(on: boolean): void {
    this.set.linked = on;
    this.writeControls();
    this.say(on ? "panes move together" : "panes move alone");
  }

  // layers

  async loadLayers(): Promise<void> {
    const url = new URL(this.root.dataset.layers ?? this.study.layers, location.href);
    // a run with nothing on this case stays chosen, for the next one
    const asked = this.panel.absence(this.run) ? {} : finderQuery(this.run);
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
    try {
      this.layers = await fetchJson<Layers>(url.href);
      this.drawLayers();
    } catch (error) {
      this.warn(`The layers could not be loaded. ${(error as Error).message}`);
    }
  }

  private drawLayers(): void {
    for (const pane of this.set.panes) {
      const view = pane.shown?.view ?? this.synthetic.viewFor(pane.frame.spec.place);
      const layers = view ? this.layers?.views[String(view.id)] : undefined;
      pane.frame.overlay.draw(layers, this.score);
      pane.frame.overlay.drawCalcifications(this.panel.marksCalcifications ? (layers?.calcifications ?? []) : []);
      pane.frame.overlay.drawMarks((view && this.marks.get(view.id)) ?? []);
    }
    if (this.layers) {
      this.panel.fill(this.layers, this.score, this.synthetic.words, this.panel.absence(this.run));
      this.panel.fillCalcifications(this.layers, this.syntheticViews);
    }
    this.showLayers();
    this.panel.choose(this.layers?.lesions[this.lesion]?.id ?? null);
  }

  private showLayers(): void {
    for (const pane of this.set.panes) {
      for (const name of ["annotation", "synthetic", "prediction", "reader"] as const) {
        pane.frame.overlay.show(name, this.panel.layers[name].visible, this.panel.layers[name].opacity);
      }
    }
  }

  /** Marks of a reader on a view, for pages that collect them. */
  setMarks(view: number, marks: ReaderMark[]): void {
    this.marks.set(view, marks);
    this.drawLayers();
  }

  private setScore(score: number, settled: boolean): void {
    this.score = score;
    this.drawLayers();
    if (settled) this.writeAddress();
  }

  private setRun(run: string): void {
    this.run = run;
    this.writeAddress();
    void this.loadLayers();
  }

  // synthetic cases

  get hasSynthetic(): boolean {
    return this.synthetic.current !== null;
  }

  private get syntheticViews(): StudyView[] {
    return Object.values(this.synthetic.current?.views ?? {});
  }

  showFace(face: Face): void {
    if (this.hasSynthetic) this.synthetic.show(face);
    this.say(this.synthetic.words);
  }

  setFlicker(on: boolean): void {
    if (this.hasSynthetic) this.synthetic.flicker(on);
    this.say(on ? "synthetic and host in turn" : "turns stopped");
  }

  private faceChanged(): void {
    this.writeControls();
    void this.showImages();
  }

  chooseSynthetic(key: string): void {
    this.synthetic.choose(key);
    const shown = Object.keys(this.synthetic.current?.views ?? {});
    this.writeControls();
    if (this.layout !== "four" && shown.length && !shown.includes(this.active)) this.setPlace(shown[0] ?? this.active);
    else void this.showImages();
  }

  private fillSynthetic(): void {
    const select = this.panel.syntheticSelect;
    if (!select) return;
    for (const one of this.study.synthetic_cases) select.add(new Option(`${one.label}, ${one.quality.toLowerCase()}`, one.key));
    select.value = this.synthetic.current?.key ?? "";
  }

  // lesions

  get lesionsAhead(): boolean {
    return this.layers !== null && this.lesion + 1 < this.layers.lesions.length;
  }

  nextLesion(): void {
    this.goToLesion(this.lesion + 1);
  }

  goToLesion(index: number): void {
    const lesion = this.layers?.lesions[index];
    const first = lesion?.views[0];
    if (!lesion || !first) return;
    this.lesion = index;
    this.panel.choose(lesion.id);
    this.writeAddress();
    void this.showView(first.view).then(() => {
      for (const place of lesion.views) {
        for (const pane of this.drawn) if (pane.shown?.view.id === place.view) pane.focusOn(place.box);
      }
      for (const pane of this.set.panes) pane.frame.overlay.highlight(lesion.id);
    });
    this.say(`${lesion.mark}: ${lesion.title}, ${lesion.views.map((view) => view.label).join(" and ")}`);
  }

  /** Bring a place of a view on screen. */
  goTo(view: number, box: Box): void {
    void this.showView(view).then(() => {
      for (const pane of this.drawn) if (pane.shown?.view.id === view) pane.focusOn(box);
    });
  }

  /** Bring a view on screen: its synthetic case, its place. */
  private async showView(view: number): Promise<void> {
    const synthetic = this.synthetic.caseOf(view);
    const places = synthetic
      ? Object.entries(synthetic.views).find(([, other]) => other.id === view)
      : [this.study.places.find((place) => place.view?.id === view)?.key];
    if (synthetic !== this.synthetic.current || this.synthetic.face === "host") {
      this.synthetic.choose(synthetic?.key ?? "");
      this.writeControls();
    }
    const key = String(places?.[0] ?? this.active);
    const other = key !== this.active;
    // also where all views are shown: a pair or a single image then opens on this one
    this.active = key;
    if (this.layout !== "four" && other) {
      await this.build();
    } else {
      await this.showImages();
    }
  }

  // page

  get grid(): HTMLElement {
    return this.root.querySelector<HTMLElement>("[data-grid]")!;
  }

  /** Parameters that show the same picture to whoever opens the address. */
  displayQuery(): Record<string, string> {
    const lesion = this.layers?.lesions[this.lesion];
    const off = this.panel.off.join(",");
    return {
      ...(this.layout !== usualLayout(this.study) ? { layout: this.layout } : {}),
      ...(this.kind !== "low_energy" ? { kind: this.kind } : {}),
      ...(this.layout !== "four" ? { place: this.active } : {}),
      ...finderQuery(this.run),
      ...(this.run ? { score: String(this.score) } : {}),
      ...(this.synthetic.current ? { synthetic: this.synthetic.current.key } : {}),
      ...(this.synthetic.current && !this.synthetic.flickering && this.synthetic.face !== "synthetic" ? { shown: this.synthetic.face } : {}),
      ...(lesion ? { focus: String(lesion.id) } : {}),
      ...(off ? { off } : {}),
    };
  }

  private writeAddress(): void {
    replaceQuery(this.displayQuery());
  }

  /** To another case; what is asked of the display goes along. */
  leave(url: string): void {
    if (url) goAlong(url, this.displayQuery());
  }

  private writeControls(): void {
    this.controls.write({
      kind: this.kind,
      layout: this.layout,
      place: this.active,
      inverted: this.set.inverted,
      ruler: this.set.ruler,
      linked: this.set.linked,
      face: this.synthetic.face,
      flickering: this.synthetic.flickering,
      synthetic: this.synthetic.current?.key ?? null,
    });
    const select = this.panel.syntheticSelect;
    if (select && select.options.length > 1) select.value = this.synthetic.current?.key ?? "";
    this.writeAddress();
  }

  private say(words: string): void {
    this.controls.say(words);
  }

  warn(words: string): void {
    this.controls.warn(words);
  }
}
