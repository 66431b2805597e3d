/** The panes of a layout: what each shows, equal physical scale, linked movement. */
import type { RenderingEngine } from "@cornerstonejs/core";
import type { Shared } from "./camera";
import type { Tools } from "./engine";
import { Pane } from "./pane";
import type { PaneSpec } from "./pane_frame";
import { PicturePane } from "./picture_pane";
import type { Kind, Place, StudyView } from "./study";
import { WINDOWS } from "./windows";

type AnyPane = Pane | PicturePane;

export interface Drawing {
  engine: RenderingEngine;
  tools: Tools;
}

interface PaneEvents {
  activated: (place: string) => void;
  pointed: (view: number, kind: Kind, x: number, y: number) => void;
}

export class PaneSet {
  panes: AnyPane[] = [];
  linked = true;
  inverted = false;
  private window = 0;

  constructor(
    private readonly grid: HTMLElement,
    private readonly drawing: Drawing | null,
    private readonly events: PaneEvents,
  ) {
    new ResizeObserver(() => this.resized()).observe(grid);
  }

  /** Make new panes; `candidates` are the views that may come to stand in a place. */
  make(specs: PaneSpec[], candidates: (place: Place) => StudyView[]): void {
    for (const pane of this.panes) pane.destroy();
    this.panes = specs.map((spec) => {
      if (!this.drawing) return new PicturePane(spec, this.grid);
      const pane = new Pane(spec, this.grid, this.drawing.engine, this.drawing.tools, candidates(spec.place));
      pane.onMoved = (before, after) => this.follow(pane, before, after);
      pane.onPoint = (x, y) => pane.shown && this.events.pointed(pane.shown.view.id, pane.shown.kind, x, y);
      return pane;
    });
    for (const pane of this.panes) {
      pane.frame.host.addEventListener("focusin", () => this.activate(pane));
      pane.frame.host.addEventListener("pointerdown", () => this.activate(pane));
    }
    if (this.inverted) this.setInverted(true);
  }

  /** The drawn panes, without the pictures of a browser that cannot draw. */
  get drawn(): Pane[] {
    return this.panes.filter((pane) => pane instanceof Pane);
  }

  get active(): Pane | null {
    const drawn = this.drawn;
    return drawn.find((pane) => pane.frame.host.classList.contains("active")) ?? drawn.find((pane) => pane.shown) ?? null;
  }

  focus(place: string): void {
    this.panes.find((pane) => pane.frame.spec.place.key === place)?.frame.host.focus();
  }

  private activate(pane: AnyPane): void {
    for (const one of this.panes) one.frame.activate(one === pane);
    this.events.activated(pane.frame.spec.place.key);
  }

  /** Equal physical scale where every image has spacing; each on its own otherwise. */
  fit(): void {
    const shown = this.drawn.filter((pane) => pane.fittingScale !== null);
    const scales = shown.map((pane) => pane.fittingScale ?? 1);
    const common = shown.every((pane) => pane.hasSpacing) || shown.every((pane) => !pane.hasSpacing) ? Math.min(...scales) : null;
    for (const pane of shown) pane.fit(common);
  }

  private follow(source: Pane, before: Shared, after: Shared): void {
    if (!this.linked) return;
    for (const pane of this.drawn) {
      if (pane === source || !pane.shared || pane.hasSpacing !== source.hasSpacing) continue;
      pane.place({
        u: pane.shared.u + after.u - before.u,
        v: pane.shared.v + after.v - before.v,
        scale: pane.shared.scale * (after.scale / before.scale),
      });
    }
  }

  private resized(): void {
    this.drawing?.engine.resize(true, true);
    for (const pane of this.panes) pane.resized();
  }

  setInverted(on: boolean): void {
    this.inverted = on;
    for (const pane of this.drawn) pane.setInverted(on);
  }

  /** Step through the windows and say which it is. */
  nextWindow(): string {
    this.window = (this.window + 1) % WINDOWS.length;
    const preset = WINDOWS[this.window];
    for (const pane of this.drawn) if (preset) pane.setWindow(preset.range);
    return `window: ${preset?.name ?? ""}`;
  }

  setRuler(on: boolean): void {
    this.drawing?.tools.setRuler(on);
  }

  get ruler(): boolean {
    return this.drawing?.tools.ruler ?? false;
  }
}
