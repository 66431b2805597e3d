/** Which synthetic case is chosen, and what of it is shown: itself, its host, the difference, or the first two in turn. */
import type { Place, Study, StudyView, SyntheticCase } from "./study";

export type Face = "synthetic" | "host" | "difference";
const FACES: Face[] = ["synthetic", "host", "difference"];

/** Slow enough to be no flash (less than one cycle a second), fast enough to catch the eye. */
const FLICKER_MS = 600;

export class SyntheticChoice {
  current: SyntheticCase | null;
  face: Face;
  private timer: number | undefined;

  constructor(
    private readonly study: Study,
    query: URLSearchParams,
    private readonly changed: () => void,
  ) {
    this.current = this.find(query.get("synthetic") ?? "");
    this.face = FACES.find((face) => face === query.get("shown")) ?? "synthetic";
  }

  /** By its key, or by the number of one of its views. */
  private find(key: string): SyntheticCase | null {
    return this.study.synthetic_cases.find((one) => one.key === key || Object.values(one.views).some((view) => String(view.id) === key)) ?? null;
  }

  /** The case that holds a view, or null for an acquired one. */
  caseOf(view: number): SyntheticCase | null {
    return this.find(String(view));
  }

  choose(key: string): void {
    this.stop();
    this.current = this.find(key);
    this.face = "synthetic";
  }

  /** The acquired view of a place, or the synthetic one where it is shown. */
  viewFor(place: Place): StudyView | null {
    return (this.face === "host" ? null : this.current?.views[place.key]) ?? place.view;
  }

  show(face: Face): void {
    this.stop();
    this.face = face;
    this.changed();
  }

  get flickering(): boolean {
    return this.timer !== undefined;
  }

  /** Synthetic and host in turn, until asked again or until something else is shown. */
  flicker(on: boolean): void {
    this.stop();
    this.face = "synthetic";
    if (on) {
      this.timer = window.setInterval(() => {
        this.face = this.face === "synthetic" ? "host" : "synthetic";
        this.changed();
      }, FLICKER_MS);
    }
    this.changed();
  }

  stop(): void {
    window.clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Words for the layer row. */
  get words(): string {
    if (!this.current) return "";
    return { synthetic: this.current.label, host: "host shown", difference: "difference to host" }[this.face];
  }
}
