/** What all questions to a person have in common: a frame with a title, a countdown, and one answer that is given once. */

import { Countdown } from './countdown';
import { Departure } from './departure';
import { h } from './dom';
import { freshId } from './ids';
import type { IAnswer, IName, IQuestion } from './protocol';
import { translations } from './strings';

/** Variables whose names begin so (`prefix`), or the text of a message with these `attached` (`prefix` is `null`). */
export interface ILookRequest {
  readonly prefix: string | null;
  readonly text: string;
  readonly attached: readonly string[];
}

export interface ISeen {
  readonly names: readonly IName[];
  readonly text: string;
}

export type Look = (request: ILookRequest) => Promise<ISeen>;

/** What a prompt needs of the view it is in. `leave` gives the focus back to the notebook. */
export interface IPromptWires {
  answer(answer: IAnswer): void;
  look(request: ILookRequest): Promise<ISeen>;
  leave(): void;
}

export interface IPrompt {
  readonly node: HTMLElement;
  /** The same question with other facts (the time left, say): what was typed stays. */
  update(question: IQuestion): void;
  /** It has been answered by this page or another one, or nobody needs to any more. */
  closed(by: 'me' | 'other' | 'nobody'): void;
  /** What is written and has not been sent; `''` where nothing is. */
  readonly draft: string;
  /** Go on with what was written to a question that is closed. */
  resume?(draft: string): void;
  /** Once it is closed: a button to take away what is left of it. */
  offerDismissal?(dismiss: () => void): void;
  focus(): void;
  dispose(): void;
}

/** After so long without a sign of the kernel, an answer can be sent again: the kernel takes the first one only. */
const UNCONFIRMED_MS = 5000;
/** A key that comes so soon after a question has appeared was pressed for something else. */
export const STRAY_KEY_MS = 500;
const LONG_TITLE = 160;
const CONTROLS = 'button, textarea, input, select';

export class Card {
  readonly node: HTMLElement;
  readonly body = h('div', { class: 'jp-agents-Prompt-body' });
  readonly hint = h('p', { class: 'jp-agents-Prompt-hint', id: freshId('hint') });
  readonly actions = h('div', { class: 'jp-agents-Prompt-actions' });
  readonly titleId = freshId('title');

  constructor(
    kind: IQuestion['kind'],
    private readonly wires: IPromptWires
  ) {
    this.title.id = this.titleId;
    const head = h('header', { class: 'jp-agents-Prompt-head' }, this.title, this.aside, this.countdown.node);
    this.node = h(
      'section',
      {
        class: `jp-agents-Prompt jp-agents-mod-${kind}`,
        role: 'group',
        tabindex: -1,
        'aria-labelledby': this.titleId,
        'data-lm-suppress-shortcuts': 'true',
        onkeydown: (event: KeyboardEvent) => this.handleKey(event)
      },
      head,
      this.body,
      this.hint,
      this.actions,
      this.status,
      this.spoken
    );
  }

  /** Whether the person can hardly have read it yet. */
  get isFresh(): boolean {
    return performance.now() - this.seenAt < STRAY_KEY_MS;
  }

  /** It has the focus only now: it is seen from now on. */
  seen(): void {
    if (!this.node.contains(document.activeElement)) {
      this.seenAt = performance.now();
    }
  }

  /** What is written in it, anywhere. */
  get written(): string {
    const fields = [...this.node.querySelectorAll('textarea')];
    return fields.map(field => field.value).join('');
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** The title, and beside it, quietly, what else there is to say about who asks whom. */
  name(title: string, aside = ''): void {
    setText(this.title, title);
    this.title.classList.toggle('jp-agents-mod-long', title.length > LONG_TITLE || title.includes('\n'));
    setText(this.aside, aside);
  }

  /** Show a sentence below the controls; it is read out too. */
  say(text: string): void {
    setText(this.status, text);
  }

  /** Read a sentence out that the page shows elsewhere. */
  announce(text: string): void {
    setText(this.spoken, text);
  }

  count(remaining: number | null, consequence: string): void {
    if (this.isOpen) {
      this.consequence = consequence;
      this.countdown.start(remaining, consequence);
    }
  }

  /** Give the answer: everything is disabled at once. */
  answer(answer: IAnswer, told: string): void {
    if (!this.isOpen) {
      return;
    }
    this.freeze('answered');
    this.say(told);
    this.unconfirmed = setTimeout(() => this.offerAgain(answer, told), UNCONFIRMED_MS);
    this.wires.answer(answer);
  }

  closed(by: 'me' | 'other' | 'nobody'): void {
    const isLate = this.countdown.isOver;
    clearTimeout(this.unconfirmed);
    this.freeze('closed');
    this.fold();
    this.say(this.farewell(by, isLate));
  }

  dispose(): void {
    clearTimeout(this.unconfirmed);
    this.countdown.dispose();
    this.state = 'closed';
  }

  private farewell(by: 'me' | 'other' | 'nobody', isLate: boolean): string {
    const trans = translations();
    if (by === 'me') {
      return trans.__('Answered.');
    }
    if (by === 'other') {
      return trans.__('Answered in another window.');
    }
    return isLate
      ? trans.__('The time was up: %1.', this.consequence)
      : trans.__('No answer is needed any more: the chat has gone on or has ended without one.');
  }

  /** The focus stays in the card when the control that has it is disabled, so that the view can tell where it was. */
  private freeze(state: 'answered' | 'closed'): void {
    this.state = state;
    this.countdown.stop();
    const hadFocus = this.node.contains(document.activeElement);
    this.node.querySelectorAll<HTMLButtonElement>(CONTROLS).forEach(control => (control.disabled = true));
    this.node.classList.add('jp-agents-mod-closed');
    if (hadFocus) {
      this.node.focus({ preventScroll: true });
    }
  }

  /** Nothing can be done here any more; what was written stays to be read, and copied. */
  private fold(): void {
    this.node.classList.add('jp-agents-mod-over');
    const fields = this.node.querySelectorAll('textarea');
    fields.forEach(field => (field.hidden = field.hidden || field.value === ''));
  }

  /** Offer to take away what is left of it. */
  offerDismissal(dismiss: () => void): void {
    const text = translations().__('What you had written stands above. ');
    const away = h('button', { type: 'button', class: 'jp-agents-button' }, translations().__('Dismiss'));
    away.addEventListener('click', dismiss);
    this.status.append(' ', text, away);
  }

  private offerAgain(answer: IAnswer, told: string): void {
    const trans = translations();
    const again = h('button', { type: 'button', class: 'jp-agents-button' }, trans.__('Send again'));
    again.addEventListener('click', () => {
      this.say(told);
      this.unconfirmed = setTimeout(() => this.offerAgain(answer, told), UNCONFIRMED_MS);
      this.wires.answer(answer);
    });
    this.say(trans.__('The kernel has not taken the answer yet. '));
    this.status.append(again);
  }

  /** The notebook's shortcuts must not see what is typed here. */
  private handleKey(event: KeyboardEvent): void {
    event.stopPropagation();
    if (this.departure.leaves(event)) {
      event.preventDefault();
      this.wires.leave();
    }
  }

  private readonly title = h('span', { class: 'jp-agents-Prompt-title' });
  private readonly aside = h('span', { class: 'jp-agents-Prompt-aside' });
  private readonly status = h('p', { class: 'jp-agents-Prompt-status', role: 'status' });
  private readonly spoken = h('span', { class: 'jp-agents-Prompt-spoken', role: 'status' });
  private readonly countdown = new Countdown(text => this.announce(text));
  private readonly departure = new Departure(text => this.say(text));
  private state: 'open' | 'answered' | 'closed' = 'open';
  private seenAt = performance.now();
  private consequence = '';
  private unconfirmed: ReturnType<typeof setTimeout> | undefined;
}

/** Whether the prompt of a question has a button that ends the chat: one that takes any text for an answer has none. */
export function canEnd({ kind, empty }: IQuestion): boolean {
  return kind === 'approval' || empty !== 'send';
}

/** Only a change is written: an element that is announced would be read out again. */
export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
