/** Keeps a reader who is at the end of a growing text at its end, and leaves every other reader alone. */

const NEAR = 8;

export class Follower {
  readonly #node: HTMLElement;
  readonly #own: HTMLElement | null;
  readonly #moved: (isAtEnd: boolean) => void;
  readonly #observer: ResizeObserver | null;
  readonly #scrolled = (event: Event): void => this.#look(event);
  #isAtEnd = true;

  /**
   * Follow the end of `node` in `own`, which scrolls it, or else in whatever scrolls it on the page. `moved` is told
   * whether the end is what is seen.
   */
  constructor(
    node: HTMLElement,
    own: HTMLElement | null,
    moved: (isAtEnd: boolean) => void = () => undefined
  ) {
    this.#node = node;
    this.#own = own;
    this.#moved = moved;
    this.#observer = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(() => this.#grown());
    this.#observer?.observe(node);
    document.addEventListener('scroll', this.#scrolled, { capture: true, passive: true });
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  toEnd(): void {
    this.#isAtEnd = true;
    this.#grown();
    this.#moved(true);
  }

  /** Do at once what is done in the next frame otherwise: for who looks what is on the screen. */
  follow(): void {
    this.#grown();
  }

  dispose(): void {
    this.#observer?.disconnect();
    document.removeEventListener('scroll', this.#scrolled, { capture: true });
  }

  #grown(): void {
    const scroller = this.#own ?? scrollerOf(this.#node);
    const hidden = scroller ? this.#below(scroller) : 0;
    if (scroller && this.#isAtEnd && hidden > 0) {
      scroller.scrollTop += hidden;
    }
  }

  #look(event: Event): void {
    const at = event.target;
    const scroller = at instanceof Element ? at : document.scrollingElement;
    const isOurs = this.#own ? scroller === this.#own : scroller?.contains(this.#node);
    if (!scroller || !isOurs) {
      return;
    }
    const isAtEnd = this.#below(scroller) <= NEAR;
    if (isAtEnd !== this.#isAtEnd) {
      this.#isAtEnd = isAtEnd;
      this.#moved(isAtEnd);
    }
  }

  /** How much of the text is below what the scroller shows, in pixels. */
  #below(scroller: Element): number {
    if (scroller === this.#own) {
      return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    }
    const bottom =
      scroller === document.scrollingElement ? window.innerHeight : scroller.getBoundingClientRect().bottom;
    return this.#node.getBoundingClientRect().bottom - bottom;
  }
}

/** What scrolls an element. */
export function scrollerOf(node: HTMLElement): Element | null {
  for (let at = node.parentElement; at; at = at.parentElement) {
    const isScrolling = at.scrollHeight > at.clientHeight + 1;
    if (isScrolling && /auto|scroll|overlay/.test(getComputedStyle(at).overflowY)) {
      return at;
    }
  }
  return document.scrollingElement;
}

/** Whether any of an element is to be seen. */
export function isOnScreen(node: HTMLElement): boolean {
  const { top, bottom } = node.getBoundingClientRect();
  return bottom >= 0 && top <= window.innerHeight;
}
