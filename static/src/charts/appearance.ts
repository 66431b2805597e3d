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

export function appearance(figure: Figure, height: number): { data: Trace[]; layout: Layer } {
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
  return { data: figure.data.map(styledTrace), layout };
}
