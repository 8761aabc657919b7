/**
 * Code that waits for leave to run stands in its question exactly as it is. The message above holds the same text: its
 * block is folded meanwhile, so that a page does not show all of it twice.
 */

import { h } from './dom';
import type { IQuestion } from './protocol';
import { translations } from './strings';

const FOLDED = 'jp-agents-mod-shownBelow';

export class ShownBelow {
  private folded = new Map<Element, Element>();

  /** Fold the blocks of the last messages that `questions` show as well, and unfold all others. */
  show(messages: Element, questions: readonly IQuestion[]): void {
    const asked = questions.filter(({ kind }) => kind === 'approval').map(({ code }) => essence(code));
    if (asked.length === 0 && this.folded.size === 0) {
      return;
    }
    const last = [...messages.querySelectorAll(':scope > .jp-agents-Message')].at(-1);
    const blocks = asked.length > 0 && last ? [...last.querySelectorAll('.jp-agents-Code')] : [];
    const repeated = new Set(blocks.filter(block => asked.includes(textOf(block))));
    [...this.folded.keys()].filter(block => !repeated.has(block)).forEach(block => this.unfold(block));
    repeated.forEach(block => this.fold(block));
  }

  private fold(block: Element): void {
    if (this.folded.has(block)) {
      return;
    }
    const note = h('span', { class: 'jp-agents-Code-below' }, translations().__('shown below'));
    block.querySelector('.jp-agents-Code-label')?.after(note);
    block.classList.add(FOLDED);
    this.folded.set(block, note);
  }

  private unfold(block: Element): void {
    this.folded.get(block)?.remove();
    this.folded.delete(block);
    block.classList.remove(FOLDED);
  }
}

function textOf(block: Element): string {
  return essence(block.querySelector('code')?.textContent ?? '');
}

/** Without the line break at the end; the arguments of a call are set out in different ways. */
function essence(code: string): string {
  try {
    return JSON.stringify(JSON.parse(code));
  } catch {
    return code.replace(/\r\n?/g, '\n').trimEnd();
  }
}
