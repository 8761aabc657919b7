/** A field for text of several lines: it grows, Enter sends, and the arrow keys at its edges bring back earlier texts. */

import { h } from './dom';
import { TextHistory } from './history';

const MOST_LINES = 12;
/** Measuring how high a text is takes the longer the longer it is; one of this size is as high as the field gets. */
const MEASURED_LENGTH = 5000;

export interface IFieldOptions {
  readonly labelledBy?: string;
  readonly label?: string;
  readonly describedBy?: string;
  readonly placeholder?: string;
  readonly seat: string;
  send(): void;
  changed?(): void;
  /** Sees a key before the field does; `true` when that was all there was to it. */
  intercept?(event: KeyboardEvent): boolean;
}

export class TextField {
  readonly node: HTMLTextAreaElement;

  constructor(private readonly options: IFieldOptions) {
    this.history = new TextHistory(options.seat);
    this.node = h('textarea', {
      class: 'jp-agents-Field',
      rows: 2,
      'aria-labelledby': options.labelledBy ?? null,
      'aria-label': options.label ?? null,
      'aria-describedby': options.describedBy ?? null,
      placeholder: options.placeholder ?? null,
      onkeydown: (event: KeyboardEvent) => this.handleKey(event),
      oninput: () => this.changed()
    });
  }

  /** What is written, with U+FFFD for halves of characters: those cannot be sent. */
  get text(): string {
    return wellFormed(this.node.value);
  }

  /** Another text, with the caret at its end. */
  set text(text: string) {
    this.node.value = text;
    this.node.setSelectionRange(text.length, text.length);
    this.changed();
  }

  /** Put `text` in place of what stands between two offsets. */
  replace(from: number, to: number, text: string): void {
    this.node.setRangeText(text, from, to, 'end');
    this.changed();
  }

  /** What is written has been sent: it can be brought back. */
  remember(): void {
    this.history.add(this.text);
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  private changed(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.grow());
    this.options.changed?.();
  }

  private grow(): void {
    const isLong = this.node.value.length > MEASURED_LENGTH;
    this.node.rows = isLong ? MOST_LINES : 2;
    this.node.style.height = '';
    if (!isLong && this.node.scrollHeight > this.node.clientHeight) {
      const border = this.node.offsetHeight - this.node.clientHeight;
      this.node.style.height = `${this.node.scrollHeight + border}px`; // the style sheet says how far this goes
    }
  }

  private handleKey(event: KeyboardEvent): void {
    if (isComposing(event) || this.options.intercept?.(event)) {
      return;
    }
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      if (!event.repeat) {
        this.options.send(); // a key that is still held down from elsewhere answers nothing
      }
    } else if ((event.key === 'ArrowUp' || event.key === 'ArrowDown') && hasNoModifier(event)) {
      this.recallAtEdge(event.key);
    }
  }

  /** Whether the caret can still move that way is the browser's to say (lines wrap): it has moved, or this is the edge. */
  private recallAtEdge(key: 'ArrowUp' | 'ArrowDown'): void {
    const { selectionStart, selectionEnd } = this.node;
    requestAnimationFrame(() => {
      const stayed = this.node.selectionStart === selectionStart && this.node.selectionEnd === selectionEnd;
      if (stayed && selectionStart === selectionEnd) {
        this.recall(key);
      }
    });
  }

  private recall(key: 'ArrowUp' | 'ArrowDown'): void {
    const text = key === 'ArrowUp' ? this.history.older(this.node.value) : this.history.newer();
    if (text === null) {
      return;
    }
    this.text = text;
    const caret = key === 'ArrowUp' ? 0 : text.length;
    this.node.setSelectionRange(caret, caret);
  }

  private readonly history: TextHistory;
  private frame = 0;
}

/** `text` with U+FFFD in place of lone surrogates, which UTF-8 cannot carry. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** Whether this key belongs to an input method (229 is what browsers send that end the composition first). */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

function hasNoModifier(event: KeyboardEvent): boolean {
  return !(event.shiftKey || event.altKey || event.ctrlKey || event.metaKey);
}
