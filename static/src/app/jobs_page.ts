/** The pages of jobs: keys on rows, new jobs announced rather than inserted, a log that follows. */
import type { Job } from "./jobs";
import { registerKey } from "./keyboard";

const LOG_MS = 2000;

/** C and R on the row that has the focus. */
function registerRowKey(list: HTMLElement, keys: string, text: string, form: string): void {
  const button = (): HTMLElement | null =>
    document.activeElement?.closest<HTMLElement>("[data-row]")?.querySelector<HTMLElement>(`${form} button`) ?? null;
  registerKey({ keys, text, group: "Table", when: () => list.isConnected, run: () => button()?.click() });
}

function announceNew(list: HTMLElement): void {
  const line = document.querySelector<HTMLElement>("[data-jobs-new]");
  const text = line?.querySelector<HTMLElement>("[data-jobs-new-text]");
  if (!line || !text) return;
  const unseen = new Set<string>();
  document.body.addEventListener("cemlab:jobs", (event) => {
    for (const job of (event as CustomEvent<Job[]>).detail) {
      const active = !["done", "failed", "cancelled"].includes(job.state);
      if (active && !list.querySelector(`[data-job-id="${CSS.escape(String(job.id))}"]`)) unseen.add(String(job.id));
    }
    if (unseen.size === 0) return;
    text.textContent = unseen.size === 1 ? "1 new job" : `${unseen.size} new jobs`;
    line.hidden = false;
  });
}

/** Events and buttons are loaded anew when the job's state or attempt changes, not at every step. */
function followState(area: HTMLElement): void {
  let before = "";
  document.body.addEventListener("cemlab:jobs", (event) => {
    const job = (event as CustomEvent<(Job & { attempt?: number })[]>).detail.find((one) => String(one.id) === area.dataset.jobPage);
    if (!job) return;
    const now = `${job.state} ${job.attempt ?? ""}`;
    if (before && before !== now) area.dispatchEvent(new CustomEvent("cemlab:job-changed"));
    before = now;
  });
}

function followLog(log: HTMLElement): void {
  const follow = document.querySelector<HTMLInputElement>("[data-log-follow]");
  let position = Number(log.dataset.logPosition ?? "0");
  const toEnd = (): void => {
    if (follow?.checked) log.scrollTop = log.scrollHeight;
  };
  const ask = async (): Promise<void> => {
    let active = true;
    try {
      const response = await fetch(`${log.dataset.logUrl}?from=${position}`, { headers: { Accept: "application/json" } });
      if (response.ok) {
        const added = (await response.json()) as { text: string; position: number; active: boolean };
        if (added.text) {
          log.append(added.text);
          document.querySelector<HTMLElement>("[data-log-empty]")?.setAttribute("hidden", "");
          toEnd();
        }
        // more may lie ready than one answer holds
        active = added.active || added.position > position;
        position = added.position;
      }
    } catch (error) {
      // no connection: the strip says so, and the next round tries again
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    }
    if (active && log.isConnected) window.setTimeout(() => void ask(), LOG_MS);
  };
  toEnd();
  follow?.addEventListener("change", toEnd);
  if ("logActive" in log.dataset) void ask();
}

export function startJobsPage(): void {
  const list = document.querySelector<HTMLElement>("[data-jobs-page]");
  if (list) {
    registerRowKey(list, "c", "cancel", "[data-job-cancel]");
    registerRowKey(list, "r", "retry", "[data-job-retry]");
    announceNew(list);
  }
  const area = document.querySelector<HTMLElement>("[data-job-page]");
  if (area) followState(area);
  const log = document.querySelector<HTMLElement>("[data-log]");
  if (log) followLog(log);
}
