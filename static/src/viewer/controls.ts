/** The bar above the images: which buttons are pressed, which groups are shown, and the words for those who listen. */

interface ControlState {
  kind: string;
  layout: string;
  place: string;
  inverted: boolean;
  ruler: boolean;
  linked: boolean;
  face: string;
  flickering: boolean;
  synthetic: string | null;
}

export class Controls {
  constructor(private readonly root: HTMLElement) {}

  write(state: ControlState): void {
    this.press("[data-kind-choice]", (element) => element.dataset.kindChoice === state.kind);
    this.press("[data-layout-choice]", (element) => element.dataset.layoutChoice === state.layout);
    this.press("[data-place-choice]", (element) => element.dataset.placeChoice === state.place);
    this.press("[data-action=invert]", () => state.inverted);
    this.press("[data-action=ruler]", () => state.ruler);
    this.press("[data-action=link]", () => state.linked);
    this.press("[data-face]", (element) => element.dataset.face === state.face && !state.flickering);
    this.press("[data-action=flicker]", () => state.flickering);
    this.hide("[data-place-choices]", state.layout === "four");
    this.hide("[data-synthetic-tools]", state.synthetic === null);
  }

  say(words: string): void {
    const place = this.root.querySelector("[data-viewer-status]");
    if (place) place.textContent = words;
  }

  warn(words: string): void {
    const place = this.root.querySelector<HTMLElement>("[data-viewer-warning]");
    if (!place) return;
    place.hidden = false;
    const text = place.querySelector("span");
    if (text) text.textContent = words;
  }

  private press(selector: string, on: (element: HTMLElement) => boolean): void {
    for (const element of this.root.querySelectorAll<HTMLElement>(selector)) element.setAttribute("aria-pressed", String(on(element)));
  }

  private hide(selector: string, hidden: boolean): void {
    for (const element of this.root.querySelectorAll<HTMLElement>(selector)) element.hidden = hidden;
  }
}
