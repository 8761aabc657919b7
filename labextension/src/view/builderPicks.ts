/** Fields in which something is picked: one of a list, several of them, yes or no. */

import { problemNode } from './builderFields';
import type { IField } from './builderFields';
import type { IProblem } from './builderProtocol';
import { h } from './dom';
import type { Child } from './dom';
import { freshId } from './ids';

export interface IPick {
  readonly key: string;
  readonly name: string;
  /** What it is, in a few words. */
  readonly about: string;
}

/** One of a list, which may be long. */
export class SelectInput implements IField {
  readonly node: HTMLElement;
  private readonly _select: HTMLSelectElement;
  private readonly _problems: HTMLElement;
  private _offered = '';

  constructor(label: string, hint: string, changed: (value: string) => void) {
    const [id, problems, about] = [freshId('field'), freshId('problem'), freshId('hint')];
    this._problems = h('div', { id: problems, class: 'jp-agents-Builder-problems' });
    this._select = h('select', {
      id,
      class: 'jp-agents-Builder-input',
      'aria-describedby': `${about} ${problems}`,
      onchange: () => changed(this._select.value)
    });
    this.node = h(
      'div',
      { class: 'jp-agents-Builder-field' },
      h(
        'div',
        { class: 'jp-agents-Builder-labels' },
        h('label', { for: id, class: 'jp-agents-Builder-label' }, label)
      ),
      this._select,
      h('div', { id: about, class: 'jp-agents-Builder-hint' }, hint),
      this._problems
    );
  }

  offer(choices: readonly (readonly [value: string, words: string])[]): void {
    const offered = JSON.stringify(choices);
    if (offered !== this._offered) {
      this._offered = offered;
      this._select.replaceChildren(...choices.map(([value, words]) => h('option', { value }, words)));
    }
  }

  show(value: string): void {
    this._select.value = value;
  }

  say(problems: readonly IProblem[]): void {
    this._problems.replaceChildren(...problems.map(problemNode));
    this._select.setAttribute('aria-invalid', String(problems.some(one => !one.is_note)));
  }

  focus(): void {
    this._select.focus();
  }
}

/** Several of a list: boxes to tick, in the order of the list. */
export class PickList implements IField {
  readonly node: HTMLFieldSetElement;
  private readonly _list = h('ul', { class: 'jp-agents-Builder-tools', role: 'list' });
  private readonly _problems: HTMLElement;
  private readonly _boxes = new Map<string, HTMLInputElement>();
  private _offered = '';

  constructor(
    legend: string,
    private readonly _empty: string,
    private readonly _toggled: (key: string, isOn: boolean) => void,
    ...more: readonly Child[]
  ) {
    const id = freshId('problem');
    this._problems = h('div', { id, class: 'jp-agents-Builder-problems' });
    this.node = h(
      'fieldset',
      { class: 'jp-agents-Builder-group', 'aria-describedby': id },
      h('legend', {}, legend),
      this._list,
      this._problems,
      ...more
    );
  }

  /** What can be picked, and what is. Boxes that are there already stay, and with them the focus. */
  showPicks(picks: readonly IPick[], chosen: readonly string[]): void {
    const offered = JSON.stringify(picks);
    if (offered !== this._offered) {
      this._offered = offered;
      this._draw(picks);
    }
    this._boxes.forEach((box, key) => (box.checked = chosen.includes(key)));
  }

  show(): void {
    // what is picked comes with what can be picked
  }

  say(problems: readonly IProblem[]): void {
    this._problems.replaceChildren(...problems.map(problemNode));
  }

  focus(): void {
    this._list.querySelector('input')?.focus();
  }

  private _draw(picks: readonly IPick[]): void {
    const focused = [...this._boxes].find(([, box]) => box === document.activeElement)?.[0];
    this._boxes.clear();
    const rows = picks.map(one => this._row(one));
    const empty = h('li', { class: 'jp-agents-Builder-hint' }, this._empty);
    this._list.replaceChildren(...(rows.length ? rows : [empty]));
    this._boxes.get(focused ?? '')?.focus();
  }

  private _row(pick: IPick): HTMLElement {
    const about = freshId('about');
    const box = h('input', {
      type: 'checkbox',
      'aria-describedby': about,
      onchange: () => this._toggled(pick.key, box.checked)
    });
    this._boxes.set(pick.key, box);
    return h(
      'li',
      { class: 'jp-agents-Builder-pick' },
      h('label', { class: 'jp-agents-Builder-tool' }, box, h('span', {}, pick.name)),
      h('span', { id: about, class: 'jp-agents-Builder-hint' }, pick.about)
    );
  }
}

/** Yes or no. */
export class CheckInput {
  readonly node: HTMLElement;
  private readonly _box: HTMLInputElement;

  constructor(label: string, hint: string, changed: (isOn: boolean) => void) {
    const id = freshId('hint');
    this._box = h('input', {
      type: 'checkbox',
      'aria-describedby': id,
      onchange: () => changed(this._box.checked)
    });
    this.node = h(
      'div',
      { class: 'jp-agents-Builder-choice-row' },
      h('label', { class: 'jp-agents-Builder-choice' }, this._box, h('span', {}, label)),
      h('div', { id, class: 'jp-agents-Builder-hint' }, hint)
    );
  }

  show(isOn: boolean): void {
    this._box.checked = isOn;
  }
}
