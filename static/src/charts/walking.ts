/** Arrow keys walk the points of a chart: left and right along a series, up and down between series. */
import { plotly, type Json, type Trace } from "./plotly";

interface Position {
  curve: number;
  point: number;
}

export function linkOf(trace: Trace | undefined, point: number): string | null {
  const data = trace?.customdata?.[point];
  return data && typeof data === "object" && !Array.isArray(data) && typeof data["url"] === "string" ? data["url"] : null;
}

/** What a point says: the text the figure gives (the interval string), else its coordinates. */
export function wordsOf(trace: Trace, point: number): string {
  const data = trace.customdata?.[point];
  if (data && typeof data === "object" && !Array.isArray(data) && typeof data["text"] === "string") return data["text"];
  return [trace.name, shown(trace.x?.[point]), shown(trace.y?.[point])].filter((part) => part !== undefined && part !== "").join(", ");
}

export function shown(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "number") return String(value);
  const text = Number.isInteger(value) ? String(value) : Math.abs(value) < 0.01 ? value.toPrecision(3) : value.toFixed(3).replace(/0$/, "");
  return text.replace("-", "−");
}

export class Walk {
  private at: Position | null = null;

  constructor(
    private readonly area: HTMLElement,
    private readonly reading: HTMLElement | null,
    private readonly traces: () => Trace[],
  ) {
    area.addEventListener("keydown", (event) => this.onKey(event));
    area.addEventListener("blur", () => this.leave());
  }

  private series(): number[] {
    return this.traces().flatMap((trace, index) =>
      trace["visible"] !== false && trace["visible"] !== "legendonly" && trace["hoverinfo"] !== "skip" && trace.y?.length ? [index] : [],
    );
  }

  private onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const traces = this.traces();
    const series = this.series();
    if (!series.length) return;
    if (event.key === "Enter" && this.at) {
      const link = linkOf(traces[this.at.curve], this.at.point);
      if (link) window.location.assign(link);
      event.preventDefault();
      return;
    }
    const steps: Record<string, [number, number]> = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    if (!this.at) this.at = { curve: series[0]!, point: 0 };
    else {
      const place = Math.min(series.length - 1, Math.max(0, series.indexOf(this.at.curve) + step[0]));
      const curve = series[place]!;
      const last = (traces[curve]?.y?.length ?? 1) - 1;
      this.at = { curve, point: Math.min(last, Math.max(0, this.at.point + step[1])) };
    }
    this.show();
  }

  private show(): void {
    const trace = this.at && this.traces()[this.at.curve];
    if (!this.at || !trace) return;
    plotly().Fx.hover(this.area, [{ curveNumber: this.at.curve, pointNumber: this.at.point }]);
    if (this.reading) this.reading.textContent = wordsOf(trace, this.at.point);
  }

  /** The reading stays: taking its lines away while a pointer is pressed would move what is below from under it. */
  private leave(): void {
    plotly().Fx.unhover(this.area);
  }
}
