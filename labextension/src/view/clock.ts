/** Time as people read it, and one ticking clock for everything on a page that counts. */

import { translations } from './strings';

const TICK = 250;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;

/** Call `tick` four times a second until the function that is given back is called. */
export function everyTick(tick: () => void): () => void {
  const listener = (): void => tick();
  listeners.add(listener);
  timer ??= setInterval(() => [...listeners].forEach(one => one()), TICK);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

/** Seconds that go on by themselves, from what they were when the kernel said so. */
export class Stopwatch {
  readonly #began: number;

  constructor(elapsed: number) {
    this.#began = performance.now() - 1000 * elapsed;
  }

  get seconds(): number {
    return Math.max(0, (performance.now() - this.#began) / 1000);
  }
}

/** Whole seconds for a reader: "3 s", "2 min 05 s", "1 h 02 min". */
export function duration(seconds: number): string {
  const { __ } = translations();
  const whole = Math.floor(seconds);
  if (whole < 60) {
    return __('%1 s', whole);
  }
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? __('%1 min %2 s', minutes, two(whole % 60))
    : __('%1 h %2 min', Math.floor(minutes / 60), two(minutes % 60));
}

/** A number as the language of the page groups its digits. */
export function grouped(count: number): string {
  return count.toLocaleString(document.documentElement.lang || undefined);
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
