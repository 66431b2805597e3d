/** Keys of the viewer, registered with the page's keyboard map. */

interface Key {
  keys: string;
  text: string;
  group: string;
  run: (event: KeyboardEvent) => void;
  when?: () => boolean;
}

const HOLD_MS = 350;

export function bind(keys: string, text: string, run: (event: KeyboardEvent) => void, when?: () => boolean): void {
  const page = (window as unknown as { cemlab?: { registerKey: (key: Key) => void } }).cemlab;
  page?.registerKey({ keys, text, group: "Images", run, ...(when ? { when } : {}) });
}

/** A key that switches when tapped; held, it switches back when it is let go. */
export function bindSwitch(letter: string, text: string, toggle: () => void): void {
  let since: number | null = null;
  bind(letter, text, (event) => {
    if (event.repeat) return;
    since = event.timeStamp;
    toggle();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() !== letter || since === null) return;
    const held = event.timeStamp - since > HOLD_MS;
    since = null;
    if (held) toggle();
  });
}

/** A key that counts only while it is down. */
export function bindHold(letter: string, text: string, set: (on: boolean) => void, when: () => boolean): void {
  let down = false;
  bind(
    letter,
    text,
    (event) => {
      if (event.repeat) return;
      down = true;
      set(true);
    },
    when,
  );
  const release = (): void => {
    if (!down) return;
    down = false;
    set(false);
  };
  document.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() === letter) release();
  });
  window.addEventListener("blur", release);
}
