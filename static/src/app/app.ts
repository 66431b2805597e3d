/** Everything a page needs besides its own content. */
import "bootstrap/js/dist/collapse";
import "bootstrap/js/dist/dropdown";
import htmx from "htmx.org";
import { startDialogs } from "./dialogs";
import { startGallery } from "./gallery";
import { startImport } from "./import";
import { startJobs } from "./jobs";
import { startJobsPage } from "./jobs_page";
import { openKeyboardMap, registerKey, startKeyboard } from "./keyboard";
import { foldFacets, startPages } from "./pages";
import { startPrinting, toggleRail, toggleTheme } from "./preferences";
import { post, startRequests } from "./requests";
import { startReview } from "./review";
import { startRunPage } from "./run_page";
import { prepareRows, startTables } from "./tables";
import { showToast, startToasts } from "./toasts";

startRequests();
startKeyboard();
startDialogs();
startToasts();
startTables();
startGallery();
startJobsPage();
startJobs();
startImport();
startPages();
startReview();
startRunPage();
startPrinting();

const group = "Everywhere";
registerKey({ keys: "?", text: "this map", group, run: openKeyboardMap });
registerKey({ keys: "t", text: "dark or light", group, run: toggleTheme });
registerKey({ keys: "[", text: "rail wide or narrow", group, when: () => document.querySelector(".rail") !== null, run: toggleRail });
registerKey({
  keys: "Ctrl+Enter",
  text: "main action",
  group,
  when: () => document.querySelector("main .btn-primary") !== null,
  run: () => document.querySelector<HTMLElement>("main .btn-primary:not(:disabled)")?.click(),
});
registerKey({
  keys: "f",
  text: "filters",
  group: "This page",
  when: () => document.querySelector(".facet") !== null,
  run: () => document.querySelector<HTMLElement>(".facet input, .facet > summary")?.focus(),
});

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
  if (event.target.closest("[data-keyboard-map]")) openKeyboardMap();
});
htmx.onLoad((element) => {
  if (!(element instanceof HTMLElement)) return;
  prepareRows(element);
  foldFacets(element);
});

/** For scripts that are bundled apart (charts, viewer). */
declare global {
  interface Window {
    cemlab?: CEMLab;
  }
}
export interface CEMLab {
  registerKey: typeof registerKey;
  showToast: typeof showToast;
  post: typeof post;
}
window.cemlab = { registerKey, showToast, post };
