/**
 * Text comes from the kernel seven times a second. It is shown bit by bit until the next lot is due, as it was written;
 * never later than that, and all at once to whoever prefers that nothing moves.
 */

/** For how long a lot is revealed: about until the next one comes. In milliseconds. */
const SPAN = 140;

export class Reveal {
  readonly #show: (text: string) => void;
  readonly #leave: () => void;
  #waiting = '';
  #due = 0;
  #before = 0;
  #frame: number | null = null;

  /** `show` takes every piece, in order. */
  constructor(show: (text: string) => void) {
    this.#show = show;
    const all = (): void => this.all();
    document.addEventListener('visibilitychange', all);
    this.#leave = () => document.removeEventListener('visibilitychange', all);
  }

  /** What has come and is not shown yet. */
  get waiting(): string {
    return this.#waiting;
  }

  push(text: string): void {
    const now = performance.now();
    if (now >= this.#due) {
      this.all();
    }
    this.#waiting += text;
    if (!mayMove()) {
      this.all();
      return;
    }
    this.#due = now + SPAN;
    if (this.#frame === null && this.#waiting) {
      this.#before = now;
      this.#frame = requestAnimationFrame(() => this.#step());
    }
  }

  /** Show all that has come. */
  all(): void {
    this.#take(this.#waiting.length);
  }

  dispose(): void {
    this.#leave();
    this.#waiting = '';
    this.#take(0);
  }

  #step(): void {
    this.#frame = null;
    const now = performance.now();
    const left = this.#due - this.#before;
    const share = left > 0 ? Math.min(1, (now - this.#before) / left) : 1;
    this.#before = now;
    this.#take(Math.ceil(share * this.#waiting.length));
    if (this.#waiting) {
      this.#frame = requestAnimationFrame(() => this.#step());
    }
  }

  #take(count: number): void {
    const end = isInPair(this.#waiting, count) ? count + 1 : count;
    const text = this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(end);
    if (!this.#waiting && this.#frame !== null) {
      cancelAnimationFrame(this.#frame);
      this.#frame = null;
    }
    if (text) {
      this.#show(text);
    }
  }
}

/** Frames come only to a page that is seen, and not everybody wants to see things move. */
function mayMove(): boolean {
  return (
    !document.hidden && globalThis.matchMedia?.('(prefers-reduced-motion: no-preference)').matches === true
  );
}

/** Whether a cut there would halve a character: a lone half is drawn as a box. */
function isInPair(text: string, at: number): boolean {
  const code = at > 0 && at < text.length ? text.charCodeAt(at - 1) : 0;
  return code >= 0xd800 && code <= 0xdbff;
}
