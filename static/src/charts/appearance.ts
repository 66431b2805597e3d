/** Colours, type and spacing of figures, taken from the tokens, so that both themes hold for charts too. */
import type { Figure, Json, Trace } from "./plotly";

const MARKERS = ["circle", "square", "diamond", "triangle-up", "cross", "x"];
const ROLE = /^role:([a-z0-9-]+)$/;

/** The value of a token, for example `token("s1")`. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--cl-${name}`).trim();
}

/** Figures name colours by role ("role:s1"); here they become the colours of the theme in force. */
export function resolveRoles<Value extends Json | undefined>(value: Value): Value {
  if (typeof value === "string") {
    const role = ROLE.exec(value)?.[1];
    return (role ? token(role) : value) as Value;
  }
  if (Array.isArray(value)) return value.map(resolveRoles) as Value;
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolveRoles(inner)])) as Value;
  }
  return value;
}

type Layer = { [key: string]: Json };

function isLayer(value: Json | undefined): value is Layer {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function merge(base: Layer, over: Layer): Layer {
  const merged: Layer = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isLayer(before) && isLayer(value) ? merge(before, value) : value;
  }
  return merged;
}

/** Colour and marker of a series by its place, where the figure does not say. */
function styledTrace(trace: Trace, place: number): Trace {
  const colour = token(`s${(place % 6) + 1}`);
  const base: Layer = trace.type === "bar" || trace.type === "histogram"
    ? { marker: { color: colour } }
    : { line: { color: colour, width: 2 }, marker: { color: colour, size: 8, symbol: MARKERS[place % MARKERS.length]! } };
  return merge(base, resolveRoles(trace as Layer)) as Trace;
}

const AXES = /^[xy]axis\d*$/;
/** Pixels: in a narrower figure names of lines would take half of it, and stand above their lines. */
const NARROW = 300;
/** Pixels that a name above adds to its line, and how far it stands above. */
const NAME = { line: 14, above: 21 };

/** Whether the lines of a figure are named at its vertical axis and it is too narrow for names beside. */
export function namesAbove(figure: Figure, width: number): boolean {
  const axis = figure.layout?.["yaxis"];
  return width < NARROW && isLayer(axis) && Array.isArray(axis["ticktext"]);
}

/** Names over their lines, from the left end of the figure, which grows by as much. */
function nameAbove(layout: Layer, height: number): void {
  const axis = layout["yaxis"] as Layer;
  const names = axis["ticktext"] as Json[];
  const lines = axis["tickvals"] as Json[];
  layout["height"] = height + NAME.line * names.length;
  layout["margin"] = merge(layout["margin"] as Layer, { l: 8, r: 8 });
  layout["yaxis"] = merge(axis, { showticklabels: false });
  // not as labels inside the axis: Plotly hides the numbers below that stand under one
  layout["annotations"] = names.map((text, place) => ({
    text, x: 0, xref: "paper", xanchor: "left", y: lines[place] ?? place, yshift: NAME.above, yanchor: "middle", showarrow: false,
  }));
}

/** `width` in pixels is that of the place where it is drawn; the layout says what height it takes. */
export function appearance(figure: Figure, height: number, width: number): { data: Trace[]; layout: Layer } {
  const text = token("text-3");
  const axis: Layer = {
    gridcolor: token("grid"),
    linecolor: token("axis"),
    zerolinecolor: token("grid"),
    tickfont: { color: text, size: 12 },
    title: { font: { color: text, size: 12 }, standoff: 8 },
    automargin: true,
    fixedrange: true,
  };
  const given = resolveRoles(figure.layout ?? {});
  const layout: Layer = merge(
    {
      height,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: token("font"), size: 12, color: text },
      margin: { l: 44, r: 14, t: 10, b: 36 },
      showlegend: false,
      // "200 %" is a name, not a number
      autotypenumbers: "strict",
      hovermode: "closest",
      hoverlabel: { bgcolor: token("raised"), bordercolor: token("line-strong"), font: { color: token("text"), size: 12, family: token("font") } },
      transition: { duration: 0 },
      uirevision: "kept",
      xaxis: {},
      yaxis: {},
    },
    given,
  );
  for (const name of Object.keys(layout)) {
    const value = layout[name];
    if (AXES.test(name) && isLayer(value)) layout[name] = merge({ ...axis, ...(name.startsWith("x") ? { showgrid: false } : {}) }, value);
  }
  if (namesAbove(figure, width)) nameAbove(layout, height);
  return { data: figure.data.map(styledTrace), layout };
}
