/** htmx and fetch: the CSRF header, and failures shown where they happened. */
import htmx from "htmx.org";

export function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

export function post(url: string, body?: FormData | URLSearchParams): Promise<Response> {
  return fetch(url, { method: "POST", headers: { "X-CSRFToken": csrfToken(), "HX-Request": "true" }, body: body ?? null });
}

interface RequestDetail {
  elt: HTMLElement;
  target: HTMLElement | null;
  xhr: XMLHttpRequest;
}

const REASONS: Record<number, string> = {
  400: "The server did not understand what was sent.",
  403: "Your role does not allow this, or the page was open too long. Reload and try again.",
  404: "It is no longer there, or not open to you.",
  409: "Someone else changed it meanwhile. Reload to see it as it is.",
  413: "What was sent is too large.",
  429: "Too many requests. Wait a moment and try again.",
};

function failureText(xhr: XMLHttpRequest): string {
  if (xhr.status === 0) return "The server did not answer. Your input is still here; try again when the connection is back.";
  const type = xhr.getResponseHeader("Content-Type") ?? "";
  // services answer with a sentence meant for people as plain text
  if (type.startsWith("text/plain") && xhr.responseText.length < 600) return xhr.responseText;
  return REASONS[xhr.status] ?? "The server could not do this. Nothing was changed; the fault has been written down.";
}

function showFailure(event: Event): void {
  const { elt, target, xhr } = (event as CustomEvent<RequestDetail>).detail;
  const place =
    (target ?? elt).querySelector<HTMLElement>("[data-failure]") ??
    elt.closest<HTMLElement>("[data-failure-scope]")?.querySelector<HTMLElement>("[data-failure]") ??
    document.getElementById("failures");
  if (!place) return;
  const line = document.createElement("div");
  line.className = "alert-line alert-bad";
  const text = document.createElement("p");
  text.className = "grow";
  text.textContent = failureText(xhr);
  line.append(text);
  place.replaceChildren(line);
  place.scrollIntoView({ block: "nearest" });
}

function clearFailure(): void {
  document.querySelectorAll("#failures, [data-failure]").forEach((place) => place.replaceChildren());
}

export function startRequests(): void {
  document.body.addEventListener("htmx:configRequest", (event) => {
    const detail = (event as CustomEvent<{ headers: Record<string, string>; verb: string }>).detail;
    if (detail.verb !== "get") detail.headers["X-CSRFToken"] = csrfToken();
  });
  document.body.addEventListener("htmx:responseError", showFailure);
  document.body.addEventListener("htmx:sendError", showFailure);
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if ((event as CustomEvent<RequestDetail>).detail.xhr.status < 400) clearFailure();
  });
  // pages written against the documented global find htmx there too
  (window as unknown as { htmx: typeof htmx }).htmx = htmx;
}
