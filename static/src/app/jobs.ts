/**
 * Keeps the status strip and all progress rows live: an event stream first, polling when there is none.
 * A message is one job (or {"jobs": […], "waiting": n}); a row is any element with `data-job-id`.
 * When a job ends, "job-ended" is sent from the body, so that parts of a page may load anew:
 * `hx-trigger="job-ended from:body"`.
 */
import { icon } from "./icons";

export interface Job {
  id: string | number;
  kind: string;
  name: string;
  state: "queued" | "waiting" | "running" | "stopping" | "done" | "failed" | "cancelled";
  fraction: number | null;
  message: string;
  seconds_left: number | null;
  url: string;
  /** Who started it; the strip shows the person's own job first. */
  owner?: string;
  /** Grows with each change, so that a late message does not undo a newer one. */
  version?: number;
  cancel_url?: string;
}

const POLL_MS = 5000;
const CHIPS: Record<Job["state"], [word: string, icon: string, tone: string]> = {
  queued: ["Waiting", "clock", "idle"],
  waiting: ["Waiting", "clock", "idle"],
  running: ["Running", "play", "info"],
  stopping: ["Stopping", "clock", "info"],
  done: ["Complete", "check", "ok"],
  failed: ["Stopped", "cross", "bad"],
  cancelled: ["Cancelled", "bar", "idle"],
};
const jobs = new Map<string, Job>();
let waitingElsewhere: number | null = null;

/** Rounded up, so that the words do not flicker: as the filter `time_left`. */
function timeLeft(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "";
  if (seconds < 60) return "under 1 min left";
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min left` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} left`;
}

function setBar(bar: HTMLProgressElement | null, fraction: number | null): void {
  if (!bar) return;
  if (fraction === null) bar.removeAttribute("value");
  else bar.value = fraction;
}

function ended(job: Job): boolean {
  return ["done", "failed", "cancelled"].includes(job.state);
}

function chip(job: Job): HTMLElement {
  const [word, name, tone] = CHIPS[job.state];
  const element = document.createElement("span");
  element.className = `chip chip-${tone}`;
  element.dataset.state = job.state;
  const text = document.createElement("span");
  text.textContent = word;
  element.append(icon(name, true), text);
  return element;
}

function updateRows(job: Job): void {
  for (const row of document.querySelectorAll<HTMLElement>(`[data-job-id="${CSS.escape(String(job.id))}"]`)) {
    setBar(row.querySelector("[data-job-bar]"), ended(job) && job.state === "done" ? 1 : job.fraction);
    const step = row.querySelector("[data-job-step]");
    if (step) step.textContent = job.message;
    const left = row.querySelector("[data-job-left]");
    const words = ended(job) ? "" : timeLeft(job.seconds_left);
    if (left) left.textContent = words && (step ? ` · ${words}` : words);
    const place = row.querySelector<HTMLElement>("[data-job-chip]");
    if (place && place.querySelector<HTMLElement>("[data-state]")?.dataset.state !== job.state) place.replaceChildren(chip(job));
    if (job.state !== "queued" && job.state !== "waiting") row.querySelector("[data-job-waits]")?.remove();
    if (ended(job)) row.querySelector("[data-job-cancel]")?.remove();
  }
}

function updateStrip(strip: HTMLElement): void {
  const running = [...jobs.values()].filter((job) => job.state === "running" || job.state === "stopping");
  const own = (job: Job): boolean => Boolean(job.owner) && job.owner === strip.dataset.person;
  running.sort((a, b) => Number(own(b)) - Number(own(a)));
  const waiting = waitingElsewhere ?? [...jobs.values()].filter((job) => job.state === "queued" || job.state === "waiting").length;
  const place = strip.querySelector<HTMLElement>("[data-strip-job]");
  const rest = strip.querySelector<HTMLElement>("[data-strip-rest]");
  if (!place || !rest) return;
  const job = running[0];
  if (job) {
    let bar = place.querySelector("progress");
    let name = place.querySelector<HTMLAnchorElement>(".strip-name");
    let step = place.querySelector<HTMLElement>("[data-strip-step]");
    if (!bar || !name || !step) {
      name = document.createElement("a");
      name.className = "strip-name ellipsis";
      bar = document.createElement("progress");
      bar.max = 1;
      step = document.createElement("span");
      step.dataset.stripStep = "";
      place.replaceChildren(icon("play", true), name, bar, step);
    }
    name.textContent = job.name;
    name.href = job.url;
    bar.setAttribute("aria-label", job.name);
    setBar(bar, job.fraction);
    const words = timeLeft(job.seconds_left);
    step.textContent = [job.message, words].filter(Boolean).join(" · ");
  } else {
    const nothing = document.createElement("span");
    nothing.className = "muted";
    nothing.textContent = "Nothing runs";
    place.replaceChildren(nothing);
  }
  const cancel = strip.querySelector<HTMLFormElement>("[data-strip-cancel]");
  if (cancel) {
    cancel.hidden = !job || job.state !== "running" || !job.cancel_url || !(own(job) || "mayControl" in strip.dataset);
    if (job?.cancel_url && cancel.getAttribute("action") !== job.cancel_url) cancel.action = job.cancel_url;
  }
  const others = running.length - 1;
  rest.textContent = [others > 0 ? `${others} more running` : "", waiting > 0 ? `${waiting} waiting` : ""].filter(Boolean).join(", ");
}

function take(strip: HTMLElement, received: Job | { jobs: Job[]; waiting?: number }): void {
  const list = "jobs" in received ? received.jobs : [received];
  if ("jobs" in received) {
    waitingElsewhere = received.waiting ?? null;
    const present = new Set(list.map((job) => String(job.id)));
    for (const id of [...jobs.keys()]) if (!present.has(id)) jobs.delete(id);
  }
  for (const job of list) {
    const before = jobs.get(String(job.id));
    if (before?.version !== undefined && job.version !== undefined && job.version < before.version) continue;
    jobs.set(String(job.id), job);
    updateRows(job);
    if (ended(job)) {
      jobs.delete(String(job.id));
      if (before) document.body.dispatchEvent(new CustomEvent("job-ended", { detail: job }));
    }
  }
  document.body.dispatchEvent(new CustomEvent("cemlab:jobs", { detail: list }));
  updateStrip(strip);
}

function connection(strip: HTMLElement, state: "live" | "polling" | "offline" | "signed-out"): void {
  const place = strip.querySelector<HTMLElement>("[data-connection]");
  if (!place || place.dataset.state === state) return;
  place.dataset.state = state;
  const words = { live: "Live", polling: "Every 5 s", offline: "Offline, work continues", "signed-out": "Signed out, reload" }[state];
  const text = place.querySelector("span:last-of-type");
  if (text) text.textContent = words;
  strip.toggleAttribute("data-offline", state === "offline" || state === "signed-out");
}

function poll(strip: HTMLElement, url: string): () => void {
  let stopped = false;
  const ask = async (): Promise<void> => {
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new TypeError(`status ${response.status}`);
      const received = (await response.json()) as { jobs: Job[]; waiting?: number };
      if (stopped) return;
      take(strip, received);
      connection(strip, "polling");
    } catch (error) {
      // fetch and json() raise TypeError and SyntaxError: no connection, or an answer that is none
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
      if (!stopped) connection(strip, "offline");
    }
    if (!stopped) window.setTimeout(() => void ask(), POLL_MS);
  };
  void ask();
  return () => {
    stopped = true;
  };
}

export function startJobs(): void {
  const strip = document.getElementById("status-strip");
  if (!strip) return;
  const { stream, poll: pollUrl } = strip.dataset;
  let stopPolling: (() => void) | null = null;
  const fallBack = (): void => {
    if (!stopPolling && pollUrl) stopPolling = poll(strip, pollUrl);
    else if (!pollUrl) connection(strip, "offline");
  };
  if (!stream) {
    if (pollUrl) fallBack();
    return;
  }
  const open = (): void => {
    const source = new EventSource(stream);
    const receive = (event: MessageEvent<string>): void => take(strip, JSON.parse(event.data) as Job);
    source.onmessage = receive;
    source.addEventListener("job", receive as EventListener);
    source.addEventListener("jobs", receive as EventListener);
    source.addEventListener("signed-out", () => {
      source.close();
      connection(strip, "signed-out");
    });
    source.onopen = () => {
      stopPolling?.();
      stopPolling = null;
      connection(strip, "live");
    };
    source.onerror = () => {
      fallBack();
      // a closed stream does not come back by itself
      if (source.readyState === EventSource.CLOSED) window.setTimeout(open, 6 * POLL_MS);
    };
    window.addEventListener("pagehide", () => source.close(), { once: true });
  };
  open();
}
