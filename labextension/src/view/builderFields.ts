/** Fields of a form: each with its label, a hint, and a place for what is wrong with it that a screen reader finds. */

import type { IProblem } from './builderProtocol';
import { h } from './dom';
import type { Child } from './dom';
import { freshId } from './ids';
import { translations } from './strings';

export interface IField {
  readonly node: HTMLElement;
  /** Hold another value, without telling anybody. */
  show(value: string): void;
  /** Say what is wrong. */
  say(problems: readonly IProblem[]): void;
  focus(): void;
}

/** Where problems of a field stand; `id` is for `aria-describedby`. */
class ProblemPlace {
  readonly id = freshId('problem');
  readonly node = h('div', { id: this.id, class: 'jp-agents-Builder-problems' });

  /** Whether one of them is an error. */
  say(problems: readonly IProblem[]): boolean {
    this.node.replaceChildren(...problems.map(problemNode));
    return problems.some(one => !one.is_note);
  }
}

/** A problem as it stands in the form: an error is told by its sign and its words, not by its colour alone. */
export function problemNode(problem: IProblem): HTMLElement {
  const { __ } = translations();
  const kind = problem.is_note ? 'note' : 'error';
  const sign = h(
    'span',
    { class: 'jp-agents-Builder-sign', 'aria-hidden': 'true' },
    problem.is_note ? 'i' : '!'
  );
  const word = h(
    'span',
    { class: 'jp-agents-hidden' },
    problem.is_note ? __('Note:') : __('To correct:'),
    ' '
  );
  return h(
    'p',
    { class: `jp-agents-Builder-problem jp-agents-mod-${kind}` },
    sign,
    h('span', {}, word, problem.text)
  );
}

export interface ITextOptions {
  readonly label: string;
  readonly hint?: string;
  readonly rows?: number;
  readonly isCode?: boolean;
  readonly list?: string;
  readonly inputmode?: 'numeric' | 'decimal';
  readonly beside?: Child;
  changed(text: string): void;
}

/** A field for text: of one line, or with `rows` of several. */
export class TextInput implements IField {
  readonly node: HTMLElement;
  readonly control: HTMLInputElement | HTMLTextAreaElement;
  private readonly _problems = new ProblemPlace();

  constructor(options: ITextOptions) {
    const [id, hint] = [freshId('field'), freshId('hint')];
    this.control = h(options.rows ? 'textarea' : 'input', {
      id,
      class: `jp-agents-Builder-input${options.isCode ? ' jp-agents-mod-code' : ''}`,
      type: options.rows ? null : 'text',
      rows: options.rows ?? null,
      list: options.list ?? null,
      inputmode: options.inputmode ?? null,
      spellcheck: options.isCode ? 'false' : null,
      autocomplete: 'off',
      'aria-describedby': options.hint ? `${hint} ${this._problems.id}` : this._problems.id,
      oninput: () => options.changed(this.control.value)
    }) as HTMLInputElement | HTMLTextAreaElement;
    const label = h('label', { for: id, class: 'jp-agents-Builder-label' }, options.label);
    this.node = h(
      'div',
      { class: 'jp-agents-Builder-field' },
      h('div', { class: 'jp-agents-Builder-labels' }, label, options.beside ?? null),
      this.control,
      options.hint ? h('div', { id: hint, class: 'jp-agents-Builder-hint' }, options.hint) : null,
      this._problems.node
    );
  }

  /** A value that is there already is left alone, and with it the caret. */
  show(value: string): void {
    if (this.control.value !== value) {
      this.control.value = value;
    }
  }

  say(problems: readonly IProblem[]): void {
    this.control.setAttribute('aria-invalid', String(this._problems.say(problems)));
  }

  focus(): void {
    this.control.focus();
  }
}

export interface IChoice {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}

/** One of several: radio buttons in a fieldset. */
export class ChoiceInput implements IField {
  readonly node: HTMLFieldSetElement;
  private readonly _place = h('div', { class: 'jp-agents-Builder-choices' });
  private readonly _problems = new ProblemPlace();
  private readonly _group = freshId('choice');
  private _radios: HTMLInputElement[] = [];

  constructor(
    legend: string,
    choices: readonly IChoice[],
    private readonly _picked: (value: string) => void,
    ...more: readonly Child[]
  ) {
    this.node = h(
      'fieldset',
      { class: 'jp-agents-Builder-group', 'aria-describedby': this._problems.id },
      h('legend', {}, legend),
      this._place,
      this._problems.node,
      ...more
    );
    this.offer(choices);
  }

  /** Other choices than before; what was chosen stays so. */
  offer(choices: readonly IChoice[]): void {
    const [chosen, focused] = [this.value, this._radios.find(one => one === document.activeElement)?.value];
    this._radios = [];
    this._place.replaceChildren(...choices.map(choice => this._choice(choice)));
    this.show(chosen);
    this._radios.find(one => one.value === focused)?.focus();
  }

  get value(): string {
    return this._radios.find(one => one.checked)?.value ?? '';
  }

  show(value: string): void {
    this._radios.forEach(one => (one.checked = one.value === value));
  }

  say(problems: readonly IProblem[]): void {
    const isWrong = this._problems.say(problems);
    this._radios.forEach(one => one.setAttribute('aria-invalid', String(isWrong)));
  }

  focus(): void {
    (this._radios.find(one => one.checked) ?? this._radios[0])?.focus();
  }

  private _choice(choice: IChoice): HTMLElement {
    const hint = freshId('hint');
    const radio = h('input', {
      type: 'radio',
      name: this._group,
      value: choice.value,
      'aria-describedby': choice.hint ? hint : null,
      onchange: () => this._picked(choice.value)
    });
    this._radios.push(radio);
    const label = h('label', { class: 'jp-agents-Builder-choice' }, radio, h('span', {}, choice.label));
    return h(
      'div',
      { class: 'jp-agents-Builder-choice-row' },
      label,
      choice.hint ? h('div', { id: hint, class: 'jp-agents-Builder-hint' }, choice.hint) : null
    );
  }
}

/** Fields under one heading. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  const id = freshId('section');
  return h(
    'section',
    { class: 'jp-agents-Builder-section', 'aria-labelledby': id },
    h('h3', { id, class: 'jp-agents-Builder-title' }, title),
    ...children
  );
}
