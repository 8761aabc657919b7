/**
 * Code as it is, to decide on: every line numbered, nothing folded, nothing invisible, and all of it in the order in which
 * it is read. Chips stand for characters that show nothing.
 */

import { codePoint, nameOf, SPECIAL, visible } from './characters';
import { h } from './dom';
import { highlighted } from './highlight';

export { visible };

/** So many chips are elements; in a text that is nearly all hidden characters the others are written out. */
const MOST_CHIPS = 2000;
const REPEATED = 3;

/** A stretch of code in one colour, up to `to`. */
interface IRun {
  readonly to: number;
  readonly className: string;
}

/** `code` as numbered lines. The numbers are no part of its text. */
export function drawExact(code: string, language: string): HTMLElement {
  return new ExactText(code, runsOf(code, language)).node;
}

/** How many lines `code` has, as they are numbered. */
export function countLines(code: string): number {
  const lines = code.replace(/(?:\r?\n)+$/, '');
  return (lines.match(/\n|\r(?!\n)/g)?.length ?? 0) + (/\r$/.test(lines) ? 0 : 1);
}

class ExactText {
  readonly node = h('code', { class: 'jp-agents-Exact' });

  constructor(
    private readonly code: string,
    private readonly runs: readonly IRun[]
  ) {
    this.line = this.begin();
    for (const match of code.matchAll(SPECIAL)) {
      this.write(match.index);
      this.special(match[0], match[2]);
      this.at = match.index + match[0].length;
    }
    this.write(code.length);
    this.trim();
  }

  /** What ends with line breaks has no lines after them: nothing stands there, and nothing runs. */
  private trim(): void {
    const isEmpty = (line: Element | null): boolean => /^\n?$/.test(line?.textContent ?? 'x');
    while (this.node.childElementCount > 1 && isEmpty(this.node.lastElementChild)) {
      this.node.lastElementChild?.remove();
    }
  }

  /** The text up to `to`, in its colours. */
  private write(to: number): void {
    while (this.at < to) {
      const run = this.runs[this.run];
      const end = Math.min(to, run?.to ?? to);
      const text = this.code.slice(this.at, end);
      this.line.append(run?.className ? h('span', { class: run.className }, text) : text);
      this.at = end;
      this.run += run !== undefined && end === run.to ? 1 : 0;
    }
  }

  private special(text: string, hidden: string | undefined): void {
    const end = this.at + text.length;
    while ((this.runs[this.run]?.to ?? Infinity) <= end) {
      this.run += 1;
    }
    if (hidden === undefined) {
      this.line.append('\n');
      this.line = this.begin();
    } else if (hidden === '\r') {
      this.breakAtReturns(text.length); // Python ends a line there, and so would a page that showed it
    } else {
      this.hide(hidden, text.length / hidden.length);
    }
  }

  private breakAtReturns(count: number): void {
    for (let n = 0; n < count; n++) {
      this.hide('\r', 1);
      this.line = this.begin();
    }
  }

  private hide(character: string, count: number): void {
    const repeats = count > REPEATED ? 1 : count;
    const label = codePoint(character) + (count > REPEATED ? ` × ${count}` : '');
    for (let n = 0; n < repeats; n++) {
      this.chips += 1;
      this.line.append(this.chips > MOST_CHIPS ? `⟨${label}⟩` : drawChip(label, nameOf(character)));
    }
  }

  private begin(): HTMLElement {
    this.lines += 1;
    const line = h('span', { class: 'jp-agents-Exact-line', 'data-line': this.lines });
    this.node.append(line);
    return line;
  }

  private line: HTMLElement;
  private at = 0;
  private run = 0;
  private lines = 0;
  private chips = 0;
}

function drawChip(label: string, name: string): HTMLElement {
  return h('span', { class: 'jp-agents-Exact-hidden', title: name }, label);
}

/** The colours of `code`: none when the highlighter has changed so much as a character of it. */
function runsOf(code: string, language: string): readonly IRun[] {
  const coloured = highlighted(code, language);
  if (coloured.textContent !== code) {
    return [];
  }
  let at = 0;
  return [...coloured.childNodes].map(node => {
    at += node.textContent?.length ?? 0;
    return { to: at, className: node instanceof HTMLElement ? node.className : '' };
  });
}
