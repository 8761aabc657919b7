/** A field for code that is edited before it runs. Tab indents; Escape and then Tab leaves, so it is no trap. */

import { remarksOn } from './characters';
import { h } from './dom';
import { isComposing, wellFormed } from './field';
import { freshId } from './ids';
import { DiffFold } from './lineDiff';
import { translations } from './strings';

const INDENT = '    ';
const MOST_ROWS = 24;
/** How long nothing must be typed until it is compared, in milliseconds. */
const PAUSE = 150;

export class CodeEditor {
  readonly node: HTMLElement;

  constructor(
    private readonly code: string,
    private readonly language: string,
    private readonly announce: (text: string) => void
  ) {
    const trans = translations();
    this.hint.textContent = trans.__('Tab indents; Escape, then Tab, leaves the field.');
    this.field.setAttribute(
      'aria-label',
      language === 'json' ? trans.__('Arguments, to edit') : trans.__('Code, to edit')
    );
    this.field.setAttribute('aria-describedby', this.hint.id);
    this.field.value = code;
    this.field.rows = Math.min(MOST_ROWS, code.split('\n', MOST_ROWS).length + 1);
    const bar = h('div', { class: 'jp-agents-Approval-bar' }, this.mark, this.hint);
    this.node = h(
      'div',
      { class: 'jp-agents-Approval-code' },
      bar,
      this.field,
      this.changes.node,
      this.remarks
    );
    this.compare();
  }

  /** The code as it is now; half characters cannot be sent. */
  get text(): string {
    return this.isEdited ? wellFormed(this.field.value) : this.code;
  }

  /** A text area has its own line ends: those alone are no change. */
  get isEdited(): boolean {
    return this.field.value !== this.code.replace(/\r\n?/g, '\n');
  }

  focus(): void {
    this.field.focus({ preventScroll: true });
    this.field.setSelectionRange(0, 0);
    this.field.scrollTop = 0;
  }

  private compare(): void {
    const trans = translations();
    this.mark.textContent = this.isEdited ? trans.__('Edited') : trans.__('Not edited yet');
    this.mark.classList.toggle('jp-agents-mod-edited', this.isEdited);
    const remarks = remarksOn(this.field.value, this.language);
    this.remarks.replaceChildren(...remarks.map(remark => h('li', {}, remark)));
    this.remarks.hidden = remarks.length === 0;
  }

  /** What is said of the changes waits for a pause: it is read out, and to compare takes time. */
  private compareSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.changes.show(this.code, this.field.value), PAUSE);
    this.compare();
  }

  private handleKey(event: KeyboardEvent): void {
    if (isComposing(event) || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === 'Tab' && !event.shiftKey && !this.isLeaving) {
      event.preventDefault();
      this.insert(INDENT);
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.insert(`\n${this.indentation()}`);
    } else if (event.key === 'Escape' && !this.isLeaving) {
      event.preventDefault();
      this.announce(translations().__('Tab now leaves the field.'));
    }
    this.isLeaving = event.key === 'Escape' || (this.isLeaving && event.key === 'Shift');
  }

  private indentation(): string {
    const before = this.field.value.slice(0, this.field.selectionStart);
    const line = before.slice(before.lastIndexOf('\n') + 1);
    return /^[ \t]*/.exec(line)?.[0] ?? '';
  }

  /** The old command is the only way to write into a text area that its undo knows of. */
  private insert(text: string): void {
    const isWritten =
      typeof document.execCommand === 'function' && document.execCommand('insertText', false, text);
    if (!isWritten) {
      this.field.setRangeText(text, this.field.selectionStart, this.field.selectionEnd, 'end');
      this.compareSoon();
    }
  }

  private readonly field = h('textarea', {
    class: 'jp-agents-Field jp-agents-mod-code',
    spellcheck: 'false',
    autocapitalize: 'off',
    autocomplete: 'off',
    onkeydown: (event: KeyboardEvent) => this.handleKey(event),
    oninput: () => this.compareSoon()
  });
  private readonly mark = h('span', { class: 'jp-agents-Approval-mark', role: 'status' });
  private readonly hint = h('span', { class: 'jp-agents-Approval-note', id: freshId('editing') });
  private readonly remarks = h('ul', { class: 'jp-agents-Approval-remarks' });
  private readonly changes = new DiffFold();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isLeaving = false;
}
