/**
 * Handing in files: `form[data-upload]`. A folder or files are dropped or chosen, then sent in pieces, with progress
 * for each file and for all. A lost connection is tried again; a pause keeps what has arrived.
 */
import { csrfToken } from "./requests";

interface Entry {
  file: File;
  name: string;
  sent: number;
  bar: HTMLProgressElement | null;
}

interface Begun {
  pieces: string;
  finish: string;
  report: string;
}

const SHOWN = 300;
const TRIES = 6;
const LITTER = new Set([".ds_store", "thumbs.db", "desktop.ini"]);

/** An answer of the server that says in words why it does not go on. */
class Refusal extends Error {}

function bytes(value: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** All files below a dropped folder; browsers hand folders out in batches of a hundred. */
async function walk(entry: FileSystemEntry, found: Entry[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    found.push({ file, name: entry.fullPath.replace(/^\//, ""), sent: 0, bar: null });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (batch.length === 0) return;
    for (const child of batch) await walk(child, found);
  }
}

class Upload {
  private entries: Entry[] = [];
  private running = false;
  private paused = false;
  private resume: (() => void) | null = null;
  private readonly pieceBytes: number;
  private readonly total: HTMLElement;
  private readonly words: HTMLElement;
  private readonly bar: HTMLProgressElement;
  private readonly pauseButton: HTMLButtonElement;
  private readonly list: HTMLElement;
  private readonly failure: HTMLElement;

  constructor(private readonly form: HTMLFormElement) {
    this.pieceBytes = Number(form.dataset.pieceBytes);
    this.total = this.part("[data-upload-total]");
    this.words = this.part("[data-upload-words]");
    this.bar = this.part("[data-upload-bar]");
    this.pauseButton = this.part("[data-upload-pause]");
    this.list = this.part("[data-upload-files]");
    this.failure = this.part("[data-failure]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
    this.pauseButton.addEventListener("click", () => this.togglePause());
    for (const input of form.querySelectorAll<HTMLInputElement>("input[type=file]")) {
      input.addEventListener("change", () => {
        this.add([...(input.files ?? [])].map((file) => ({ file, name: file.webkitRelativePath || file.name, sent: 0, bar: null })));
        input.value = "";
      });
    }
    this.listenForDrops(this.part("[data-drop-zone]"));
    window.addEventListener("beforeunload", (event) => {
      if (this.running) event.preventDefault();
    });
  }

  private part<Kind extends HTMLElement>(selector: string): Kind {
    const found = this.form.querySelector<Kind>(selector);
    if (!found) throw new Error(`the import form lacks ${selector}`);
    return found;
  }

  private listenForDrops(zone: HTMLElement): void {
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      const items = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
      void (async () => {
        const found: Entry[] = [];
        for (const entry of items) await walk(entry, found);
        this.add(found);
      })();
    });
  }

  private add(found: Entry[]): void {
    if (this.running) return;
    this.failure.replaceChildren();
    const kept = found.filter((entry) => !LITTER.has((entry.name.split("/").pop() ?? "").toLowerCase()));
    const most = Number(this.form.dataset.mostFiles);
    const largest = Number(this.form.dataset.largestFile);
    const tooLarge = kept.find((entry) => entry.file.size > largest);
    if (tooLarge) return this.fail(`${tooLarge.file.name} has ${bytes(tooLarge.file.size)}; at most ${bytes(largest)} are taken. Hand it in in parts.`);
    if (this.entries.length + kept.length > most) return this.fail(`That would be more than ${most} files. Pack them as a zip archive, or hand in parts.`);
    this.entries.push(...kept);
    this.show();
  }

  private show(): void {
    const rows = this.entries.slice(0, SHOWN).map((entry) => {
      const row = document.createElement("tr");
      const name = row.insertCell();
      name.textContent = entry.name.split("/").pop() ?? entry.name;
      const size = row.insertCell();
      size.className = "num";
      size.textContent = bytes(entry.file.size);
      entry.bar = document.createElement("progress");
      entry.bar.max = Math.max(entry.file.size, 1);
      entry.bar.value = entry.sent;
      entry.bar.setAttribute("aria-label", name.textContent);
      row.insertCell().append(entry.bar);
      return row;
    });
    this.list.querySelector("tbody")?.replaceChildren(...rows);
    this.list.hidden = this.entries.length === 0;
    this.total.hidden = this.entries.length === 0;
    this.pauseButton.hidden = !this.running;
    this.progress();
  }

  private progress(): void {
    const all = this.entries.reduce((sum, entry) => sum + entry.file.size, 0);
    const sent = this.entries.reduce((sum, entry) => sum + entry.sent, 0);
    this.bar.value = all ? sent / all : 0;
    const more = this.entries.length > SHOWN ? `, the first ${SHOWN} are listed` : "";
    this.words.textContent = this.running
      ? `${bytes(sent)} of ${bytes(all)} sent${this.paused ? ", paused" : ""}`
      : `${this.entries.length} file${this.entries.length === 1 ? "" : "s"}, ${bytes(all)}${more}`;
  }

  private fail(words: string): void {
    const line = document.createElement("div");
    line.className = "alert-line alert-bad";
    const text = document.createElement("p");
    text.textContent = words;
    line.append(text);
    this.failure.replaceChildren(line);
  }

  private togglePause(): void {
    this.paused = !this.paused;
    const label = this.pauseButton.querySelector("span");
    if (label) label.textContent = this.paused ? "Go on" : "Pause";
    this.progress();
    if (!this.paused) this.resume?.();
  }

  private async waitWhilePaused(): Promise<void> {
    if (this.paused) await new Promise<void>((done) => (this.resume = done));
  }

  private async send(): Promise<void> {
    if (this.running) return;
    if (this.entries.length === 0) return this.fail("Choose a folder, a zip archive or files.");
    const submit = this.form.querySelector<HTMLButtonElement>("button[type=submit]");
    const fields = new FormData(this.form);
    fields.delete("files");
    this.running = true;
    this.failure.replaceChildren();
    if (submit) submit.disabled = true;
    this.show();
    try {
      const begun = await this.ask<Begun>(this.form.dataset.begin ?? "", fields);
      for (const [position, entry] of this.entries.entries()) await this.sendFile(begun.pieces, position + 1, entry);
      const { report } = await this.ask<{ report: string }>(begun.finish, new FormData());
      this.running = false;
      window.location.assign(report);
    } catch (error) {
      this.running = false;
      if (submit) submit.disabled = false;
      for (const entry of this.entries) entry.sent = 0;
      this.show();
      this.fail(error instanceof Refusal ? error.message : "The connection was lost. Your files are still listed; try again when it is back.");
    }
  }

  private async sendFile(url: string, index: number, entry: Entry): Promise<void> {
    do {
      await this.waitWhilePaused();
      const piece = entry.file.slice(entry.sent, entry.sent + this.pieceBytes);
      const query = new URLSearchParams({ index: String(index), name: entry.name, size: String(entry.file.size), offset: String(entry.sent) });
      const { received } = await this.ask<{ received: number }>(`${url}?${query}`, piece);
      entry.sent = received;
      if (entry.bar) entry.bar.value = entry.file.size ? received : 1;
      this.progress();
    } while (entry.sent < entry.file.size);
  }

  /** Post; a lost connection or a server that is busy is tried again, a refusal is not. */
  private async ask<Answer>(url: string, body: FormData | Blob): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await fetch(url, {
          method: "POST",
          body,
          headers: { "X-CSRFToken": csrfToken(), ...(body instanceof Blob ? { "Content-Type": "application/octet-stream" } : {}) },
        });
        if (response.ok || response.status === 409) return (await response.json()) as Answer;
        if (response.status < 500) {
          const json = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
          const words = json ? ((await response.json()) as { error?: string }).error : undefined;
          throw new Refusal(words ?? "The server did not take this. Reload the page and try again.");
        }
        if (attempt >= TRIES) throw new Refusal("The server could not take the files. Try again later.");
      } catch (error) {
        if (error instanceof Refusal || attempt >= TRIES) throw error;
      }
      await new Promise((done) => window.setTimeout(done, 500 * 2 ** attempt));
    }
  }
}

export function startImport(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-upload]")) new Upload(form);
}
