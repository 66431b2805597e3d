/** The part of Plotly's global that the charts use; the library is a script of its own (app/plotly.js). */

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Trace {
  [key: string]: Json | undefined;
  type?: string;
  name?: string;
  legendgroup?: string;
  x?: (string | number | null)[];
  y?: (string | number | null)[];
  customdata?: (Json | { url?: string; text?: string })[];
}

export interface Figure {
  data: Trace[];
  layout?: { [key: string]: Json };
}

export interface PlotlyElement extends HTMLElement {
  on(name: string, handler: (event: PlotlyEvent) => void): void;
}

interface PlotlyEvent {
  points: { curveNumber: number; pointNumber: number }[];
}

interface Plotly {
  react(element: HTMLElement, data: Trace[], layout: object, config: object): Promise<PlotlyElement>;
  restyle(element: HTMLElement, update: object, traces: number[]): Promise<void>;
  Fx: { hover(element: HTMLElement, points: object[]): void; unhover(element: HTMLElement): void };
}

declare global {
  interface Window {
    Plotly?: Plotly;
  }
}

export function plotly(): Plotly {
  if (!window.Plotly) throw new Error("app/plotly.js must be loaded before app/charts.js");
  return window.Plotly;
}
