/** What a person has set on this device: theme, rail, row height, single-letter keys. */

type Preference = "theme" | "rail" | "dense" | "letters";

const PREFIX = "cemlab.";

export function preference(name: Preference): string | null {
  return storage()?.getItem(PREFIX + name) ?? null;
}

export function setPreference(name: Preference, value: string | null): void {
  if (value === null) storage()?.removeItem(PREFIX + name);
  else storage()?.setItem(PREFIX + name, value);
  applyPreferences();
}

/** Storage may be closed by the browser's privacy settings; then the page keeps its defaults. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

export function applyPreferences(): void {
  const root = document.documentElement;
  root.dataset.bsTheme = preference("theme") === "light" ? "light" : "dark";
  const rail = preference("rail");
  if (rail) root.dataset.rail = rail;
  else delete root.dataset.rail;
  if (preference("dense")) root.dataset.dense = "";
  else delete root.dataset.dense;
}

export function toggleTheme(): void {
  setPreference("theme", document.documentElement.dataset.bsTheme === "light" ? "dark" : "light");
  document.dispatchEvent(new CustomEvent("cemlab:theme"));
}

/** The rail is wide by default, narrow on pages of class "slim"; the person's choice wins over both. */
export function toggleRail(): void {
  const slim = preference("rail") === "slim" || (preference("rail") === null && document.body.classList.contains("slim"));
  setPreference("rail", slim ? "full" : "slim");
}

/** Paper takes the light theme, whatever the screen has. */
export function startPrinting(): void {
  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.bsTheme = "light";
    document.dispatchEvent(new CustomEvent("cemlab:theme"));
  });
  window.addEventListener("afterprint", () => {
    applyPreferences();
    document.dispatchEvent(new CustomEvent("cemlab:theme"));
  });
}
