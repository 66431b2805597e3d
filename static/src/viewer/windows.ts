/** Windows a reader steps through. */
import type { StudyImage } from "./study";

export interface VoiRange {
  lower: number;
  upper: number;
}

export const storedWindow = (image: StudyImage): VoiRange => ({ lower: image.window.low, upper: image.window.high });

export const WINDOWS: { name: string; range: (image: StudyImage) => VoiRange }[] = [
  { name: "stored", range: storedWindow },
  { name: "narrow", range: (image) => scaled(image, 0.5) },
  { name: "wide", range: (image) => scaled(image, 2) },
  { name: "full range", range: (image) => ({ lower: 0, upper: 2 ** image.bits_stored - 1 }) },
];

function scaled(image: StudyImage, factor: number): VoiRange {
  const middle = (image.window.low + image.window.high) / 2;
  const half = ((image.window.high - image.window.low) / 2) * factor;
  return { lower: middle - half, upper: middle + half };
}

/** What a range is called; empty for one that was dragged. */
export function nameOfWindow(image: StudyImage, range: VoiRange): string {
  const same = (one: VoiRange): boolean => Math.abs(one.lower - range.lower) < 0.5 && Math.abs(one.upper - range.upper) < 0.5;
  return WINDOWS.find((one) => same(one.range(image)))?.name ?? "";
}
