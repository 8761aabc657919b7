/** Picking functions of the notebook as tools: their names, signatures and first lines, and what they lack. */

import type { IField } from './builderFields';
import { problemNode } from './builderFields';
import type { IFunctionFacts, IProblem } from './builderProtocol';
import { h } from './dom';
import { freshId } from './ids';
import { translations } from './strings';

export type Tools = Readonly<Record<string, string>>;

const FILTER_FROM = 8; // functions: fewer are seen at a glance

export class ToolsInput implements IField {
  readonly node: HTMLFieldSetElement;
  private readonly _problemId = freshId('problem');
  private readonly _problems = h('div', { id: this._problemId, class: 'jp-agents-Builder-problems' });
  private readonly _list = h('ul', { class: 'jp-agents-Builder-tools', role: 'list' });
  private readonly _filter: HTMLInputElement;
  private readonly _rows = new Map<string, { node: HTMLElement; box: HTMLInputElement }>();
  private _functions: readonly IFunctionFacts[] = [];
  private _tools: Tools = {};

  constructor(private readonly _changed: (tools: Tools) => void) {
    const { __ } = translations();
    this._filter = h('input', {
      type: 'search',
      class: 'jp-agents-Builder-input',
      'aria-label': __('Find a function'),
      placeholder: __('Find a function'),
      oninput: () => this._draw()
    });
    this.node = h(
      'fieldset',
      { class: 'jp-agents-Builder-group', 'aria-describedby': this._problemId },
      h('legend', {}, __('Tools: functions that its model may call, and that it runs for others')),
      this._filter,
      this._list,
      this._problems
    );
  }

  /** Other functions are there now. */
  offer(functions: readonly IFunctionFacts[]): void {
    this._functions = functions;
    this._rows.clear();
    this._draw();
  }

  showTools(tools: Tools): void {
    if (JSON.stringify(tools) !== JSON.stringify(this._tools)) {
      this._tools = tools;
      this._draw();
    }
  }

  show(): void {
    this._draw();
  }

  say(problems: readonly IProblem[]): void {
    this._problems.replaceChildren(...problems.map(problemNode));
  }

  focus(): void {
    this._list.querySelector<HTMLInputElement>('input')?.focus();
  }

  private _draw(): void {
    const { __ } = translations();
    const focused = document.activeElement;
    this._filter.hidden = this._functions.length < FILTER_FROM;
    const lost = Object.entries(this._tools).filter(([name, what]) => !this._isOffered(name, what));
    const rows = [
      ...lost.map(([name, what]) => this._row(name, what, null)),
      ...this._functions.filter(one => this._isFound(one)).map(one => this._row(one.called, one.name, one))
    ];
    const empty = h(
      'li',
      { class: 'jp-agents-Builder-hint' },
      this._functions.length
        ? __('No function has such a name.')
        : __('No functions yet. Define one in a cell: it appears here.')
    );
    this._list.replaceChildren(...(rows.length ? rows : [empty]));
    if (focused instanceof HTMLElement && focused.isConnected) {
      focused.focus();
    }
  }

  private _isOffered(name: string, what: string): boolean {
    return this._functions.some(one => one.called === name && one.name === what);
  }

  private _isFound(one: IFunctionFacts): boolean {
    const wanted = this._filter.value.trim().toLowerCase();
    return (
      !wanted ||
      one.called in this._tools ||
      `${one.name} ${one.called} ${one.doc}`.toLowerCase().includes(wanted)
    );
  }

  private _row(name: string, what: string, facts: IFunctionFacts | null): HTMLElement {
    const key = `${name}=${what}`;
    const row = this._rows.get(key) ?? this._newRow(name, what, facts);
    this._rows.set(key, row);
    row.box.checked = this._tools[name] === what;
    return row.node;
  }

  private _newRow(
    name: string,
    what: string,
    facts: IFunctionFacts | null
  ): { node: HTMLElement; box: HTMLInputElement } {
    const about = freshId('about');
    const box = h('input', {
      type: 'checkbox',
      'aria-describedby': about,
      onchange: () => this._toggle(name, what, box.checked)
    });
    const code = h(
      'code',
      {},
      name,
      h('span', { class: 'jp-agents-Builder-signature' }, facts?.signature ?? '')
    );
    const label = h('label', { class: 'jp-agents-Builder-tool' }, box, code);
    const node = h(
      'li',
      {},
      label,
      h('div', { id: about, class: 'jp-agents-Builder-about' }, ...aboutTool(name, what, facts))
    );
    return { node, box };
  }

  private _toggle(name: string, what: string, isOn: boolean): void {
    const rest = Object.fromEntries(Object.entries(this._tools).filter(([other]) => other !== name));
    this._tools = isOn ? { ...rest, [name]: what } : rest;
    this._changed(this._tools);
  }
}

function aboutTool(name: string, what: string, facts: IFunctionFacts | null): HTMLElement[] {
  const { __ } = translations();
  if (!facts) {
    const text = name === what ? __('From the loaded agent') : __('From the loaded agent: calls %1', what);
    return [h('div', { class: 'jp-agents-Builder-hint' }, text)];
  }
  const lines = [
    h(
      'div',
      { class: 'jp-agents-Builder-hint' },
      facts.doc || __('It has no description: a model cannot know what it is for.')
    )
  ];
  if (facts.untyped.length) {
    const text = __('No type hints: %1', facts.untyped.join(', '));
    lines.push(h('div', { class: 'jp-agents-Builder-hint jp-agents-Builder-untyped' }, text));
  }
  return lines;
}
