/** What the address says of the display. */

const NAMES = ["layout", "kind", "place", "run", "application", "score", "synthetic", "shown", "focus", "off"];
/** Belong to one case and stay behind when the reader goes on to another; whose findings are shown goes along. */
const OF_THE_CASE = ["synthetic", "shown", "place", "focus"];

/** Write the display into the address; the other parameters stay. */
export function replaceQuery(display: Record<string, string>): void {
  const url = new URL(location.href);
  for (const name of NAMES) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(display)) url.searchParams.set(name, value);
  history.replaceState(history.state, "", url);
}

/** Open another case with the same display. */
export function goAlong(address: string, display: Record<string, string>): void {
  const target = new URL(address, location.href);
  for (const name of NAMES) if (!OF_THE_CASE.includes(name)) target.searchParams.delete(name);
  for (const [name, value] of Object.entries(display)) {
    if (!OF_THE_CASE.includes(name)) target.searchParams.set(name, value);
  }
  location.assign(target);
}
