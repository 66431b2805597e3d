/** Images of the case that comes next, fetched while the reader looks at this one; the browser keeps them. */
import { fetchJson, otherKind, type Kind, type Study } from "./study";

/** One after another and with low priority, so that the images on screen never wait for them. */
export async function fetchAhead(address: string, kind: Kind): Promise<void> {
  const study = await fetchJson<Study>(address);
  for (const one of [kind, otherKind(kind)]) {
    for (const place of study.places) {
      const image = place.view?.images[one];
      if (!image) continue;
      const response = await fetch(image.frame, { credentials: "same-origin", priority: "low" });
      // the body has to be read to its end to be kept
      await response.arrayBuffer();
    }
  }
}
