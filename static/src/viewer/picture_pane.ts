/** A pane without WebGL 2: the server's picture in its stored window. It can be looked at, not measured or windowed. */
import { mirrored } from "./camera";
import { PaneFrame, type PaneSpec } from "./pane_frame";
import { KIND_WORDS, type Kind, type StudyImage, type StudyView } from "./study";
import { imageOf, type Shown } from "./pane";

export class PicturePane {
  readonly frame: PaneFrame;
  shown: Shown | null = null;
  private readonly picture = document.createElement("img");

  constructor(spec: PaneSpec, host: HTMLElement) {
    this.frame = new PaneFrame(spec);
    this.picture.className = "pane-picture";
    this.picture.addEventListener("load", () => this.follow());
    this.picture.addEventListener("error", () => this.frame.say(`${spec.place.label}: the picture could not be loaded. Reload the page.`));
    this.frame.surface.append(this.picture);
    host.append(this.frame.host);
  }

  async show(view: StudyView | null, kind: Kind, difference: boolean): Promise<void> {
    const image = imageOf(view, kind, difference);
    this.frame.name(kind, view, image !== null && image === view?.differences[kind]);
    if (!view || !image) {
      this.shown = null;
      this.frame.missing(kind);
      return;
    }
    this.shown = { view, kind, image };
    this.frame.say(null);
    this.picture.alt = `${this.frame.spec.place.name}, ${KIND_WORDS[kind]}`;
    this.picture.classList.toggle("flipped", mirrored(this.frame.spec.place.laterality, view.chest_wall));
    this.picture.src = image.rendered;
  }

  resized(): void {
    this.follow();
  }

  destroy(): void {
    this.frame.overlay.destroy();
    this.frame.host.remove();
  }

  private follow(): void {
    if (!this.shown) return;
    const { image, view } = this.shown;
    const { clientWidth, clientHeight } = this.frame.surface;
    const scale = Math.min(clientWidth / image.columns, clientHeight / image.rows);
    const flip = mirrored(this.frame.spec.place.laterality, view.chest_wall);
    this.frame.overlay.follow(pictureMatrix(image, scale, clientWidth, clientHeight, flip));
  }
}

function pictureMatrix(image: StudyImage, scale: number, width: number, height: number, flip: boolean): [number, number, number, number, number, number] {
  const left = (width - image.columns * scale) / 2;
  const top = (height - image.rows * scale) / 2;
  return flip ? [-scale, 0, 0, scale, left + image.columns * scale, top] : [scale, 0, 0, scale, left, top];
}
