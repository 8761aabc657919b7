/** An output of code while it may still grow. */

import { h } from './dom';
import type { IHost } from './host';
import { LongText } from './longText';
import { drawOutput, textOf } from './outputs';
import type { IBundle } from './protocol';
import { scrollWithKeys } from './sideways';
import { translations } from './strings';
import { asTerminal } from './terminal';

const STREAMS = ['application/vnd.jupyter.stdout', 'application/vnd.jupyter.stderr'];
/** A stream that has not grown for so long is drawn as the page draws outputs. In milliseconds. */
const SETTLED = 500;
// eslint-disable-next-line no-control-regex -- these are the characters that this is about
const MOVES = /[\b\r\x1b]/;

/**
 * Draws an output by means of the page. A stream is drawn as bare text as long as it grows: to have the page draw all
 * of it again thirty times a second would be slow, and it would flicker.
 */
export class LiveOutput {
  readonly node: HTMLElement;
  readonly #place = h('div', { class: 'jp-agents-LiveOutput-place' });
  readonly #host: IHost;
  #bundle: IBundle;
  #stream: GrowingText | null = null;
  #long: LongText | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(bundle: IBundle, host: IHost) {
    this.#host = host;
    this.#bundle = bundle;
    this.node = h('div', { class: 'jp-agents-LiveOutput' }, this.#place);
    scrollWithKeys(this.node, translations().__('Output'));
    this.update(bundle);
  }

  update(bundle: IBundle): void {
    this.#bundle = bundle;
    const type = STREAMS.find(one => one in bundle.data);
    this.node.classList.toggle('jp-agents-mod-stderr', type === STREAMS[1]);
    if (type === undefined) {
      this.#draw();
    } else {
      this.#grow(textOf(bundle.data[type]));
    }
  }

  dispose(): void {
    this.#forgetTimer();
    this.#long?.dispose();
  }

  #grow(text: string): void {
    this.#keepWithinPlace();
    if (this.#stream === null) {
      this.#stream = new GrowingText();
      this.#place.replaceChildren(this.#stream.node);
    }
    this.#stream.show(text);
    this.#forgetTimer();
    this.#timer = setTimeout(() => this.#settle(), SETTLED);
  }

  /** More would push what a person can do about it out of sight. */
  #keepWithinPlace(): void {
    if (this.#long === null) {
      this.#long = new LongText(this.#place);
      this.node.append(this.#long.bar);
    }
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
      this.#place.replaceChildren(drawn);
    }
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
