/** A question with a few possible answers: a list of buttons, reached by arrows, digits or the letters they begin with. */

import { canEnd, Card, type IPrompt, type IPromptWires } from './card';
import { button, h } from './dom';
import { visible } from './exact';
import type { IQuestion } from './protocol';
import { asideOf, consequenceOf } from './reply';
import { translations } from './strings';

/** The sentence of the question who speaks next (`jupyter_agents/agents/group_chat.py`): the word is a button here. */
const EXIT = 'exit';
const CLASSIC = /^([^]+?) 'exit' ends the chat\.$/;
/** Letters typed within this time are one word. */
const TYPE_AHEAD_MS = 700;

export class ChoicePrompt implements IPrompt {
  readonly node: HTMLElement;

  constructor(
    private question: IQuestion,
    wires: IPromptWires
  ) {
    this.card = new Card('choice', wires);
    this.node = this.card.node;
    this.list.setAttribute('aria-labelledby', this.card.titleId);
    this.list.setAttribute('aria-describedby', this.card.hint.id);
    this.card.body.append(this.list);
    if (canEnd(question)) {
      this.card.actions.append(this.createEnd());
    }
    this.update(question);
  }

  update(question: IQuestion): void {
    const trans = translations();
    const isSame =
      this.buttons.length > 0 && question.choices.join('\n') === this.question.choices.join('\n');
    this.question = question;
    this.card.name(
      this.titled.trim() || trans.__('Your answer to %1', visible(question.sender)),
      asideOf(question)
    );
    this.card.hint.textContent = trans.__(
      'Arrow keys, a digit or the first letters go to an answer; Enter gives it.'
    );
    this.card.count(question.remaining, consequenceOf(question));
    if (!isSame && this.card.isOpen) {
      this.draw();
    }
  }

  readonly draft = '';

  closed(by: 'me' | 'other' | 'nobody'): void {
    this.card.closed(by);
  }

  focus(): void {
    this.card.seen();
    this.buttons[this.active]?.focus({ preventScroll: true });
  }

  dispose(): void {
    this.card.dispose();
  }

  private draw(): void {
    const hadFocus = this.list.contains(document.activeElement);
    this.buttons = this.question.choices.map((choice, index) => this.drawChoice(choice, index));
    this.list.replaceChildren(...this.buttons);
    this.activate(Math.max(0, this.question.choices.indexOf(this.question.otherwise)), hadFocus);
  }

  private drawChoice(choice: string, index: number): HTMLButtonElement {
    const node = button('', () => this.answer(choice, node), 'jp-agents-Choice');
    const isDefault = this.question.remaining !== null && choice === this.question.otherwise;
    const number = index < 9 ? String(index + 1) : '';
    node.append(
      h('span', { class: 'jp-agents-Choice-number', 'aria-hidden': 'true' }, number),
      h('span', { class: 'jp-agents-Choice-text' }, this.wordsOf(choice))
    );
    if (isDefault) {
      node.append(h('span', { class: 'jp-agents-Choice-note' }, translations().__('when the time is up')));
    }
    node.addEventListener('focus', () => this.activate(index, false));
    return node;
  }

  private get titled(): string {
    return CLASSIC.exec(this.question.text)?.[1] ?? this.question.text;
  }

  private wordsOf(choice: string): string {
    const ends = choice === EXIT && CLASSIC.test(this.question.text);
    return ends ? translations().__('End the chat') : choice;
  }

  private createEnd(): HTMLButtonElement {
    const trans = translations();
    return button(
      trans.__('End the chat'),
      () => this.card.answer({ action: 'stop', text: '' }, trans.__('The chat ends.')),
      'jp-agents-mod-warn'
    );
  }

  private answer(choice: string, node: HTMLElement): void {
    node.classList.add('jp-agents-mod-chosen');
    this.card.answer({ action: 'reply', text: choice }, translations().__('You have answered “%1”.', choice));
  }

  /** One of the buttons is a stop of the Tab key; the arrows go to the others. */
  private activate(index: number, takesFocus: boolean): void {
    const count = this.buttons.length;
    this.active = count === 0 ? 0 : (index + count) % count;
    this.buttons.forEach((node, at) => (node.tabIndex = at === this.active ? 0 : -1));
    if (takesFocus) {
      this.focus();
    }
  }

  private handleKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    if ((event.repeat || this.card.isFresh) && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault(); // pressed for something else: not an answer
      return;
    }
    const target = this.targetOf(event.key);
    if (target !== null) {
      event.preventDefault();
      this.activate(target, true);
    }
  }

  private targetOf(key: string): number | null {
    const step: Readonly<Record<string, number>> = {
      ArrowDown: this.active + 1,
      ArrowRight: this.active + 1,
      ArrowUp: this.active - 1,
      ArrowLeft: this.active - 1,
      Home: 0,
      End: this.buttons.length - 1
    };
    if (/^[1-9]$/.test(key) && this.question.choices.every(choice => !choice.startsWith(key))) {
      return Number(key) <= this.buttons.length ? Number(key) - 1 : null;
    }
    return step[key] ?? (key.length === 1 && key !== ' ' ? this.typedAhead(key) : null);
  }

  private typedAhead(letter: string): number | null {
    const now = performance.now();
    this.typed = now - this.typedAt < TYPE_AHEAD_MS ? this.typed + letter : letter;
    this.typedAt = now;
    const word = this.typed.toLocaleLowerCase();
    const found = this.question.choices.findIndex(choice => choice.toLocaleLowerCase().startsWith(word));
    return found === -1 ? null : found;
  }

  private readonly card: Card;
  private readonly list = h('div', {
    class: 'jp-agents-Choices',
    role: 'group',
    onkeydown: (event: KeyboardEvent) => this.handleKey(event)
  });
  private buttons: readonly HTMLButtonElement[] = [];
  private active = 0;
  private typed = '';
  private typedAt = 0;
}
