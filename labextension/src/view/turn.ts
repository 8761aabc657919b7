/** The reply that is being written: the frame of a message, with text that grows and figures that are not final. */

import { duration, everyTick, grouped, Stopwatch } from './clock';
import { h } from './dom';
import type { IHost } from './host';
import { StreamingMarkdown } from './markdown';
import { hasMath } from './markdownParser';
import { openMessage } from './messageFrame';
import type { ILiveTurn } from './protocol';
import { translations } from './strings';

/** Characters to a token, about, in the languages that models are mostly trained on. */
const CHARACTERS = 4;
/** From when on a number of seconds says something. */
const WORTH_COUNTING = 1;

export class LiveTurn {
  readonly node: HTMLElement;
  readonly sender: string;
  readonly #recipient: string;
  readonly #body: StreamingMarkdown;
  readonly #seconds = h('span');
  readonly #tokens = h('span');
  readonly #stopTicking: () => void;
  #watch: Stopwatch;
  #text = '';

  /** `elapsed` is for how many seconds the reply has been awaited or written already. */
  constructor(live: ILiveTurn, elapsed: number, host: IHost) {
    this.sender = live.sender;
    this.#recipient = live.recipient;
    this.#watch = new Stopwatch(elapsed);
    this.#body = new StreamingMarkdown(node => hasMath(node.textContent ?? '') && host.typeset?.(node));
    const title = translations().__('So far; tokens are estimated');
    const figures = h('span', { class: 'jp-agents-Message-figures', title }, this.#seconds, this.#tokens);
    const { node, body } = openMessage(live, figures);
    body.append(this.#body.node);
    node.classList.add('jp-agents-mod-live');
    this.node = node;
    this.#stopTicking = everyTick(() => this.#draw());
    this.append(live.text);
  }

  get text(): string {
    return this.#text;
  }

  /** Whether `live` is this very turn, which may have grown beyond what it shows and what is `waiting` to be shown. */
  isOf(live: ILiveTurn, waiting = ''): boolean {
    const isSame = live.sender === this.sender && live.recipient === this.#recipient;
    return isSame && live.text.startsWith(this.#text + waiting);
  }

  append(text: string): void {
    this.#text += text;
    if (text) {
      this.#body.append(text);
    }
    this.#draw();
  }

  /** Grow to what `live` says. */
  growTo(live: ILiveTurn): void {
    if (live.text.length > this.#text.length) {
      this.append(live.text.slice(this.#text.length));
    }
  }

  dispose(): void {
    this.#stopTicking();
    this.#body.finish();
    this.node.remove();
  }

  #draw(): void {
    const { __ } = translations();
    const seconds = this.#watch.seconds;
    const tokens = Math.ceil(this.#text.length / CHARACTERS);
    setText(this.#seconds, seconds >= WORTH_COUNTING ? duration(seconds) : '');
    setText(this.#tokens, tokens > 0 ? __('≈ %1 tokens', grouped(tokens)) : '');
  }
}

function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
