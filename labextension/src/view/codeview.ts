/** Code that waits for leave to run: the text in a frame that it cannot leave, how much of it there is, what is known of it. */

import { remarksOn, visible } from './characters';
import { copyButton } from './copying';
import { h } from './dom';
import { countLines, drawExact } from './exact';
import type { ICodeFacts } from './protocol';
import { translations } from './strings';

const MOST_NAMES = 20;
/** In pixels: of a line of which less is seen, nothing is. */
const PART_OF_A_LINE = 10;

export class CodeView {
  readonly node: HTMLElement;

  constructor(code: string, language: string, facts: ICodeFacts | null) {
    const label = translations().__('The code: %1', sizeOf(code));
    this.code = h(
      'pre',
      { class: 'jp-agents-Approval-code', tabindex: 0, role: 'group', 'aria-label': label },
      drawExact(code, language)
    );
    this.node = h(
      'div',
      {},
      this.drawBar(code),
      this.code,
      drawRemarks(remarksOn(code, language)),
      facts && drawFacts(facts)
    );
    this.code.addEventListener('scroll', this.tellRest, { passive: true });
    this.resized = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(this.tellRest);
    this.resized?.observe(this.code);
  }

  focus(options?: FocusOptions): void {
    this.code.focus(options);
  }

  dispose(): void {
    this.resized?.disconnect();
  }

  private drawBar(code: string): HTMLElement {
    return h(
      'div',
      { class: 'jp-agents-Approval-bar' },
      h('span', { class: 'jp-agents-Approval-size' }, sizeOf(code)),
      this.rest,
      copyButton(translations().__('Copy the code'), () => code)
    );
  }

  /** Empty lines must not push what follows out of sight unsaid. */
  private readonly tellRest = (): void => {
    const more = linesBelow(this.code);
    this.rest.textContent = more > 0 ? translations().__('%1 more below ↓', more) : '';
  };

  private readonly code: HTMLElement;
  private readonly rest = h('strong', { class: 'jp-agents-Approval-rest' });
  private readonly resized: ResizeObserver | null;
}

/** The lines of `node` that begin below what can be seen of it. */
function linesBelow(node: HTMLElement): number {
  const lines = node.querySelectorAll<HTMLElement>('.jp-agents-Exact-line');
  const bottom = node.getBoundingClientRect().bottom;
  let [seen, hidden] = [0, lines.length]; // lines[seen - 1] is seen, lines[hidden] is not
  while (seen < hidden) {
    const middle = (seen + hidden) >> 1;
    const isSeen = (lines[middle]?.getBoundingClientRect().top ?? 0) + PART_OF_A_LINE < bottom;
    [seen, hidden] = isSeen ? [middle + 1, hidden] : [seen, middle];
  }
  return lines.length - seen;
}

/** `48 lines, 2133 characters`, so that it is seen how much there is below. */
function sizeOf(code: string): string {
  const trans = translations();
  const lines = trans._n('%1 line', '%1 lines', countLines(code));
  return `${lines}, ${trans._n('%1 character', '%1 characters', code.length)}`;
}

function drawRemarks(remarks: readonly string[]): HTMLElement | false {
  const items = remarks.map(remark => h('li', {}, remark));
  return items.length > 0 && h('ul', { class: 'jp-agents-Approval-remarks' }, ...items);
}

/** What is known of the code before it runs; these are notes, no protection. */
function drawFacts(facts: ICodeFacts): HTMLElement | false {
  const trans = translations();
  const rows = [
    ...drawFact(trans.__('what it does'), facts.notes, 'jp-agents-mod-grave'),
    ...drawFact(trans.__('deletes'), facts.deletes, 'jp-agents-mod-grave'),
    ...drawFact(trans.__('reads'), facts.reads),
    ...drawFact(trans.__('sets'), facts.sets)
  ];
  return rows.length > 0 && h('dl', { class: 'jp-agents-Approval-facts' }, ...rows);
}

/** A row. What is `grave` has a sign and stronger words. */
function drawFact(verb: string, names: readonly string[], grave = ''): readonly HTMLElement[] {
  if (names.length === 0) {
    return [];
  }
  const shown = names.slice(0, MOST_NAMES).map(visible).join(', ');
  const more = names.length - MOST_NAMES;
  const text = more > 0 ? translations().__('%1 and %2 more', shown, more) : shown;
  return [h('dt', { class: grave || null }, verb), h('dd', { class: grave || null }, text)];
}
