/**
 * Draws every `[data-chart]` (components/chart.html) with Plotly. The figure comes as JSON in the page, from
 * `data-figure-url`, or as live lines from `data-series-url`. A point whose customdata has a `url` opens it.
 */
import type { CEMLab } from "../app/app";
import { appearance, namesAbove, token } from "./appearance";
import { plotly, type Figure, type PlotlyElement, type Trace } from "./plotly";
import { tableTwin } from "./table_twin";
import { startThreshold } from "./threshold";
import { linkOf, Walk } from "./walking";

interface Series {
  series: { name: string; x: number[]; y: (number | null)[]; [key: string]: unknown }[];
  layout?: Figure["layout"];
  /** The run has ended: ask no more. */
  done?: boolean;
}

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
const charts = new Map<HTMLElement, Chart>();

class Chart {
  private readonly area: HTMLElement;
  private readonly height: number;
  private figure: Figure | null = null;
  private drawn: Trace[] = [];
  private hidden = new Set<string>();
  private logScale = false;
  private listening = false;
  private timer = 0;
  private above = false;

  constructor(private readonly element: HTMLElement) {
    this.area = element.querySelector<HTMLElement>("[data-chart-area]") ?? element;
    this.height = Number(element.dataset.height ?? 260);
    this.area.style.height = `${this.height}px`;
    new Walk(this.area, element.querySelector("[data-chart-reading]"), () => this.drawn);
    new ResizeObserver(() => this.onWidth()).observe(this.area);
  }

  async start(): Promise<void> {
    const { figureUrl, seriesUrl } = this.element.dataset;
    const embedded = this.element.querySelector('script[type="application/json"]');
    if (seriesUrl) await this.follow(seriesUrl);
    else if (figureUrl) await this.load(figureUrl);
    else if (embedded?.textContent) await this.draw(JSON.parse(embedded.textContent) as Figure);
  }

  /** Figures change with their page: sliders and filters set a new one through here. */
  async draw(figure: Figure): Promise<void> {
    this.figure = figure;
    this.above = namesAbove(figure, this.area.clientWidth);
    const { data, layout } = appearance(figure, this.height, this.area.clientWidth);
    this.area.style.height = `${Number(layout["height"])}px`;
    if (this.logScale) layout["yaxis"] = { ...(layout["yaxis"] as object), type: "log", autorange: true };
    this.drawn = data.map((trace) => (this.isHidden(trace) ? { ...trace, visible: false } : trace));
    this.area.querySelector(".chart-failed")?.remove();
    const drawn = await plotly().react(this.area, this.drawn, layout, CONFIG);
    this.listen(drawn);
    this.element.querySelector("[data-chart-table]")?.replaceChildren(tableTwin(this.drawn, layout));
  }

  redraw(): void {
    if (this.figure) void this.draw(this.figure);
  }

  /** A turned telephone: names of lines go above them, or back beside. */
  private onWidth(): void {
    if (this.figure && namesAbove(this.figure, this.area.clientWidth) !== this.above) this.redraw();
  }

  hide(name: string, hidden: boolean): void {
    if (hidden) this.hidden.add(name);
    else this.hidden.delete(name);
    this.redraw();
  }

  toggleScale(): void {
    this.logScale = !this.logScale;
    this.redraw();
  }

  get live(): boolean {
    return Boolean(this.element.dataset.seriesUrl);
  }

  stop(): void {
    window.clearTimeout(this.timer);
  }

  private isHidden(trace: Trace): boolean {
    return this.hidden.has(trace.legendgroup ?? "") || this.hidden.has(trace.name ?? "");
  }

  private listen(drawn: PlotlyElement): void {
    if (this.listening) return;
    this.listening = true;
    drawn.on("plotly_click", (event) => {
      const point = event.points[0];
      const link = point && linkOf(this.drawn[point.curveNumber], point.pointNumber);
      if (link) window.location.assign(link);
    });
    drawn.on("plotly_hover", (event) => {
      const point = event.points[0];
      this.area.style.cursor = point && linkOf(this.drawn[point.curveNumber], point.pointNumber) ? "pointer" : "";
    });
  }

  private async load(url: string): Promise<void> {
    const figure = await this.ask<Figure>(url);
    if (figure) await this.draw(figure);
    else this.fail(() => void this.load(url));
  }

  /** Live lines: the same answer, asked again until the server says it is done. */
  private async follow(url: string): Promise<void> {
    const answer = await this.ask<Series>(url);
    if (answer) {
      const data = answer.series.map((line) => ({ mode: "lines", ...line }) as Trace);
      await this.draw({ data, layout: answer.layout ?? {} });
    } else if (!this.figure) this.fail(() => void this.follow(url));
    if (!answer?.done && this.element.isConnected && (answer || this.figure)) {
      this.timer = window.setTimeout(() => void this.follow(url), 1000 * Number(this.element.dataset.every ?? 5));
    }
  }

  private async ask<Answer>(url: string): Promise<Answer | null> {
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" } });
      return response.ok ? ((await response.json()) as Answer) : null;
    } catch (error) {
      // no connection, or an answer that is no JSON
      if (error instanceof TypeError || error instanceof SyntaxError) return null;
      throw error;
    }
  }

  private fail(again: () => void): void {
    const line = document.createElement("div");
    line.className = "chart-failed";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm";
    button.textContent = "Try again";
    button.addEventListener("click", () => {
      line.remove();
      again();
    });
    line.append("The figure could not be loaded. ", button);
    this.area.replaceChildren(line);
  }
}

function prepare(root: ParentNode): void {
  const found = [...root.querySelectorAll<HTMLElement>("[data-chart]")];
  if (root instanceof HTMLElement && root.matches("[data-chart]")) found.push(root);
  for (const element of found) {
    if (charts.has(element)) continue;
    const chart = new Chart(element);
    charts.set(element, chart);
    void chart.start();
  }
  for (const [element, chart] of charts) {
    if (element.isConnected) continue;
    chart.stop();
    charts.delete(element);
  }
}

/** A legend stands above and may serve several charts: `data-chart-legend="id id"`, boxes `data-series="name"`. */
function onLegend(event: Event): void {
  const box = event.target;
  if (!(box instanceof HTMLInputElement) || !box.dataset.series) return;
  const legend = box.closest<HTMLElement>("[data-chart-legend]");
  for (const id of legend?.dataset.chartLegend?.split(" ") ?? []) {
    const element = document.getElementById(id);
    if (element) charts.get(element)?.hide(box.dataset.series, !box.checked);
  }
}

function start(): void {
  prepare(document);
  startThreshold();
  document.addEventListener("change", onLegend);
  document.addEventListener("cemlab:theme", () => charts.forEach((chart) => chart.redraw()));
  document.body.addEventListener("htmx:load", (event) => {
    const element = (event as CustomEvent<{ elt: HTMLElement }>).detail.elt;
    if (element instanceof HTMLElement) prepare(element);
  });
  const page: CEMLab | undefined = window.cemlab;
  page?.registerKey({
    keys: "s",
    text: "curve scale, linear or logarithmic",
    group: "Chart",
    when: () => [...charts.values()].some((chart) => chart.live),
    run: () => charts.forEach((chart) => chart.live && chart.toggleScale()),
  });
  window.cemlabCharts = {
    draw: (id, figure) => {
      const element = document.getElementById(id);
      const chart = element && charts.get(element);
      return chart ? chart.draw(figure) : Promise.resolve();
    },
    token,
  };
}

declare global {
  interface Window {
    cemlabCharts?: { draw: (id: string, figure: Figure) => Promise<void>; token: (name: string) => string };
  }
}

start();
