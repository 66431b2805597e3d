/** What the server says about a case; coordinates are continuous image pixels, x = column, y = row. */

export type Kind = "low_energy" | "recombined";
export type Side = "left" | "right";
export type LayerName = "annotation" | "synthetic" | "prediction" | "reader";
export type Point = [number, number];
export type Box = [number, number, number, number];

export const KIND_WORDS: Record<Kind, string> = { low_energy: "low energy", recombined: "recombined" };
export const otherKind = (kind: Kind): Kind => (kind === "low_energy" ? "recombined" : "low_energy");

export interface StudyImage {
  id: number;
  rows: number;
  columns: number;
  bits_stored: number;
  /** [row, column] in mm of the detector plane */
  spacing: [number, number] | null;
  window: { low: number; high: number };
  frame: string;
  rendered: string;
  metadata: Record<string, unknown>;
}

export interface StudyView {
  id: number;
  origin: "real" | "phantom" | "synthetic";
  chest_wall: Side;
  images: Record<Kind, StudyImage | null>;
  /** Of a synthetic view: each image minus its host's. */
  differences: Record<Kind, StudyImage | null>;
}

export interface Place {
  key: string;
  label: string;
  name: string;
  laterality: "R" | "L";
  position: "CC" | "MLO";
  view: StudyView | null;
}

export interface SyntheticCase {
  key: string;
  label: string;
  batch: number;
  malignancy: string;
  seed: string;
  quality: string;
  views: Record<string, StudyView>;
}

export interface Study {
  case: { number: number; name: string };
  places: Place[];
  synthetic_cases: SyntheticCase[];
  layers: string;
}

export interface Outline {
  id: number;
  lesion: number;
  mark: string;
  label: string;
  polygons: Point[][];
  points: Point[];
  box: Box;
  revision: number;
  author: string;
}

export interface Finding {
  id: number;
  label: string;
  title: string;
  score: number;
  box: Box;
  contour: Point[] | Point[][] | null;
}

export interface LesionRow {
  id: number;
  number: number;
  mark: string;
  layer: "annotation" | "synthetic";
  title: string;
  evidence: string;
  views: { view: number; label: string; box: Box; extent_mm: number | null; calcifications: number }[];
}

export interface Calcification {
  x: number;
  y: number;
  diameter_mm: number;
  morphology: string;
  contrast_to_noise: number;
}

export interface ViewLayers {
  annotation: Outline[];
  synthetic: Outline[];
  prediction: Finding[];
  /** Inserted into a synthetic view, the strongest first. */
  calcifications: Calcification[];
}

export interface Layers {
  views: Record<string, ViewLayers>;
  lesions: LesionRow[];
  findings: (Finding & { view: number })[];
  run: { id: number; label: string; experiment: string; split: string | null; no_evidence: string | null } | null;
}

/** What a view is called; empty where the case has no such view. */
export function nameOfView(study: Study, view: number): string {
  const acquired = study.places.find((place) => place.view?.id === view);
  if (acquired) return acquired.label;
  for (const one of study.synthetic_cases) {
    const found = Object.entries(one.views).find(([, other]) => other.id === view);
    if (found) return `${found[0].replace("-", " ")}, synthetic`;
  }
  return "";
}

/** Fetch JSON; the error's message is fit to be shown. */
export async function fetchJson<Content>(url: string): Promise<Content> {
  let response: Response;
  try {
    response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  } catch {
    throw new Error("The server did not answer. Check the connection, then reload the page.");
  }
  if (!response.ok) {
    const body = (await response.json().catch(() => null)) as { error?: string } | null;
    throw new Error(body?.error ?? `The server refused (${response.status}). Reload the page; sign in again if asked.`);
  }
  return (await response.json()) as Content;
}

/** The contours of a finding as a list of polygons. */
export function contoursOf(finding: Finding): Point[][] {
  const contour = finding.contour;
  if (!contour || contour.length === 0) return [];
  return typeof contour[0]?.[0] === "number" ? [contour as Point[]] : (contour as Point[][]);
}
