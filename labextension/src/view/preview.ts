/** What will be sent: the text of a message with the values of its variables, as the kernel will write it. */

import type { Look } from './card';
import { h } from './dom';
import { freshId } from './ids';
import { translations } from './strings';

const PAUSE_MS = 400;
/** A text of this size is not sent to the kernel at each pause of typing: only when the preview is opened. */
const LONG = 50_000;
const SHOWN = 20_000;
/** A kernel that is busy may not answer before the message is sent: nothing waits for it longer. */
const PATIENCE_MS = 3000;

export interface IDraft {
  readonly text: string;
  readonly attached: readonly string[];
}

export class Preview {
  readonly node: HTMLDetailsElement;

  constructor(
    private readonly look: Look,
    private readonly draft: () => IDraft
  ) {
    const id = freshId('preview');
    this.node = h(
      'details',
      { class: 'jp-agents-Preview' },
      h('summary', { id, onclick: () => void this.opening() }, translations().__('What will be sent')),
      this.text
    );
    this.text.setAttribute('aria-labelledby', id);
  }

  /** Whether the values of all these variables have been on show (or the kernel could not tell them). */
  hasShown(attached: readonly string[]): boolean {
    return attached.every(name => this.shown.has(name));
  }

  /** Open it and show the text as it is now. */
  async show(): Promise<void> {
    this.node.open = true;
    await this.refresh();
  }

  /** What is written has changed: look again when the typing pauses. */
  refreshSoon(): void {
    clearTimeout(this.pause);
    if (this.node.open && this.draft().text.length <= LONG) {
      this.pause = setTimeout(() => void this.refresh(), PAUSE_MS);
    }
  }

  /** All was sent: the values must be on show before they go again, as they may have changed. */
  forget(): void {
    clearTimeout(this.pause);
    this.looks += 1;
    this.shown.clear();
    this.text.textContent = '';
    this.node.open = false;
  }

  dispose(): void {
    clearTimeout(this.pause);
    this.looks += 1;
  }

  /** A click comes before what it does. */
  private async opening(): Promise<void> {
    if (!this.node.open) {
      await this.refresh();
    }
  }

  private async refresh(): Promise<void> {
    clearTimeout(this.pause);
    this.looks += 1;
    const look = this.looks;
    const { text, attached } = this.draft();
    this.node.setAttribute('aria-busy', 'true');
    const seen = await soon(this.look({ prefix: null, text, attached }));
    if (look === this.looks) {
      this.draw(seen, attached);
    }
  }

  private draw(text: string | null, attached: readonly string[]): void {
    this.node.removeAttribute('aria-busy');
    this.text.textContent = shortened(
      text ?? translations().__('The kernel is busy and cannot show the values now.')
    );
    attached.forEach(name => this.shown.add(name));
  }

  private readonly text = h('pre', { class: 'jp-agents-Preview-text', tabindex: 0, role: 'group' });
  private readonly shown = new Set<string>();
  private pause: ReturnType<typeof setTimeout> | undefined;
  private looks = 0;
}

/** The text of `seen`, or `null` when there is none in time. */
async function soon(seen: ReturnType<Look>): Promise<string | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>(resolve => (timer = setTimeout(() => resolve(null), PATIENCE_MS)));
  const text = await Promise.race([
    seen.then(
      answer => answer.text,
      () => null
    ),
    late
  ]);
  clearTimeout(timer);
  return text;
}

function shortened(text: string): string {
  return text.length <= SHOWN
    ? text
    : text.slice(0, SHOWN) + translations().__('… and %1 more characters', text.length - SHOWN);
}
