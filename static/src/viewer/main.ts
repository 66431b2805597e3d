/** Entry of the viewer bundle: opens every `[data-case-viewer]` of the page. See docs/viewer.md. */
import "./viewer.css";
import { fetchAhead } from "./ahead";
import { noWebGL, startEngine, Tools } from "./engine";
import { bind, bindHold, bindSwitch } from "./keys";
import { LAYOUTS, type Layout } from "./layout";
import { fetchJson, otherKind, type Kind, type Study } from "./study";
import type { Face } from "./synthetic";
import { Viewer } from "./viewer";

const PAN_STEP = 60;
const ZOOM_STEP = 1.25;

/** Elements carry their viewer, so that a page around it can set marks and listen for points. */
interface ViewerElement extends HTMLElement {
  viewer?: Viewer;
}

async function open(root: ViewerElement): Promise<void> {
  const study = await fetchJson<Study>(root.dataset.study ?? "");
  const reason = noWebGL();
  const drawing = reason ? null : { engine: await startEngine(root.dataset.wasm ?? ""), tools: new Tools() };
  const viewer = new Viewer(root, study, drawing);
  root.viewer = viewer;
  if (reason) {
    root.classList.add("pictures-only");
    viewer.warn(`${reason} The server's pictures are shown in their stored window; measuring, window and zoom are off.`);
    for (const tool of root.querySelectorAll<HTMLButtonElement>("[data-needs-webgl]")) tool.disabled = true;
  }
  viewer.onPoint = (view, kind, x, y) => root.dispatchEvent(new CustomEvent("viewer:point", { bubbles: true, detail: { view, kind, x, y } }));
  bindControls(root, viewer);
  bindKeys(root, viewer);
  await viewer.open();
  root.dispatchEvent(new CustomEvent("viewer:ready", { bubbles: true }));
  const next = root.dataset.nextStudy;
  // a failure shows when the case is really opened
  if (next) void fetchAhead(next, viewer.kind).catch(() => undefined);
}

function actions(root: HTMLElement, viewer: Viewer): Record<string, () => void> {
  return {
    window: () => viewer.nextWindow(),
    invert: () => viewer.setInverted(!viewer.set.inverted),
    fit: () => viewer.set.fit(),
    "one-to-one": () => viewer.set.active?.oneToOne(),
    link: () => viewer.setLinked(!viewer.set.linked),
    ruler: () => viewer.setRuler(!viewer.set.ruler),
    flicker: () => viewer.setFlicker(!viewer.synthetic.flickering),
    previous: () => viewer.leave(root.dataset.previous ?? ""),
    next: () => viewer.leave(root.dataset.next ?? ""),
  };
}

function bindControls(root: HTMLElement, viewer: Viewer): void {
  const run = actions(root, viewer);
  root.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("button") : null;
    if (!button) return;
    const { kindChoice, layoutChoice, placeChoice, face, action } = button.dataset;
    if (kindChoice) viewer.setKind(kindChoice as Kind);
    if (layoutChoice) viewer.setLayout(layoutChoice as Layout);
    if (placeChoice) viewer.setPlace(placeChoice);
    if (face) viewer.showFace(face as Face);
    if (action) run[action]?.();
  });
}

function bindKeys(root: HTMLElement, viewer: Viewer): void {
  const run = actions(root, viewer);
  const drawn = (): boolean => viewer.drawn.length > 0;
  const inGrid = (): boolean => viewer.grid.contains(document.activeElement);
  const free = (): boolean => inGrid() || document.activeElement === document.body || document.activeElement?.id === "main";

  bindSwitch("e", "low energy or recombined; hold to peek", () => viewer.setKind(otherKind(viewer.kind)));
  const synthetic = (): boolean => viewer.hasSynthetic;
  bindHold("h", "hold: host of the synthetic case", (on) => viewer.showFace(on ? "host" : "synthetic"), synthetic);
  bind("d", "difference to the host", () => viewer.showFace(viewer.synthetic.face === "difference" ? "synthetic" : "difference"), synthetic);
  bind("Shift+h", "synthetic and host in turn", () => run.flicker?.(), synthetic);
  // in a review the digits are reasons, and must not hide layers before the reveal
  const layerKeys = (): boolean => root.dataset.review === undefined;
  bind("1", "annotation layer", () => viewer.panel.toggle("annotation"), layerKeys);
  bind("2", "synthetic layer", () => viewer.panel.toggle("synthetic"), layerKeys);
  bind("3", "prediction layer", () => viewer.panel.toggle("prediction"), layerKeys);
  bind("o", "all layers off or on", () => viewer.panel.toggleAll());
  bind("v", "hide or show the layers", () => viewer.panel.toggleAll());
  bind("g", "layout", () => viewer.setLayout(LAYOUTS[(LAYOUTS.indexOf(viewer.layout) + 1) % LAYOUTS.length] ?? "four"));
  bind("b", "other breast", () => viewer.otherBreast());
  bind("w", "next window", () => run.window?.(), drawn);
  bind("i", "invert", () => run.invert?.(), drawn);
  bind("f", "fit", () => run.fit?.(), drawn);
  bind("Shift+f", "one image pixel on one screen pixel", () => run["one-to-one"]?.(), drawn);
  bind("m", "ruler", () => run.ruler?.(), drawn);
  bind("l", "link panes", () => run.link?.(), drawn);
  bind("n", "next case", () => run.next?.(), () => !!root.dataset.next);
  bind("Shift+n", "previous case", () => run.previous?.(), () => !!root.dataset.previous);
  // after the last lesion Tab goes on as everywhere, so that the keyboard is never caught
  bind("Tab", "next lesion (in an image)", () => viewer.nextLesion(), () => free() && viewer.lesionsAhead);
  bind("+", "zoom in", () => viewer.set.active?.zoom(ZOOM_STEP), drawn);
  bind("-", "zoom out", () => viewer.set.active?.zoom(1 / ZOOM_STEP), drawn);
  const pan = (keys: string, dx: number, dy: number): void =>
    bind(keys, `pan ${keys.slice("Arrow".length).toLowerCase()}`, () => viewer.set.active?.pan(dx, dy), () => drawn() && free());
  pan("ArrowLeft", PAN_STEP, 0);
  pan("ArrowRight", -PAN_STEP, 0);
  pan("ArrowUp", 0, PAN_STEP);
  pan("ArrowDown", 0, -PAN_STEP);
}

for (const root of document.querySelectorAll<ViewerElement>("[data-case-viewer]")) {
  open(root).catch((error: unknown) => {
    const place = root.querySelector<HTMLElement>("[data-viewer-warning]");
    const words = place?.querySelector("span");
    if (!place || !words) throw error;
    place.hidden = false;
    words.textContent = `The case could not be opened. ${error instanceof Error ? error.message : ""}`;
    root.dataset.failed = "true";
    console.error(error);
  });
}
