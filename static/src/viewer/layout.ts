/** Which panes a layout has. */
import type { PaneSpec } from "./pane_frame";
import type { Study } from "./study";

export type Layout = "four" | "pair" | "single";
export const LAYOUTS: Layout[] = ["four", "pair", "single"];

export function panesOf(layout: Layout, study: Study, active: string): PaneSpec[] {
  if (layout === "four") return study.places.map((place) => ({ place, swapped: false, wallAtEdge: true }));
  const place = study.places.find((one) => one.key === active) ?? study.places[0];
  if (!place) return [];
  const pane: PaneSpec = { place, swapped: false, wallAtEdge: false };
  return layout === "single" ? [pane] : [pane, { ...pane, swapped: true }];
}

/** The layout a case opens in: all four places, or the pair where there is only one view. */
export function usualLayout(study: Study): Layout {
  return study.places.filter((place) => place.view).length > 1 ? "four" : "pair";
}

/** The place a case opens in: the one asked for, else the first of a synthetic case's, else the first with a view. */
export function firstPlace(study: Study, wanted: string | null, synthetic: string[]): string {
  if (wanted && study.places.some((place) => place.key === wanted)) return wanted;
  return synthetic[0] ?? study.places.find((place) => place.view)?.key ?? "R-CC";
}
