/**
 * The read-only layers over one image: SVG in image pixels under one matrix, with marks and words that keep their size
 * on screen. Each layer has a colour and a second cue: solid outline, long dashes with diamonds, dotted box with corner
 * brackets, ring with ticks. The lists beside the images say the same in words, so the drawing itself is not spoken.
 */
import { contoursOf, type Box, type Calcification, type Finding, type LayerName, type Outline, type Point, type ViewLayers } from "./study";

const NAMESPACE = "http://www.w3.org/2000/svg";
const DIAMONDS = 8;
const CORNER = 0.22;
const LABEL_GAP = 7;
const LABEL_HEIGHT = 15;

/** Affine map from image to screen pixels: a, b, c, d, e, f as in SVG's matrix(). */
export type Matrix = [number, number, number, number, number, number];

export interface ReaderMark {
  x: number;
  y: number;
  label: string;
}

interface Anchored {
  element: SVGElement;
  place: (matrix: Matrix) => void;
}

function svg<Name extends keyof SVGElementTagNameMap>(name: Name, attributes: Record<string, string> = {}): SVGElementTagNameMap[Name] {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function project(matrix: Matrix, x: number, y: number): Point {
  return [matrix[0] * x + matrix[2] * y + matrix[4], matrix[1] * x + matrix[3] * y + matrix[5]];
}

const closedPath = (points: Point[]): string => `M${points.map((point) => point.join(" ")).join("L")}Z`;

function cornerPath([x1, y1, x2, y2]: Box): string {
  const dx = (x2 - x1) * CORNER;
  const dy = (y2 - y1) * CORNER;
  return [
    `M${x1} ${y1 + dy}V${y1}H${x1 + dx}`,
    `M${x2 - dx} ${y1}H${x2}V${y1 + dy}`,
    `M${x2} ${y2 - dy}V${y2}H${x2 - dx}`,
    `M${x1 + dx} ${y2}H${x1}V${y2 - dy}`,
  ].join("");
}

/** Points at equal distance along a closed outline. */
export function along(points: Point[], count: number): Point[] {
  const steps = points.map((point, index) => {
    const next = points[(index + 1) % points.length] ?? point;
    return { from: point, to: next, length: Math.hypot(next[0] - point[0], next[1] - point[1]) };
  });
  const total = steps.reduce((sum, step) => sum + step.length, 0);
  if (total === 0) return points.slice(0, 1);
  const result: Point[] = [];
  let behind = 0;
  let target = 0;
  for (const step of steps) {
    while (result.length < count && target <= behind + step.length) {
      const share = step.length ? (target - behind) / step.length : 0;
      result.push([step.from[0] + share * (step.to[0] - step.from[0]), step.from[1] + share * (step.to[1] - step.from[1])]);
      target += total / count;
    }
    behind += step.length;
  }
  return result;
}

export class Overlay {
  readonly root = svg("svg", { class: "viewer-overlay", "aria-hidden": "true" });
  private readonly shapes = svg("g");
  private readonly marks = svg("g");
  private readonly layers = new Map<LayerName, [SVGGElement, SVGGElement]>();
  private anchored: Anchored[] = [];
  private labels: { text: SVGTextElement; box: Box; side: "above" | "below" }[] = [];
  private matrix: Matrix = [1, 0, 0, 1, 0, 0];

  constructor(host: HTMLElement) {
    this.root.append(this.shapes, this.marks);
    for (const name of ["annotation", "synthetic", "prediction", "reader"] as const) {
      const pair: [SVGGElement, SVGGElement] = [svg("g", { class: `layer layer-${name}` }), svg("g", { class: `layer layer-${name}` })];
      this.layers.set(name, pair);
      this.shapes.append(pair[0]);
      this.marks.append(pair[1]);
    }
    host.append(this.root);
  }

  /** Draw a view's layers anew. */
  draw(layers: ViewLayers | undefined, score: number): void {
    this.anchored = this.anchored.filter((item) => item.element.classList.contains("reader-mark"));
    this.labels = [];
    for (const name of ["annotation", "synthetic", "prediction"] as const) this.groups(name).forEach((group) => group.replaceChildren());
    for (const outline of layers?.annotation ?? []) this.outline("annotation", outline);
    for (const outline of layers?.synthetic ?? []) this.outline("synthetic", outline);
    for (const finding of layers?.prediction ?? []) if (finding.score > score) this.finding(finding);
    this.follow(this.matrix);
  }

  drawMarks(marks: ReaderMark[]): void {
    this.anchored = this.anchored.filter((item) => !item.element.classList.contains("reader-mark"));
    const [, group] = this.groups("reader");
    group.replaceChildren();
    for (const mark of marks) {
      const ring = svg("path", { class: "stroke reader-mark", d: "M-9 0a9 9 0 1 0 18 0a9 9 0 1 0-18 0M-14 0h5M9 0h5M0-14v5M0 9v5" });
      const halo = svg("path", { class: "halo reader-mark", d: ring.getAttribute("d") ?? "" });
      const text = svg("text", { class: "words reader-mark" });
      text.textContent = mark.label;
      group.append(halo, ring, text);
      for (const element of [halo, ring]) this.anchor(element, (m) => moveTo(element, project(m, mark.x, mark.y)));
      this.anchor(text, (m) => {
        const [x, y] = project(m, mark.x, mark.y);
        moveTo(text, [x + 18, y + 4]);
      });
    }
    this.follow(this.matrix);
  }

  /** A small ring around each inserted calcification. */
  drawCalcifications(calcifications: Calcification[]): void {
    const [, group] = this.groups("synthetic");
    for (const { x, y } of calcifications) {
      const ring = svg("circle", { class: "calcification", r: "6" });
      group.append(ring);
      this.anchor(ring, (m) => moveTo(ring, project(m, x, y)));
    }
    this.follow(this.matrix);
  }

  /** Move everything with the image; called after each frame Cornerstone drew. */
  follow(matrix: Matrix): void {
    this.matrix = matrix;
    this.shapes.setAttribute("transform", `matrix(${matrix.join(" ")})`);
    for (const item of this.anchored) item.place(matrix);
    this.placeLabels(matrix);
  }

  show(layer: LayerName, visible: boolean, opacity: number): void {
    for (const group of this.groups(layer)) {
      group.classList.toggle("off", !visible);
      group.style.opacity = String(opacity);
    }
  }

  highlight(lesion: number | null): void {
    for (const element of this.root.querySelectorAll("[data-lesion]")) {
      element.classList.toggle("chosen", lesion !== null && element.getAttribute("data-lesion") === String(lesion));
    }
  }

  destroy(): void {
    this.root.remove();
  }

  private groups(name: LayerName): [SVGGElement, SVGGElement] {
    const found = this.layers.get(name);
    if (!found) throw new Error(`no layer ${name}`);
    return found;
  }

  private anchor(element: SVGElement, place: (matrix: Matrix) => void): void {
    this.anchored.push({ element, place });
  }

  private stroke(group: SVGGElement, d: string, kind: string, lesion?: number): void {
    const data: Record<string, string> = lesion === undefined ? {} : { "data-lesion": String(lesion) };
    group.append(svg("path", { class: "halo", d }), svg("path", { class: `stroke ${kind}`, d, ...data }));
  }

  private outline(layer: "annotation" | "synthetic", outline: Outline): void {
    const [shapes, marks] = this.groups(layer);
    for (const polygon of outline.polygons) {
      this.stroke(shapes, closedPath(polygon), "outline", outline.lesion);
      if (layer !== "synthetic") continue;
      for (const [x, y] of along(polygon, DIAMONDS)) {
        const diamond = svg("path", { class: "diamond", d: "M0-4L4 0L0 4L-4 0Z" });
        marks.append(diamond);
        this.anchor(diamond, (m) => moveTo(diamond, project(m, x, y)));
      }
    }
    this.label(marks, outline.label, outline.box, "above", outline.lesion);
  }

  private finding(finding: Finding): void {
    const [shapes, marks] = this.groups("prediction");
    const [x1, y1, x2, y2] = finding.box;
    this.stroke(shapes, `M${x1} ${y1}H${x2}V${y2}H${x1}Z`, "dotted");
    this.stroke(shapes, cornerPath(finding.box), "brackets");
    for (const contour of contoursOf(finding)) this.stroke(shapes, closedPath(contour), "dotted thin");
    this.label(marks, finding.label, finding.box, "below");
  }

  private label(group: SVGGElement, words: string, box: Box, side: "above" | "below", lesion?: number): void {
    const text = svg("text", { class: "words", ...(lesion === undefined ? {} : { "data-lesion": String(lesion) }) });
    text.textContent = words;
    group.append(text);
    this.labels.push({ text, box, side });
  }

  /** Words stand beside their box, off the other boxes and off each other where there is room. */
  private placeLabels(matrix: Matrix): void {
    const width = this.root.clientWidth || Number.POSITIVE_INFINITY;
    const height = this.root.clientHeight || Number.POSITIVE_INFINITY;
    const boxes = this.labels.map(({ box }) => screenBox(matrix, box));
    const taken: Box[] = [];
    this.labels.forEach(({ text, side }, index) => {
      const own = boxes[index];
      if (!own) return;
      const size = textWidth(text);
      const onScreen = own[0] < width && own[2] > 0 && own[1] < height && own[3] > 0;
      const left = onScreen ? Math.max(4, Math.min(own[0], width - 4 - size)) : own[0];
      const above: Point = [left, own[1] - LABEL_GAP];
      const below: Point = [left, own[3] + LABEL_GAP + 10];
      const middle = (own[1] + own[3]) / 2 + 4;
      const wanted: Point[] = [
        ...(side === "above" ? [above, below] : [below, above]),
        [own[2] + LABEL_GAP, middle],
        [own[0] - LABEL_GAP - size, middle],
      ];
      const cost = ([x, y]: Point): number => {
        const area: Box = [x, y - LABEL_HEIGHT + 3, x + size, y + 3];
        const outside = area[0] < 0 || area[1] < 0 || area[2] > width || area[3] > height;
        return (outside && onScreen ? 4 : 0) + taken.filter((one) => overlaps(one, area)).length * 2 + boxes.filter((one) => overlaps(one, area)).length;
      };
      const costs = wanted.map(cost);
      const place = wanted[costs.indexOf(Math.min(...costs))] ?? above;
      taken.push([place[0], place[1] - LABEL_HEIGHT + 3, place[0] + size, place[1] + 3]);
      moveTo(text, place);
    });
  }
}

function screenBox(matrix: Matrix, [x1, y1, x2, y2]: Box): Box {
  const [ax, ay] = project(matrix, x1, y1);
  const [bx, by] = project(matrix, x2, y2);
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
}

const overlaps = (one: Box, other: Box): boolean => one[0] < other[2] && one[2] > other[0] && one[1] < other[3] && one[3] > other[1];

function textWidth(text: SVGTextElement): number {
  return text.getComputedTextLength();
}

function moveTo(element: SVGElement, [x, y]: Point): void {
  element.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
}
