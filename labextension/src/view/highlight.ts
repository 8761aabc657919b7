/** Code on the page: Python with the colours of the page's own editors, all else as it is; and a bar to copy it. */

import { TreeFragment, type Tree } from '@lezer/common';
import { highlightTree, tagHighlighter, tags } from '@lezer/highlight';
import { parser } from '@lezer/python';

import { copyButton } from './copying';
import { h } from './dom';
import { scrollWithKeys } from './sideways';
import { translations } from './strings';

const PYTHON = /^(?:python[23]?|py[23]?|ipython[23]?|pycon)$/i;
const MAX_HIGHLIGHTED = 200_000; // characters: more has too many spans for a page
const GROUP = 24; // lines of growing code that are coloured together

// The tags that JupyterLab's editors tell apart, so that code looks the same in a message as in a cell.
const HIGHLIGHTER = tagHighlighter([
  { tag: tags.meta, class: 'jp-agents-tok-meta' },
  { tag: tags.keyword, class: 'jp-agents-tok-keyword' },
  { tag: [tags.atom, tags.bool, tags.null], class: 'jp-agents-tok-atom' },
  { tag: tags.number, class: 'jp-agents-tok-number' },
  {
    tag: [tags.definition(tags.name), tags.function(tags.definition(tags.variableName))],
    class: 'jp-agents-tok-def'
  },
  { tag: tags.standard(tags.variableName), class: 'jp-agents-tok-builtin' },
  { tag: [tags.special(tags.variableName), tags.self], class: 'jp-agents-tok-self' },
  { tag: tags.propertyName, class: 'jp-agents-tok-property' },
  { tag: tags.operator, class: 'jp-agents-tok-operator' },
  { tag: tags.comment, class: 'jp-agents-tok-comment' },
  { tag: tags.string, class: 'jp-agents-tok-string' },
  { tag: tags.special(tags.string), class: 'jp-agents-tok-string2' }
]);

interface IRun {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

/** Whether code of this language is coloured, and can go into a cell. */
export function isPython(language: string): boolean {
  return PYTHON.test(language);
}

/** Code as nodes: text, and spans where it is coloured. */
export function highlighted(code: string, language: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  const runs = isColoured(code, language) ? runsOf(parser.parse(code), 0, code.length) : [];
  fragment.append(...drawRuns(code, runs, 0, code.length));
  return fragment;
}

/** Some lines of code, in an element of their own: a page lays out anew only those that change. */
class Lines {
  readonly node = h('span', { class: 'jp-agents-Code-lines' });
  private _runs: readonly IRun[] | null = null;
  private readonly _plain = document.createTextNode('');

  constructor(readonly from: number) {
    this.node.append(this._plain);
  }

  /** Show code that may still grow. */
  show(code: string): void {
    if (this._runs) {
      this._runs = null;
      this._plain.data = '';
      this.node.replaceChildren(this._plain);
    }
    if (code.length > this._plain.length) {
      this._plain.appendData(code.slice(this._plain.length));
    }
  }

  colour(code: string, to: number, runs: readonly IRun[]): void {
    if (!this._runs || !areEqual(runs, this._runs)) {
      this.node.replaceChildren(...drawRuns(code, runs, this.from, to));
    }
    this._runs = runs;
  }
}

/**
 * Code that grows. What comes stands there at once; lines are coloured in groups, each when it is whole. `complete` mends
 * what only the whole code can tell: that a string was open at the end of a group.
 */
export class GrowingCode {
  readonly node = h('code');
  private _text = '';
  private _language = '';
  private _tree: Tree | null = null;
  private _parsed = 0;
  private _groups: Lines[] = [];
  private _isComplete = false;

  get text(): string {
    return this._text;
  }

  /** The code is now this: what it was and more, or another one. */
  set(text: string, language: string): void {
    if (language !== this._language || !text.startsWith(this._text)) {
      this._clear(language);
    }
    if (text.length === this._text.length) {
      return;
    }
    this._text = text;
    this._isComplete = false;
    let group = this._groups.at(-1) ?? this._begin(0);
    for (let end = this._endOf(group); end < text.length; end = this._endOf(group)) {
      group.show(text.slice(group.from, end));
      group.colour(text, end, this._runsOf(group.from, end));
      group = this._begin(end);
    }
    group.show(text.slice(group.from));
  }

  /** Nothing more will come. */
  complete(): void {
    if (this._isComplete) {
      return;
    }
    this._isComplete = true;
    const tree = isColoured(this._text, this._language) ? parser.parse(this._text) : null;
    for (const group of this._groups) {
      const end = this._endOf(group);
      group.colour(this._text, end, tree ? runsOf(tree, group.from, end) : []);
    }
  }

  private _clear(language: string): void {
    this.node.replaceChildren();
    this._text = '';
    this._language = language;
    this._tree = null;
    this._parsed = 0;
    this._groups = [];
    this._isComplete = false;
  }

  private _begin(from: number): Lines {
    const group = new Lines(from);
    this._groups.push(group);
    this.node.append(group.node);
    return group;
  }

  /** Where the lines of a group end; the end of the text if that is before. */
  private _endOf(group: Lines): number {
    let end = group.from;
    for (let line = 0; line < GROUP; line++) {
      end = this._text.indexOf('\n', end) + 1;
      if (end === 0) return this._text.length;
    }
    return end;
  }

  private _runsOf(from: number, to: number): IRun[] {
    if (!isColoured(this._text, this._language)) {
      return [];
    }
    this._tree = parser.parse(this._text.slice(0, to), grown(this._tree, this._parsed, to));
    this._parsed = to;
    return runsOf(this._tree, from, to);
  }
}

/** A block of code with its language and a button to copy it. */
export class CodeBlock {
  readonly node: HTMLElement;
  private readonly _code = new GrowingCode();
  private readonly _label = h('span', { class: 'jp-agents-Code-label' });

  constructor() {
    const copy = copyButton(translations().__('Copy code'), () => this._code.text);
    const bar = h('div', { class: 'jp-agents-Code-bar' }, this._label, copy);
    const text = h('pre', { class: 'jp-agents-Code-text' }, this._code.node);
    this.node = h('div', { class: 'jp-agents-Code' }, bar, text);
    scrollWithKeys(text, translations().__('Code'));
  }

  /** `label` stands above the code; by default its language. */
  set(code: string, language: string, label = language): void {
    if (this._label.textContent !== label) {
      this._label.textContent = label;
    }
    this._code.set(code, language);
  }

  complete(): void {
    this._code.complete();
  }
}

/** A block of code that does not grow. */
export function drawCode(code: string, language = '', label = language): HTMLElement {
  const block = new CodeBlock();
  block.set(code, language, label);
  block.complete();
  return block.node;
}

function isColoured(code: string, language: string): boolean {
  return code.length <= MAX_HIGHLIGHTED && isPython(language);
}

function grown(tree: Tree | null, from: number, to: number): readonly TreeFragment[] {
  if (!tree) {
    return [];
  }
  return TreeFragment.applyChanges(TreeFragment.addTree(tree), [
    { fromA: from, toA: from, fromB: from, toB: to }
  ]);
}

function runsOf(tree: Tree, from: number, to: number): IRun[] {
  const runs: IRun[] = [];
  highlightTree(tree, HIGHLIGHTER, (start, end, name) => runs.push({ from: start, to: end, name }), from, to);
  return runs;
}

function drawRuns(code: string, runs: readonly IRun[], from: number, to: number): (Node | string)[] {
  const nodes: (Node | string)[] = [];
  let at = from;
  for (const run of runs) {
    if (run.from > at) nodes.push(code.slice(at, run.from));
    nodes.push(h('span', { class: run.name }, code.slice(run.from, run.to)));
    at = run.to;
  }
  if (at < to) nodes.push(code.slice(at, to));
  return nodes;
}

function areEqual(one: readonly IRun[], other: readonly IRun[]): boolean {
  return (
    one.length === other.length &&
    one.every(
      (run, n) => run.from === other[n]?.from && run.to === other[n]?.to && run.name === other[n]?.name
    )
  );
}
