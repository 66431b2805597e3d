/** Whose findings are shown: a run, or an application of a registered model. `run` and `application` in the address. */
const APPLICATION = "application-";

/** As the select names it: a run's number, `application-<number>`, or nothing. */
export function finderOf(query: URLSearchParams): string {
  const application = query.get("application");
  return application ? `${APPLICATION}${application}` : (query.get("run") ?? "");
}

/** As the address names it. */
export function finderQuery(finder: string): Record<string, string> {
  if (!finder) return {};
  return finder.startsWith(APPLICATION) ? { application: finder.slice(APPLICATION.length) } : { run: finder };
}
