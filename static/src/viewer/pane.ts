/** One viewport: an image of a place, with its layers, its window and where it looks. */
import { Enums, type RenderingEngine, type Types } from "@cornerstonejs/core";
import { fitted, fittingScale, fromShared, mirrored, readCamera, toShared, toWorld, writeCamera, type Placement, type Shared } from "./camera";
import { imageIdOf, preload, type Tools } from "./engine";
import { PaneFrame, type PaneSpec } from "./pane_frame";
import { KIND_WORDS, otherKind, type Box, type Kind, type StudyImage, type StudyView } from "./study";
import type { Matrix } from "./overlay";
import { nameOfWindow, storedWindow, type VoiRange } from "./windows";

export interface Shown {
  view: StudyView;
  kind: Kind;
  image: StudyImage;
}

/** Windows that a reader set, by image; they outlive a change of layout. */
export const windows = new Map<number, VoiRange>();

/** What a view shows of a kind: for a synthetic view its difference to the host, where that is asked for. */
export function imageOf(view: StudyView | null, kind: Kind, difference: boolean): StudyImage | null {
  return (difference ? view?.differences[kind] : null) ?? view?.images[kind] ?? null;
}

let counter = 0;

export class Pane {
  readonly frame: PaneFrame;
  shown: Shown | null = null;
  shared: Shared | null = null;
  /** Told after the reader moved this pane: before and after, in units that panes share. */
  onMoved: (before: Shared, after: Shared) => void = () => undefined;
  onPoint: (x: number, y: number) => void = () => undefined;
  private readonly id = `pane-${++counter}`;
  private readonly viewport: Types.IStackViewport;
  private stack: StudyImage[] = [];
  private turn = 0;
  private pending: Shown | null = null;
  private writing = false;
  private inverted = false;

  constructor(
    spec: PaneSpec,
    host: HTMLElement,
    private readonly engine: RenderingEngine,
    private readonly tools: Tools,
    private readonly candidates: StudyView[],
  ) {
    this.frame = new PaneFrame(spec);
    host.append(this.frame.host);
    const element = this.frame.surface as HTMLDivElement;
    engine.enableElement({ viewportId: this.id, type: Enums.ViewportType.STACK, element, defaultOptions: { background: [0, 0, 0] } });
    this.viewport = engine.getViewport(this.id) as Types.IStackViewport;
    tools.add(this.id, engine.id);
    element.addEventListener(Enums.Events.CAMERA_MODIFIED, () => this.cameraMoved());
    element.addEventListener(Enums.Events.STACK_NEW_IMAGE, () => this.apply(this.pending));
    element.addEventListener(Enums.Events.IMAGE_RENDERED, () => this.follow());
    element.addEventListener(Enums.Events.VOI_MODIFIED, () => this.windowMoved());
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.watchClicks(element);
  }

  /** Show an image in place; pan and zoom stay. */
  async show(view: StudyView | null, kind: Kind, difference: boolean): Promise<void> {
    const turn = ++this.turn;
    const image = imageOf(view, kind, difference);
    this.frame.name(kind, view, image !== null && image === view?.differences[kind]);
    if (!view || !image) {
      this.shown = this.pending = null;
      this.frame.missing(kind);
      return;
    }
    const shown = { view, kind, image };
    this.pending = shown;
    this.frame.say(this.shown ? null : `Loading ${this.frame.spec.place.label} ${KIND_WORDS[kind]}`, true);
    this.frame.surface.hidden = false;
    try {
      await this.load(image);
    } catch {
      if (turn === this.turn) this.frame.say(await reason(image));
      return;
    }
    if (turn !== this.turn) return;
    this.frame.say(null);
    this.apply(shown);
    this.viewport.render();
    const next = view.images[otherKind(kind)];
    if (next) preload(next);
  }

  private async load(image: StudyImage): Promise<void> {
    if (this.stack.length === 0) {
      const images = this.candidates.flatMap((view) => [...Object.values(view.images), ...Object.values(view.differences)]);
      this.stack = images.filter((one) => one !== null);
      await this.viewport.setStack(this.stack.map(imageIdOf), this.stack.indexOf(image));
    } else {
      await this.viewport.setImageIdIndex(this.stack.indexOf(image));
    }
  }

  /** Window, inversion, flip and place for what is on screen now. */
  private apply(shown: Shown | null): void {
    if (!shown || this.viewport.getCurrentImageId() !== imageIdOf(shown.image)) return;
    this.writing = true;
    this.shown = shown;
    this.viewport.setProperties({ voiRange: windows.get(shown.image.id) ?? storedWindow(shown.image), invert: this.inverted });
    this.shared ??= this.fitFor(shown.image, null);
    this.write();
    this.writing = false;
  }

  private get flip(): boolean {
    return this.shown !== null && mirrored(this.frame.spec.place.laterality, this.shown.view.chest_wall);
  }

  private get placement(): Placement | null {
    return this.shown && this.shared ? fromShared(this.shown.image, this.shown.view.chest_wall, this.shared) : null;
  }

  private write(): void {
    const placement = this.placement;
    if (this.shown && placement) writeCamera(this.viewport, this.shown.image, placement, this.flip);
  }

  private fitFor(image: StudyImage, scale: number | null): Shared {
    const { clientWidth, clientHeight } = this.frame.surface;
    return fitted(image, scale ?? fittingScale(image, clientWidth, clientHeight), clientWidth, this.frame.spec.wallAtEdge);
  }

  /** Scale at which this pane's image fits, or null when there is none. */
  get fittingScale(): number | null {
    const { clientWidth, clientHeight } = this.frame.surface;
    const image = this.shown?.image ?? this.pending?.image;
    return image && clientHeight > 0 ? fittingScale(image, clientWidth, clientHeight) : null;
  }

  get hasSpacing(): boolean {
    return (this.shown ?? this.pending)?.image.spacing !== null;
  }

  fit(scale: number | null): void {
    const image = this.shown?.image ?? this.pending?.image;
    if (image) this.place(this.fitFor(image, scale));
  }

  /** Look somewhere without telling the other panes. */
  place(shared: Shared): void {
    this.shared = shared;
    if (!this.shown) return;
    this.writing = true;
    this.write();
    this.writing = false;
    this.viewport.render();
  }

  /** Look somewhere because the reader asked for it: linked panes follow. */
  move(shared: Shared): void {
    const before = this.shared;
    this.place(shared);
    if (before) this.onMoved(before, shared);
  }

  pan(dx: number, dy: number): void {
    if (!this.shown || !this.shared) return;
    // u grows away from the chest wall: to the left for a right breast as it hangs
    const outward = this.frame.spec.place.laterality === "R" ? 1 : -1;
    this.move({ ...this.shared, u: this.shared.u + (outward * dx) / this.shared.scale, v: this.shared.v - dy / this.shared.scale });
  }

  /** Zoom about a point given from the middle of the pane, in screen pixels. */
  zoom(factor: number, dx = 0, dy = 0): void {
    if (!this.shown || !this.shared) return;
    const scale = Math.min(Math.max(this.shared.scale * factor, 0.01), 1000);
    const outward = this.frame.spec.place.laterality === "R" ? -1 : 1;
    const change = 1 / this.shared.scale - 1 / scale;
    this.move({ u: this.shared.u + outward * dx * change, v: this.shared.v + dy * change, scale });
  }

  /** One image pixel on one pixel of the screen. */
  oneToOne(): void {
    if (!this.shown || !this.shared) return;
    this.zoom(1 / window.devicePixelRatio / (this.placement?.scale ?? 1));
  }

  /** Bring a box to the middle, large enough to be looked at. */
  focusOn(box: Box): void {
    const shown = this.shown ?? this.pending;
    if (!shown) return;
    const { clientWidth, clientHeight } = this.frame.surface;
    const side = Math.max(box[2] - box[0], box[3] - box[1], 1);
    const least = fittingScale({ ...shown.image, spacing: null }, clientWidth, clientHeight);
    const scale = Math.max(least, Math.min(Math.min(clientWidth, clientHeight) / 4 / side, 3));
    const middle = { x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2, scale };
    this.place(toShared(shown.image, shown.view.chest_wall, middle));
  }

  /** A window of the list for every image this pane may come to show, so that it stays when the other kind comes. */
  setWindow(range: (image: StudyImage) => VoiRange): void {
    for (const image of this.stack) windows.set(image.id, range(image));
    if (!this.shown) return;
    this.viewport.setProperties({ voiRange: range(this.shown.image) });
    this.viewport.render();
  }

  setInverted(on: boolean): void {
    this.inverted = on;
    if (!this.shown) return;
    this.viewport.setProperties({ invert: on });
    this.viewport.render();
  }

  /** After the element changed its size. */
  resized(): void {
    this.place(this.shared ?? { u: 0, v: 0, scale: 1 });
  }

  /** Screen position of an image point, from the pane's corner. */
  toScreen(x: number, y: number): [number, number] | null {
    if (!this.shown) return null;
    const [a, b] = this.viewport.worldToCanvas(toWorld(this.shown.image, x, y));
    return [a, b];
  }

  destroy(): void {
    this.turn++;
    this.tools.remove(this.engine.id, this.id);
    this.engine.disableElement(this.id);
    this.frame.overlay.destroy();
    this.frame.host.remove();
  }

  private cameraMoved(): void {
    if (this.writing || !this.shown || !this.shared) return;
    if (this.viewport.getCurrentImageId() !== imageIdOf(this.shown.image) || this.pending?.image !== this.shown.image) return;
    const placement = readCamera(this.viewport, this.shown.image);
    if (!placement) return;
    const before = this.shared;
    this.shared = toShared(this.shown.image, this.shown.view.chest_wall, placement);
    this.onMoved(before, this.shared);
  }

  private windowMoved(): void {
    if (this.writing || !this.shown || this.viewport.getCurrentImageId() !== imageIdOf(this.shown.image)) return;
    const range = this.viewport.getProperties().voiRange;
    if (range) windows.set(this.shown.image.id, range);
  }

  private follow(): void {
    if (!this.shown || !this.shared) return;
    this.frame.overlay.follow(this.matrix());
    const { spacing } = this.shown.image;
    const range = this.viewport.getProperties().voiRange ?? storedWindow(this.shown.image);
    this.frame.numbers(range, nameOfWindow(this.shown.image, range), this.placement?.scale ?? null, spacing ? this.shared.scale : null);
  }

  private matrix(): Matrix {
    const at = (x: number, y: number): [number, number] => this.toScreen(x, y) ?? [0, 0];
    const [origin, right, down] = [at(0, 0), at(1000, 0), at(0, 1000)];
    return [
      (right[0] - origin[0]) / 1000,
      (right[1] - origin[1]) / 1000,
      (down[0] - origin[0]) / 1000,
      (down[1] - origin[1]) / 1000,
      origin[0],
      origin[1],
    ];
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const box = this.frame.surface.getBoundingClientRect();
    const steps = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 30 : event.deltaY;
    this.zoom(Math.exp(-steps * 0.0015), event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2);
  }

  /** A press without a drag points at a pixel; pages that collect readers' marks listen for it. */
  private watchClicks(element: HTMLElement): void {
    let start: [number, number] | null = null;
    element.addEventListener("pointerdown", (event) => {
      start = event.button === 0 ? [event.clientX, event.clientY] : null;
    });
    element.addEventListener("pointerup", (event) => {
      if (!start || !this.shown || Math.hypot(event.clientX - start[0], event.clientY - start[1]) > 3) return;
      const box = element.getBoundingClientRect();
      const [a, b, c, d, e, f] = this.matrix();
      const [px, py] = [event.clientX - box.left - e, event.clientY - box.top - f];
      const area = a * d - b * c;
      this.onPoint((px * d - py * c) / area, (py * a - px * b) / area);
    });
  }
}

/** Why a frame did not come: the server's words where it gave some. */
async function reason(image: StudyImage): Promise<string> {
  try {
    const response = await fetch(image.frame, { credentials: "same-origin" });
    if (response.status === 422) return await response.text();
    if (!response.ok) return `The image could not be loaded (${response.status}). Reload the page; sign in again if asked.`;
    return "The image could not be decoded in this browser. Reload the page.";
  } catch {
    return "The image could not be loaded: the server did not answer. Check the connection, then reload the page.";
  }
}
