/** Cornerstone3D, set up once a page. */
import * as core from "@cornerstonejs/core";
import * as loader from "@cornerstonejs/dicom-image-loader";
import * as tools from "@cornerstonejs/tools";
import type { StudyImage } from "./study";

const TOOL_GROUP = "case-viewer";
const described = new Map<string, StudyImage>();

/** Why images cannot be drawn here, or null. Measuring without WebGL 2 gives wrong lengths, so it is not offered. */
export function noWebGL(): string | null {
  const context = document.createElement("canvas").getContext("webgl2");
  if (!context) return "This browser offers no WebGL 2.";
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return null;
}

export async function startEngine(wasm: string): Promise<core.RenderingEngine> {
  type Configuration = Parameters<typeof core.init>[0];
  core.init({ rendering: { useCPURendering: false, preferSizeOverAccuracy: false } } as Configuration);
  // the loader empties caches and metadata when it starts: once, and before any image is described
  loader.init({ maxWebWorkers: 2, wasmBasePath: wasm, strict: false } as Parameters<typeof loader.init>[0]);
  tools.init();
  for (const tool of [tools.WindowLevelTool, tools.PanTool, tools.ZoomTool, tools.LengthTool]) tools.addTool(tool);
  return new core.RenderingEngine("case-viewer");
}

/** The id under which Cornerstone knows an image; describes it on first use. */
export function imageIdOf(image: StudyImage): string {
  const id = `wadors:${new URL(image.frame, location.href).href}`;
  if (!described.has(id)) {
    described.set(id, image);
    loader.wadors.metaDataManager.add(id, image.metadata as Parameters<typeof loader.wadors.metaDataManager.add>[1]);
  }
  return id;
}

/** Decode an image ahead of need; a failure shows when the image is really asked for. */
export function preload(image: StudyImage): void {
  core.imageLoader.loadAndCacheImage(imageIdOf(image)).catch(() => undefined);
}

/** "12.3 mm, detector plane" or "240 pixels": a length never stands without what it is measured in. */
function lengthWords(data: { cachedStats?: Record<string, { length?: number }> }, target: string): string[] {
  const length = data.cachedStats?.[target]?.length;
  if (length === undefined || !Number.isFinite(length)) return [];
  const image = described.get(target.replace(/^imageId:/, ""));
  return [image?.spacing ? `${length.toFixed(1)} mm, detector plane` : `${length.toFixed(0)} pixels`];
}

export class Tools {
  private readonly group: tools.Types.IToolGroup;
  ruler = false;

  constructor() {
    const group = tools.ToolGroupManager.createToolGroup(TOOL_GROUP);
    if (!group) throw new Error("The image tools could not be started. Reload the page.");
    this.group = group;
    for (const tool of [tools.WindowLevelTool, tools.PanTool, tools.ZoomTool]) group.addTool(tool.toolName);
    group.addTool(tools.LengthTool.toolName, { getTextLines: lengthWords });
    const { MouseBindings, KeyboardBindings } = tools.Enums;
    group.setToolActive(tools.PanTool.toolName, {
      bindings: [
        { mouseButton: MouseBindings.Auxiliary },
        { mouseButton: MouseBindings.Primary, modifierKey: KeyboardBindings.Shift },
      ],
    });
    group.setToolActive(tools.ZoomTool.toolName, { bindings: [{ mouseButton: MouseBindings.Secondary }] });
    this.setRuler(false);
  }

  add(viewportId: string, engineId: string): void {
    this.group.addViewport(viewportId, engineId);
  }

  remove(engineId: string, viewportId: string): void {
    this.group.removeViewports(engineId, viewportId);
  }

  /** The primary button draws lengths, or sets window and level. */
  setRuler(on: boolean): void {
    this.ruler = on;
    const primary = { bindings: [{ mouseButton: tools.Enums.MouseBindings.Primary }] };
    if (on) {
      this.group.setToolDisabled(tools.WindowLevelTool.toolName);
      this.group.setToolActive(tools.LengthTool.toolName, primary);
    } else {
      this.group.setToolPassive(tools.LengthTool.toolName);
      this.group.setToolActive(tools.WindowLevelTool.toolName, primary);
    }
  }
}
