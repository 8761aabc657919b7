/**
 * Text that has more lines than there is place for: its end is seen, as in a terminal, its size is said below, and a
 * button shows all of it.
 *
 * It is the same while the text grows, when it has ended, and when it is read again later: nothing moves in between. That
 * its end stays in view is the style sheet's work, so that it holds in every frame.
 */

import { grouped } from './clock';
import { button, h } from './dom';
import { scrollerOf } from './follow';
import { freshId } from './ids';
import { translations } from './strings';

const THOUSAND = 1000;
const MANY = 10; // thousands: from there on they are not told to a tenth

/** Keeps the text in an element within its place. What draws the text may replace what is in the element. */
export class LongText {
  /** What stands below the place: the size and the button. It is hidden while all of the text is in sight. */
  readonly bar: HTMLElement;
  readonly #place: HTMLElement;
  readonly #size = h('span', { class: 'jp-agents-LongText-size' });
  readonly #button: HTMLButtonElement;
  readonly #growth = new MutationObserver(() => this.#lookSoon());
  #isOpen = false;
  #frame = 0;

  constructor(place: HTMLElement) {
    this.#place = place;
    this.#button = button('', () => this.#toggle(), 'jp-agents-quiet');
    this.bar = h(
      'div',
      { class: 'jp-agents-LongText-bar', hidden: true, 'data-lm-suppress-shortcuts': 'true' },
      this.#size,
      this.#button
    );
    place.id ||= freshId('text');
    this.#button.setAttribute('aria-controls', place.id);
    place.classList.add('jp-agents-LongText');
    this.#growth.observe(place, { childList: true, characterData: true, subtree: true });
    watchSize(place, this);
  }

  /** Leave the element as it was. */
  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#growth.disconnect();
    forgetSize(this.#place);
    this.bar.remove();
    this.#place.classList.remove('jp-agents-LongText', 'jp-agents-mod-cut', 'jp-agents-mod-open');
  }

  /** See how much there is of the text now, and say it. */
  look(): void {
    this.show(this.isCut);
  }

  /** Whether some of the text is out of sight. */
  get isCut(): boolean {
    return !this.#isOpen && this.#place.scrollHeight > this.#place.clientHeight + 1;
  }

  show(isCut: boolean): void {
    this.#place.classList.toggle('jp-agents-mod-cut', isCut);
    this.bar.hidden = !isCut && !this.#isOpen;
    if (!this.bar.hidden) {
      this.#say(this.#place.textContent ?? '');
    }
  }

  #lookSoon(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.look();
    });
  }

  #say(text: string): void {
    const { __ } = translations();
    const size = sizeOf(text);
    setText(this.#size, size);
    setText(this.#button, this.#isOpen ? __('Show less') : __('Show all'));
    const name = this.#isOpen ? __('Show less of this output') : __('Show all of this output: %1', size);
    this.#button.setAttribute('aria-label', name);
    this.#button.setAttribute('aria-expanded', String(this.#isOpen));
  }

  /** Who has read to the end of it, and closes it, still sees the button under the hand. */
  #toggle(): void {
    const before = this.bar.getBoundingClientRect().top;
    this.#isOpen = !this.#isOpen;
    this.#place.classList.toggle('jp-agents-mod-open', this.#isOpen);
    this.look();
    if (!this.#isOpen) {
      const scroller = scrollerOf(this.bar);
      scroller?.scrollBy({ top: this.bar.getBoundingClientRect().top - before, behavior: 'instant' });
    }
  }
}

/** `1,204 lines · 38 kB`; of one line, only how much it is. */
export function sizeOf(text: string): string {
  const lines = text.trimEnd().split('\n').length;
  const amount = amountOf(text);
  return lines > 1
    ? `${translations()._n('%2 line', '%2 lines', lines, grouped(lines))} · ${amount}`
    : amount;
}

function amountOf(text: string): string {
  const { __, _n } = translations();
  const bytes = new Blob([text]).size;
  const thousands = bytes / THOUSAND;
  if (thousands < 1) {
    return _n('%2 byte', '%2 bytes', bytes, bytes);
  }
  return __('%1 kB', grouped(thousands < MANY ? Math.round(10 * thousands) / 10 : Math.round(thousands)));
}

function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

// -- The sizes of all places, which change with the page and when the text begins to fill them: one observer ----------

const texts = new WeakMap<Element, LongText>();
let sizes: ResizeObserver | null = null;

function watchSize(place: HTMLElement, text: LongText): void {
  if (typeof ResizeObserver === 'undefined') {
    return;
  }
  sizes ??= new ResizeObserver(lookAtAll);
  texts.set(place, text);
  sizes.observe(place);
}

/** First all are measured, then all are changed: in turns, each would be laid out for itself. */
function lookAtAll(entries: readonly ResizeObserverEntry[]): void {
  const changed = entries.map(({ target }) => texts.get(target)).filter(text => text !== undefined);
  const areCut = changed.map(text => text.isCut);
  changed.forEach((text, at) => text.show(areCut[at] ?? false));
}

function forgetSize(place: HTMLElement): void {
  sizes?.unobserve(place);
  texts.delete(place);
}
