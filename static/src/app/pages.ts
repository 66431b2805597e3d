/** Small behaviours that any page may ask for by a data attribute. */

/** `data-submit-on-change` on a form (or a field): send it as soon as something is chosen. */
function submitOnChange(event: Event): void {
  const field = event.target;
  if (!(field instanceof HTMLElement)) return;
  const form = field.closest<HTMLFormElement>("form[data-submit-on-change]") ?? (field.matches("[data-submit-on-change]") ? field.closest("form") : null);
  form?.requestSubmit();
}

/** `data-copy="text"`: to the clipboard, saying so on the button. */
async function copy(button: HTMLElement): Promise<void> {
  await navigator.clipboard.writeText(button.dataset.copy ?? "");
  const before = button.getAttribute("aria-label");
  button.setAttribute("aria-label", "Copied");
  button.dataset.copied = "";
  window.setTimeout(() => {
    delete button.dataset.copied;
    if (before) button.setAttribute("aria-label", before);
    else button.removeAttribute("aria-label");
  }, 1500);
}

/** A thumbnail that does not load shows its words on black instead of a broken picture. */
function imageFailed(event: Event): void {
  const image = event.target;
  if (!(image instanceof HTMLImageElement) || !image.matches("[data-thumbnail]")) return;
  const words = document.createElement("span");
  words.className = image.closest(".thumbnail-strip") ? "thumbnail-missing" : "thumbnail-reason";
  words.title = `${image.alt}: no picture`;
  if (words.className === "thumbnail-reason") words.textContent = words.title;
  image.replaceWith(words);
}

function showPassword(box: HTMLInputElement): void {
  const field = document.getElementById(box.dataset.showPassword ?? "");
  if (field instanceof HTMLInputElement) field.type = box.checked ? "text" : "password";
}

/** The saved state in the strip; pages send "cemlab:saved" with {state: "saving" | "saved" | "failed"}. */
function showSaved(event: Event): void {
  const place = document.querySelector<HTMLElement>("[data-saved]");
  const state = (event as CustomEvent<{ state: string }>).detail.state;
  if (!place) return;
  const time = new Date().toLocaleTimeString("en-GB");
  place.textContent = state === "saving" ? "Saving" : state === "saved" ? `Saved ${time}` : "Not saved";
}

const NARROW = window.matchMedia("(max-width: 900px)");

/** On a narrow window filters stand above the list: only those in use are open, so that the list is in sight. */
export function foldFacets(element: HTMLElement): void {
  if (!NARROW.matches) return;
  for (const facet of element.querySelectorAll<HTMLDetailsElement>("details.facet")) facet.open = facet.querySelector(":checked") !== null;
}

export function startPages(): void {
  document.addEventListener("change", submitOnChange);
  document.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.matches("[data-show-password]")) showPassword(event.target);
  });
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-copy]") : null;
    if (button) void copy(button);
  });
  document.addEventListener("error", imageFailed, true);
  document.addEventListener("cemlab:saved", showSaved);
  document.querySelector<HTMLElement>("[data-error-summary]")?.focus();
}
