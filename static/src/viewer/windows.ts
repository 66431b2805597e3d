/** Windows a reader steps through. */
import { storedWindow, type VoiRange } from "./pane";
import type { StudyImage } from "./study";

export const WINDOWS: { name: string; range: (image: StudyImage) => VoiRange }[] = [
  { name: "stored window", range: storedWindow },
  { name: "narrow window", range: (image) => scaled(image, 0.5) },
  { name: "wide window", range: (image) => scaled(image, 2) },
  { name: "full range", range: (image) => ({ lower: 0, upper: 2 ** image.bits_stored - 1 }) },
];

function scaled(image: StudyImage, factor: number): VoiRange {
  const middle = (image.window.low + image.window.high) / 2;
  const half = ((image.window.high - image.window.low) / 2) * factor;
  return { lower: middle - half, upper: middle + half };
}
