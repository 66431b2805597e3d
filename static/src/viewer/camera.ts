/**
 * Where a pane looks. The truth is kept here in image pixels; Cornerstone's camera is written from it and read back
 * after its own tools moved it. Flips go through Cornerstone's camera too, so that its tools still hit the right pixel.
 */
import type { Types } from "@cornerstonejs/core";
import type { Side, StudyImage } from "./study";

/** Image point at the centre of the pane, and screen (CSS) pixels per image pixel. */
export interface Placement {
  x: number;
  y: number;
  scale: number;
}

/** The same in units that two images share: mm where spacing is known, else pixels; u grows away from the chest wall. */
export interface Shared {
  u: number;
  v: number;
  scale: number;
}

const spacingOf = (image: StudyImage): [number, number] => image.spacing ?? [1, 1];

/** World coordinates of an image point: the centre of pixel 0 is the origin (see docs/viewer.md). */
export function toWorld(image: StudyImage, x: number, y: number): Types.Point3 {
  const [row, column] = spacingOf(image);
  return [(x - 0.5) * column, (y - 0.5) * row, 0];
}

function toImage(image: StudyImage, world: Types.Point3): [number, number] {
  const [row, column] = spacingOf(image);
  return [world[0] / column + 0.5, world[1] / row + 0.5];
}

/** Whether the picture has to be mirrored so that the right breast looks to the left and the left one to the right. */
export function mirrored(laterality: "R" | "L", chestWall: Side): boolean {
  return laterality === "R" ? chestWall === "left" : chestWall === "right";
}

export function toShared(image: StudyImage, chestWall: Side, placement: Placement): Shared {
  const [row, column] = spacingOf(image);
  const fromWall = chestWall === "left" ? placement.x : image.columns - placement.x;
  return { u: fromWall * column, v: placement.y * row, scale: placement.scale / row };
}

export function fromShared(image: StudyImage, chestWall: Side, shared: Shared): Placement {
  const [row, column] = spacingOf(image);
  const fromWall = shared.u / column;
  return { x: chestWall === "left" ? fromWall : image.columns - fromWall, y: shared.v / row, scale: shared.scale * row };
}

/** Screen pixels per unit at which the whole image fits. */
export function fittingScale(image: StudyImage, width: number, height: number): number {
  const [row, column] = spacingOf(image);
  return Math.min(height / (image.rows * row), width / (image.columns * column));
}

/** The whole image in view: chest wall at the inner edge of the pane, or the image in its middle. */
export function fitted(image: StudyImage, scale: number, width: number, wallAtEdge: boolean): Shared {
  const [row, column] = spacingOf(image);
  return { u: wallAtEdge ? width / 2 / scale : (image.columns * column) / 2, v: (image.rows * row) / 2, scale };
}

/** Write a placement to a viewport. */
export function writeCamera(viewport: Types.IStackViewport, image: StudyImage, placement: Placement, flip: boolean): void {
  const height = viewport.element.clientHeight;
  const [row] = spacingOf(image);
  if ((viewport.getCamera().flipHorizontal ?? false) !== flip) viewport.setCamera({ flipHorizontal: flip });
  const { viewPlaneNormal, focalPoint, position } = viewport.getCamera();
  if (!viewPlaneNormal || !focalPoint || !position) return;
  const distance = Math.hypot(...focalPoint.map((value, axis) => value - (position[axis] ?? 0))) || 1;
  const target = toWorld(image, placement.x, placement.y);
  viewport.setCamera({
    parallelScale: (height / 2 / placement.scale) * row,
    focalPoint: target,
    position: target.map((value, axis) => value + (viewPlaneNormal[axis] ?? 0) * distance) as Types.Point3,
  });
}

/** Read where a viewport looks after a tool moved it. */
export function readCamera(viewport: Types.IStackViewport, image: StudyImage): Placement | null {
  const { focalPoint, parallelScale } = viewport.getCamera();
  if (!focalPoint || !parallelScale) return null;
  const [row] = spacingOf(image);
  const [x, y] = toImage(image, focalPoint);
  return { x, y, scale: (viewport.element.clientHeight / 2 / parallelScale) * row };
}
