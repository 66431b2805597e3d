/** What every pane has around its image: name, corners, messages. It is a focusable group named by view and kind. */
import { Overlay } from "./overlay";
import { KIND_WORDS, type Kind, type Place, type StudyView } from "./study";

export interface PaneSpec {
  place: Place;
  /** Shows the other kind than the one chosen for the page (the second pane of a pair). */
  swapped: boolean;
  /** Chest wall at the inner edge, as in a hanging of both breasts; otherwise the image stands in the middle. */
  wallAtEdge: boolean;
}

const BARS = [100, 50, 20, 10, 5, 2, 1];

function part(className: string, parent: HTMLElement): HTMLElement {
  const element = document.createElement("div");
  element.className = className;
  parent.append(element);
  return element;
}

export class PaneFrame {
  readonly host = document.createElement("section");
  readonly surface: HTMLElement;
  readonly overlay: Overlay;
  private readonly kindWords = document.createElement("span");
  private readonly window: HTMLElement;
  private readonly zoom: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly barWords: HTMLElement;
  private readonly message: HTMLElement;

  constructor(readonly spec: PaneSpec) {
    const { place } = spec;
    this.host.className = `pane-image corners-${place.laterality === "R" || !spec.wallAtEdge ? "left" : "right"}`;
    this.host.tabIndex = 0;
    this.host.setAttribute("role", "group");
    this.host.dataset.place = place.key;
    this.surface = part("pane-surface", this.host);
    this.surface.addEventListener("contextmenu", (event) => event.preventDefault());
    this.overlay = new Overlay(this.host);
    const title = part("pane-corner pane-title", this.host);
    const name = document.createElement("b");
    name.textContent = place.label;
    title.append(name, this.kindWords);
    const numbers = part("pane-corner pane-numbers", this.host);
    this.window = part("", numbers);
    this.zoom = part("", numbers);
    const scale = part("pane-corner pane-scale", this.host);
    this.bar = document.createElement("i");
    scale.append(this.bar);
    this.barWords = part("", scale);
    this.message = part("pane-message", this.host);
    this.message.hidden = true;
  }

  name(kind: Kind, view: StudyView | null, difference: boolean): void {
    const synthetic = difference ? ", synthetic minus host" : view?.origin === "synthetic" ? ", synthetic" : "";
    this.kindWords.textContent = `${KIND_WORDS[kind]}${synthetic}`;
    this.host.dataset.kind = kind;
    this.host.setAttribute("aria-label", `${this.spec.place.name}, ${KIND_WORDS[kind]}${synthetic}`);
  }

  /** The place of a missing image stays, with words. */
  missing(kind: Kind): void {
    this.say(`${this.spec.place.label} ${KIND_WORDS[kind]} is not present in this exam.`);
    this.surface.hidden = true;
    this.overlay.root.classList.add("off");
    this.numbers(null, "", null, null);
  }

  say(words: string | null, busy = false): void {
    this.message.hidden = words === null;
    this.message.textContent = words ?? "";
    this.message.classList.toggle("busy", busy);
    this.host.setAttribute("aria-busy", String(busy));
    if (words === null) {
      this.surface.hidden = false;
      this.overlay.root.classList.remove("off");
    }
  }

  /** Window with its name, zoom and length bar; null hides them. `perMillimetre` is in screen pixels. */
  numbers(window: { lower: number; upper: number } | null, name: string, zoom: number | null, perMillimetre: number | null): void {
    const spaced = (value: number): string => Math.round(value).toLocaleString("en-GB").replaceAll(",", "\u202f");
    this.window.textContent = window ? `W\u00a0${spaced(window.upper - window.lower)}  L\u00a0${spaced((window.upper + window.lower) / 2)}` : "";
    this.zoom.textContent = zoom === null ? "" : [`${zoom.toFixed(2)}x`, name].filter(Boolean).join("  ");
    const widest = this.host.clientWidth * 0.3;
    const length = perMillimetre === null ? undefined : (BARS.find((one) => one * perMillimetre <= widest) ?? BARS.at(-1));
    this.bar.hidden = length === undefined;
    if (length !== undefined && perMillimetre !== null) this.bar.style.width = `${(length * perMillimetre).toFixed(1)}px`;
    this.barWords.textContent = zoom === null ? "" : length === undefined ? "spacing unknown, lengths in pixels" : `${length} mm`;
  }

  activate(on: boolean): void {
    this.host.classList.toggle("active", on);
  }
}
