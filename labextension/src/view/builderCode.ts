/** The code that makes the agents and groups of a builder, and what can be done with it: create, copy, insert as a cell. */

import type { IListed } from './builderList';
import type { IChecked, IReplaced } from './builderProtocol';
import { announce, copyButton } from './copying';
import { button, h } from './dom';
import { highlighted } from './highlight';
import type { IHost } from './host';
import { freshId } from './ids';
import { translations } from './strings';

export type Outcome = 'done' | 'error' | 'note';

export class BuilderCode {
  readonly node: HTMLElement;
  private readonly _pre = h('code');
  private readonly _left = h('p', { class: 'jp-agents-Builder-hint' });
  private readonly _one: HTMLButtonElement;
  private readonly _all: HTMLButtonElement;
  private readonly _said = h('p', { class: 'jp-agents-Builder-said', role: 'status' });
  private readonly _question = h('div');
  private readonly _share: readonly HTMLButtonElement[];
  private _code = '';
  private _current = '';

  constructor(
    private readonly _host: IHost,
    private readonly _create: (which: string | null) => void
  ) {
    const { __ } = translations();
    const title = freshId('code');
    this._one = button('', () => this._press(this._current), 'jp-agents-mod-primary');
    this._all = button(__('Create all'), () => this._press(null));
    this._share = this._sharing();
    this.node = h(
      'section',
      { class: 'jp-agents-Builder-code', 'aria-labelledby': title },
      h('h3', { id: title, class: 'jp-agents-Builder-title' }, __('The code that makes them')),
      h(
        'pre',
        { tabindex: 0, role: 'group', 'aria-label': __('Code'), class: 'jp-agents-Builder-source' },
        this._pre
      ),
      this._left,
      h('div', { class: 'jp-agents-Builder-actions' }, this._one, this._all, ...this._share),
      this._question,
      this._said
    );
    this._draw('');
  }

  show(listed: readonly IListed[], current: string, answer: IChecked | null): void {
    const { __, _n } = translations();
    const picked = listed.find(one => one.id === current);
    const left = listed
      .filter(one => answer?.left_out.includes(one.id))
      .map(one => one.name.trim() || one.kind);
    this._current = current;
    this._one.textContent = __('Create %1', answer?.variables[current] || picked?.name.trim() || '…');
    this._all.hidden = listed.length < 2;
    this._left.textContent = left.length
      ? _n(
          'Not in it, because there is something to correct: %2',
          'Not in it, because there is something to correct: %2',
          left.length,
          left.join(', ')
        )
      : '';
    if (answer) {
      this._draw(answer.code);
    } // else it is being checked, and what was found before stays in sight
    const isKnown = Boolean(answer?.code);
    this._share.forEach(one => (one.disabled = !isKnown));
  }

  say(text: string, outcome: Outcome): void {
    this._said.textContent = text;
    this._said.className = `jp-agents-Builder-said jp-agents-mod-${outcome}`;
  }

  /** What was asked about is not what is typed any more. */
  forgetQuestion(): void {
    this._question.replaceChildren();
  }

  /** Ask before agents are replaced; the one that is safe has the focus. */
  askToReplace(replaced: readonly IReplaced[], replace: (variables: readonly string[]) => void): void {
    const { __ } = translations();
    const [id, back] = [freshId('question'), document.activeElement];
    const close = (): void => {
      this._question.replaceChildren();
      if (back instanceof HTMLElement) back.focus();
    };
    const keep = button(__('Keep'), close);
    const go = button(__('Replace'), () => {
      close();
      replace(replaced.map(one => one.variable));
    });
    const text = h('div', { id }, ...replaced.map(one => h('p', {}, replacedText(one))));
    const box = h(
      'div',
      { role: 'alertdialog', 'aria-labelledby': id, class: 'jp-agents-Builder-question' },
      text
    );
    box.append(h('div', { class: 'jp-agents-Builder-actions' }, keep, go));
    box.addEventListener('keydown', event => {
      if (event.key === 'Escape') close();
    });
    this._question.replaceChildren(box);
    keep.focus();
  }

  private _press(which: string | null): void {
    this._question.replaceChildren();
    this.say('', 'note');
    this._create(which);
  }

  private _sharing(): HTMLButtonElement[] {
    const { __ } = translations();
    const copy = copyButton(__('Copy the code'), () => this._code);
    const insertCell = this._host.insertCell;
    if (!insertCell) {
      return [copy];
    }
    const insert = button(__('Insert as cell'), () => {
      insertCell(this.node, this._code.trimEnd());
      announce(__('Inserted as a cell below.'));
    });
    return [copy, insert];
  }

  private _draw(code: string): void {
    const { __ } = translations();
    if (code !== this._code || !this._pre.firstChild) {
      this._code = code;
      this._pre.replaceChildren(code ? highlighted(code, 'python') : __('# nothing yet'));
    }
  }
}

function replacedText(one: IReplaced): string {
  const { __, _n } = translations();
  if (!one.name) {
    return __('%1 holds a group already. Replace it?', one.variable);
  }
  const what = __('%1 holds an agent already (%2, %3).', one.variable, one.name, one.class_name);
  const memory = _n(
    'It remembers a talk with %1 agent, which the new one will not.',
    'It remembers talks with %1 agents, which the new one will not.',
    one.talks
  );
  return one.talks ? `${what} ${memory} ${__('Replace it?')}` : `${what} ${__('Replace it?')}`;
}
