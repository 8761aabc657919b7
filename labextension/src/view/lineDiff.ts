/** What a person has changed in code, line by line: what was asked about beside what runs. */

import { diffLines } from 'diff';

import { visible } from './characters';
import { h } from './dom';
import { translations } from './strings';

/** Unchanged lines that are shown before and after a change; what is further away is folded. */
const CONTEXT = 2;
/** A run of unchanged lines is folded if that hides at least so many. */
const WORTH_FOLDING = 3;
/** So many lines are shown without being asked for. */
const SHORT = 14;
/** Texts that differ in more lines, or whose comparison takes longer (in milliseconds), are not compared. */
const MOST_CHANGES = 2000;
const PATIENCE = 100;

/** Lines that stay, go or come, in the order in which they are read. */
export interface IChangedLines {
  readonly kind: 'same' | 'removed' | 'added';
  readonly lines: readonly string[];
}

/** The changes that make `after` of `before`; none where they are equal, `null` where they have too little in common. */
export function changedLines(before: string, after: string): readonly IChangedLines[] | null {
  const [from, to] = [ended(before), ended(after)];
  if (from === to) {
    return [];
  }
  const found = diffLines(from, to, { maxEditLength: MOST_CHANGES, timeout: PATIENCE });
  return (
    found?.map(({ value, added, removed }) => ({
      kind: added ? 'added' : removed ? 'removed' : 'same',
      lines: value.slice(0, -1).split('\n')
    })) ?? null
  );
}

/** `2 lines added, 1 removed`. */
export function countChanges(changes: readonly IChangedLines[]): string {
  const { __, _n } = translations();
  const added = countLines(changes, 'added');
  const removed = countLines(changes, 'removed');
  if (added > 0 && removed > 0) {
    return _n('%1 line added, %2 removed', '%1 lines added, %2 removed', added, removed);
  }
  return added + removed === 0
    ? __('no line changed')
    : added > 0
      ? _n('%1 line added', '%1 lines added', added)
      : _n('%1 line removed', '%1 lines removed', removed);
}

/** The changes as a block of lines, each with its sign: colour alone says nothing. What shows nothing is written out. */
export function drawChangedLines(changes: readonly IChangedLines[]): HTMLElement {
  const { __ } = translations();
  const parts = changes.flatMap((change, at) => drawPart(change, at === 0, at === changes.length - 1));
  return h(
    'div',
    { class: 'jp-agents-Diff', role: 'group', tabindex: 0, 'aria-label': __('Changes') },
    ...parts
  );
}

/** What differs, folded unless it is short. A person who has opened or closed it is left alone. */
export class DiffFold {
  readonly node: HTMLDetailsElement;
  private readonly label = h('span', { class: 'jp-agents-Fold-label', role: 'status' });
  private readonly summary = h('summary', { onclick: () => (this.isChosen = true) }, this.label);
  private isChosen = false;

  constructor() {
    this.node = h('details', { class: 'jp-agents-Fold jp-agents-Diff-changes', hidden: true }, this.summary);
  }

  show(before: string, after: string): void {
    const changes = changedLines(before, after);
    const drawn = changes && drawChangedLines(changes);
    this.node.hidden = changes?.length === 0;
    this.label.textContent = changes
      ? countChanges(changes)
      : translations().__('Nearly all of it is different');
    this.node.replaceChildren(this.summary, ...(drawn ? [drawn] : []));
    if (!this.isChosen) {
      this.node.open = (drawn?.childElementCount ?? 0) <= SHORT;
    }
  }
}

function drawPart({ kind, lines }: IChangedLines, isFirst: boolean, isLast: boolean): HTMLElement[] {
  if (kind !== 'same') {
    return lines.map(line => drawLine(kind, line));
  }
  const from = isFirst ? 0 : CONTEXT;
  const to = lines.length - (isLast ? 0 : CONTEXT);
  if (to - from < WORTH_FOLDING) {
    return lines.map(line => drawLine(kind, line));
  }
  const draw = (some: readonly string[]): HTMLElement[] => some.map(line => drawLine(kind, line));
  return [...draw(lines.slice(0, from)), drawFolded(draw(lines.slice(from, to))), ...draw(lines.slice(to))];
}

function drawFolded(lines: readonly HTMLElement[]): HTMLElement {
  const label = translations()._n('%1 line as before', '%1 lines as before', lines.length);
  return h('details', { class: 'jp-agents-Diff-fold' }, h('summary', {}, label), ...lines);
}

const SIGNS = { same: '\u00a0', added: '+', removed: '\u2212' } as const;
const TAGS = { same: 'span', added: 'ins', removed: 'del' } as const;

function drawLine(kind: IChangedLines['kind'], line: string): HTMLElement {
  const sign = h('span', { class: 'jp-agents-Diff-sign', 'aria-hidden': 'true' }, SIGNS[kind]);
  const text = h(TAGS[kind], { class: 'jp-agents-Diff-text' }, visible(line));
  return h('div', { class: `jp-agents-Diff-line jp-agents-mod-${kind}` }, sign, text);
}

/** With the line break at its end that makes the last line one like all others. */
function ended(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n');
  return lines.endsWith('\n') || lines === '' ? lines : `${lines}\n`;
}

function countLines(changes: readonly IChangedLines[], kind: IChangedLines['kind']): number {
  return changes.reduce((sum, one) => sum + (one.kind === kind ? one.lines.length : 0), 0);
}
