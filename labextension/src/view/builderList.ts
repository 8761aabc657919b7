/** The agents and groups of one builder: pick one, add, duplicate, remove, or load an agent from the notebook. */

import type { IAgentFacts, IProblem } from './builderProtocol';
import { button, h } from './dom';
import { freshId } from './ids';
import { translations } from './strings';

/** An agent or a group in the list. */
export interface IListed {
  readonly id: string;
  readonly name: string;
  /** What it is, in words. */
  readonly kind: string;
  readonly isGroup: boolean;
}

export interface IListWires {
  pick(id: string): void;
  add(): void;
  addGroup(): void;
  duplicate(): void;
  remove(): void;
  load(variable: string): void;
}

export class AgentList {
  readonly node: HTMLElement;
  private readonly _list = h('ul', { class: 'jp-agents-Builder-agents', role: 'list' });
  private readonly _remove: HTMLButtonElement;
  private readonly _select: HTMLSelectElement;
  private readonly _loading: HTMLElement;
  private readonly _rows = new Map<string, { node: HTMLElement; button: HTMLButtonElement }>();

  constructor(private readonly _wires: IListWires) {
    const { __ } = translations();
    const id = freshId('load');
    this._remove = button(__('Remove'), () => _wires.remove());
    this._select = h('select', { id, class: 'jp-agents-Builder-input' });
    this._loading = h(
      'div',
      { class: 'jp-agents-Builder-load' },
      h('label', { for: id, class: 'jp-agents-Builder-label' }, __('Edit an agent of the notebook')),
      this._select,
      button(__('Edit'), () => this._loadPicked())
    );
    const actions = h(
      'div',
      { class: 'jp-agents-Builder-actions' },
      button(__('Add an agent'), () => _wires.add()),
      button(__('Add a group'), () => _wires.addGroup()),
      button(__('Duplicate'), () => _wires.duplicate()),
      this._remove
    );
    this.node = h(
      'nav',
      { class: 'jp-agents-Builder-list', 'aria-label': __('Agents and groups of this form') },
      this._list,
      actions,
      this._loading
    );
  }

  show(listed: readonly IListed[], current: string, problems: readonly IProblem[]): void {
    const rows = listed.map(one => this._row(one, one.id === current, problems));
    if (rows.length !== this._list.children.length || rows.some((row, n) => row !== this._list.children[n])) {
      this._list.replaceChildren(...rows);
    }
    const picked = listed.find(one => one.id === current);
    this._remove.disabled = !picked?.isGroup && listed.filter(one => !one.isGroup).length < 2;
  }

  setAgents(agents: readonly IAgentFacts[]): void {
    const { __ } = translations();
    this._loading.hidden = agents.length === 0;
    const options = agents.map(one => {
      const words = one.name === one.variable ? one.variable : `${one.variable} (${one.name})`;
      const text = one.why ? __('%1: %2', words, one.why) : words;
      return h('option', { value: one.variable, disabled: one.why !== '' }, text);
    });
    const chosen = this._select.value;
    this._select.replaceChildren(h('option', { value: '' }, __('Choose…')), ...options);
    this._select.value = options.some(one => one.value === chosen) ? chosen : '';
  }

  focus(): void {
    this._list.querySelector<HTMLElement>('[aria-current="true"]')?.focus();
  }

  private _loadPicked(): void {
    const variable = this._select.value;
    this._select.value = '';
    if (variable) {
      this._wires.load(variable);
    }
  }

  private _row(listed: IListed, isCurrent: boolean, problems: readonly IProblem[]): HTMLElement {
    const { __, _n } = translations();
    const row = this._rows.get(listed.id) ?? this._newRow(listed.id);
    const errors = problems.filter(one => one.draft === listed.id && !one.is_note).length;
    const name = h('span', { class: 'jp-agents-Builder-agent-name' }, listed.name.trim() || __('(no name)'));
    const state = h(
      'span',
      { class: 'jp-agents-Builder-agent-state' },
      _n('%1 to correct', '%1 to correct', errors)
    );
    const kind = h('span', { class: 'jp-agents-Builder-agent-kind' }, listed.kind);
    row.button.replaceChildren(name, ...(listed.isGroup ? [kind] : []), ...(errors ? [state] : []));
    row.button.setAttribute('aria-current', String(isCurrent));
    return row.node;
  }

  private _newRow(id: string): { node: HTMLElement; button: HTMLButtonElement } {
    const made = button('', () => this._wires.pick(id), 'jp-agents-Builder-agent');
    const row = { node: h('li', {}, made), button: made };
    this._rows.set(id, row);
    return row;
  }
}
