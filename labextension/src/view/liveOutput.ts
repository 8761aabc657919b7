/** An output of code while it may still grow. */

import { grouped } from './clock';
import { h } from './dom';
import type { IHost } from './host';
import { drawOutput, textOf } from './outputs';
import type { IBundle } from './protocol';
import { scrollWithKeys } from './sideways';
import { translations } from './strings';
import { asTerminal } from './terminal';

const STREAMS = ['application/vnd.jupyter.stdout', 'application/vnd.jupyter.stderr'];
/** A stream that has not grown for so long is drawn as the page draws outputs. In milliseconds. */
const SETTLED = 500;
/** So many lines have a place on the page; see `style/live.css`. */
const SHOWN_LINES = 20;
const NEAR = 24; // pixels
// eslint-disable-next-line no-control-regex -- these are the characters that this is about
const MOVES = /[\b\r\x1b]/;

/**
 * Draws an output by means of the page. A stream is drawn as bare text as long as it grows: to have the page draw all
 * of it again thirty times a second would be slow, and it would flicker.
 */
export class LiveOutput {
  readonly node: HTMLElement;
  readonly #place = h('div', { class: 'jp-agents-LiveOutput-place' });
  readonly #size = h('div', { class: 'jp-agents-LiveOutput-size', hidden: true });
  readonly #host: IHost;
  #bundle: IBundle;
  #stream: GrowingText | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(bundle: IBundle, host: IHost) {
    this.#host = host;
    this.#bundle = bundle;
    this.node = h('div', { class: 'jp-agents-LiveOutput' }, this.#place, this.#size);
    scrollWithKeys(this.#place, translations().__('Output'));
    this.update(bundle);
  }

  update(bundle: IBundle): void {
    this.#bundle = bundle;
    const type = STREAMS.find(one => one in bundle.data);
    this.node.classList.toggle('jp-agents-mod-stream', type !== undefined);
    this.node.classList.toggle('jp-agents-mod-stderr', type === STREAMS[1]);
    if (type === undefined) {
      this.#draw();
    } else {
      this.#grow(textOf(bundle.data[type]));
    }
  }

  dispose(): void {
    this.#forgetTimer();
  }

  #grow(text: string): void {
    if (this.#stream === null) {
      this.#stream = new GrowingText();
      this.#place.replaceChildren(this.#stream.node);
    }
    this.#atEnd(() => this.#stream?.show(text));
    this.#saySize(text);
    this.#forgetTimer();
    this.#timer = setTimeout(() => this.#settle(), SETTLED);
  }

  #draw(): void {
    if (this.#stream === null) {
      this.#place.replaceChildren(drawOutput(this.#bundle, this.#host, true));
    }
  }

  /** Have the page draw a stream, with its colours and links. */
  #settle(): void {
    const drawn = this.#host.renderOutput?.(this.#bundle, true);
    if (drawn) {
      this.#stream = null;
      this.#atEnd(() => this.#place.replaceChildren(drawn));
    }
  }

  /** Who sees the end of it goes on to see its end. */
  #atEnd(change: () => void): void {
    const place = this.#place;
    const isAtEnd = place.scrollHeight - place.clientHeight - place.scrollTop < NEAR;
    change();
    if (isAtEnd) {
      place.scrollTop = place.scrollHeight;
    }
  }

  /** More than there is place for is scrolled: how much it is stands below. */
  #saySize(text: string): void {
    const lines = text.trimEnd().split('\n').length;
    this.#size.hidden = lines <= SHOWN_LINES;
    this.#size.textContent = this.#size.hidden
      ? ''
      : translations()._n('%2 line', '%2 lines', lines, grouped(lines));
  }

  #forgetTimer(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    this.#timer = null;
  }
}

/** Text that mostly gets longer. */
class GrowingText {
  readonly node = h('pre', { class: 'jp-agents-LiveOutput-text' });
  readonly #text = document.createTextNode('');
  #shown = '';

  constructor() {
    this.node.append(this.#text);
  }

  show(text: string): void {
    const isPlain = !MOVES.test(text);
    if (isPlain && text.startsWith(this.#shown)) {
      this.#text.appendData(text.slice(this.#shown.length));
    } else {
      this.#text.data = isPlain ? text : asTerminal(text);
    }
    this.#shown = text;
  }
}
