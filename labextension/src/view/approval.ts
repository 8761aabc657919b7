/**
 * Leave to run code. It is given by a click or by Ctrl+Enter only, never by a key that was meant for something else: the
 * focus goes to the code, and a card that has just appeared does not run anything yet.
 */

import { Card, STRAY_KEY_MS, type IPrompt, type IPromptWires } from './card';
import { visible } from './characters';
import { CodeView } from './codeview';
import { button, h } from './dom';
import { CodeEditor } from './editor';
import { isComposing, wellFormed } from './field';
import { freshId } from './ids';
import type { IQuestion } from './protocol';
import { translations } from './strings';

/* eslint-disable jupyter-agents/translated-words -- names of languages */
const LANGUAGES: Readonly<Record<string, string>> = {
  python: 'Python',
  py: 'Python',
  sh: 'Shell',
  bash: 'Bash',
  shell: 'Shell'
};
/* eslint-enable jupyter-agents/translated-words */

/** What `jupyter_agents/agents/code_running.py` asks when there is nothing special. */
// eslint-disable-next-line jupyter-agents/translated-words -- what the kernel says, to be told apart
const PLAIN_QUESTION = 'Run this code?';

type Mode = 'read' | 'edit' | 'reject';

export class ApprovalPrompt implements IPrompt {
  readonly node: HTMLElement;

  constructor(
    private question: IQuestion,
    wires: IPromptWires
  ) {
    this.card = new Card('approval', wires);
    this.node = this.card.node;
    this.node.addEventListener('keydown', event => this.handleKey(event));
    this.describe();
    this.show('read');
  }

  /** Another text is another question: it is drawn anew, and what was begun with the old one is dropped. */
  update(question: IQuestion): void {
    const isSame = question.code === this.question.code && question.language === this.question.language;
    this.question = question;
    this.describe();
    if (!isSame && this.card.isOpen) {
      this.show('read');
    }
  }

  /** An edited text, or a reason. Neither fits another question. */
  get draft(): string {
    return this.mode === 'edit' && !this.editor?.isEdited ? '' : this.card.written;
  }

  offerDismissal(dismiss: () => void): void {
    this.card.offerDismissal(dismiss);
  }

  closed(by: 'me' | 'other' | 'nobody'): void {
    clearTimeout(this.guard);
    this.card.closed(by);
  }

  focus(): void {
    const place = { edit: this.editor, reject: this.reason, read: this.code }[this.mode];
    place?.focus({ preventScroll: true });
  }

  dispose(): void {
    clearTimeout(this.guard);
    this.code?.dispose();
    this.card.dispose();
  }

  private describe(): void {
    const trans = translations();
    const { sender, agent, remaining } = this.question;
    const people = [
      sender && trans.__('written by %1', visible(sender)),
      agent && trans.__('runs for %1', visible(agent))
    ];
    this.card.name(titleOf(this.question), people.filter(part => part !== '').join(' · '));
    this.card.count(remaining, trans.__('it is rejected'));
  }

  /** What is asked about is a call of a function: its arguments are shown as JSON. */
  private get isCall(): boolean {
    return this.question.language.toLowerCase() === 'json';
  }

  private show(mode: Mode): void {
    this.mode = mode;
    this.card.say('');
    this.card.hint.textContent = '';
    this.isArmed = false;
    clearTimeout(this.guard);
    this.guard = setTimeout(() => this.arm(), STRAY_KEY_MS);
    ({ read: () => this.read(), edit: () => this.edit(), reject: () => this.reject() })[mode]();
    this.primary?.setAttribute('aria-disabled', 'true');
  }

  private arm(): void {
    this.isArmed = true;
    this.primary?.removeAttribute('aria-disabled');
  }

  private read(): void {
    const trans = translations();
    this.always = h('input', { type: 'checkbox', id: freshId('always') });
    this.card.body.replaceChildren(this.drawCode().node);
    this.primary = this.runButton(this.isCall ? trans.__('Call') : trans.__('Run'));
    this.card.actions.replaceChildren(
      this.primary,
      button(this.isCall ? trans.__('Edit and call…') : trans.__('Edit and run…'), () => this.turn('edit')),
      button(trans.__('Reject…'), () => this.turn('reject')),
      ...this.drawEnd(),
      this.drawAlways()
    );
  }

  private edit(): void {
    const trans = translations();
    this.editor = new CodeEditor(this.question.code, this.question.language, text =>
      this.card.announce(text)
    );
    this.card.body.replaceChildren(this.editor.node);
    this.primary = this.runButton(
      this.isCall ? trans.__('Call with edited arguments') : trans.__('Run edited code')
    );
    this.card.actions.replaceChildren(
      this.primary,
      button(trans.__('Cancel'), () => this.turn('read')),
      ...this.drawEnd()
    );
  }

  private reject(): void {
    const trans = translations();
    const id = freshId('reason');
    const reason = h('textarea', { class: 'jp-agents-Field', id, rows: 2 });
    this.reason = reason;
    const keys = trans.__('Enter rejects, Shift+Enter begins a new line.');
    this.card.hint.textContent = keys;
    reason.setAttribute('aria-describedby', this.card.hint.id);
    this.card.body.replaceChildren(
      this.drawCode().node,
      h(
        'label',
        { class: 'jp-agents-Approval-label', for: id },
        trans.__('Why not? The model is told (you may leave it empty).')
      ),
      reason
    );
    this.primary = button(trans.__('Reject'), () => this.sendRejection(), 'jp-agents-mod-warn');
    this.card.actions.replaceChildren(
      this.primary,
      button(trans.__('Cancel'), () => this.turn('read')),
      ...this.drawEnd()
    );
  }

  private turn(mode: Mode): void {
    this.show(mode);
    this.focus();
  }

  private run(): void {
    if (!this.isArmed) {
      return;
    }
    if (this.mode === 'edit' && this.editor?.isEdited) {
      this.runEdited(this.editor.text);
    } else if (this.mode !== 'reject') {
      const trans = translations();
      const always = this.mode === 'read' && this.always?.checked === true;
      const told = this.isCall ? trans.__('The call is made.') : trans.__('The code runs.');
      this.card.answer({ action: 'run', text: '', ...(always && { always }) }, told);
    }
  }

  private runEdited(text: string): void {
    const trans = translations();
    const problem = this.isCall ? problemOf(text) : '';
    if (problem) {
      this.card.say(trans.__('These are no arguments yet: %1', problem));
      return;
    }
    const told = this.isCall
      ? trans.__('The call is made with the edited arguments.')
      : trans.__('The edited code runs.');
    this.card.answer({ action: 'edit', text }, told);
  }

  private sendRejection(): void {
    if (this.isArmed) {
      const text = wellFormed(this.reason?.value ?? '').trim();
      this.card.answer({ action: 'reject', text }, translations().__('Rejected.'));
    }
  }

  /** The way out is there whatever a person is about to answer, at the same end of the line. */
  private drawEnd(): readonly HTMLElement[] {
    const stop = button(translations().__('Stop the chat'), () => this.stop(), 'jp-agents-mod-warn');
    return [h('span', { class: 'jp-agents-Prompt-gap' }), stop];
  }

  private stop(): void {
    this.card.answer({ action: 'stop', text: '' }, translations().__('The chat stops.'));
  }

  private handleKey(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || isComposing(event) || event.repeat) {
      return;
    }
    const isCommand = event.ctrlKey || event.metaKey;
    if (this.mode === 'reject' && (isCommand || (event.target === this.reason && !event.shiftKey))) {
      event.preventDefault();
      this.sendRejection();
    } else if (isCommand) {
      event.preventDefault();
      this.run();
    }
  }

  private runButton(label: string): HTMLButtonElement {
    const node = button(label, () => this.run(), 'jp-agents-mod-accept');
    node.append(
      h(
        'kbd',
        { class: 'jp-agents-Key', 'aria-hidden': 'true' },
        isMac() ? '⌘↵' : translations().__('Ctrl ↵')
      )
    );
    node.setAttribute('aria-keyshortcuts', isMac() ? 'Meta+Enter' : 'Control+Enter');
    return node;
  }

  private drawCode(): CodeView {
    const { code, language, facts } = this.question;
    this.code?.dispose();
    return (this.code = new CodeView(code, language, facts));
  }

  private drawAlways(): HTMLElement {
    const trans = translations();
    const id = freshId('meaning');
    this.always?.setAttribute('aria-describedby', id);
    return h(
      'div',
      { class: 'jp-agents-Approval-always' },
      h('label', {}, this.always ?? null, this.alwaysLabel()),
      h(
        'span',
        { class: 'jp-agents-Approval-note', id },
        trans.__('Until the kernel restarts. If so much as a space differs, you are asked.')
      )
    );
  }

  private alwaysLabel(): string {
    const { __ } = translations();
    return this.isCall
      ? __('Call it, and do not ask again for exactly this call')
      : __('Run it, and do not ask again for exactly this text');
  }

  private readonly card: Card;
  private mode: Mode = 'read';
  private isArmed = false;
  private guard: ReturnType<typeof setTimeout> | undefined;
  private primary: HTMLButtonElement | null = null;
  private code: CodeView | null = null;
  private editor: CodeEditor | null = null;
  private reason: HTMLTextAreaElement | null = null;
  private always: HTMLInputElement | null = null;
}

/** The plain question is asked in the language of the page, with that of the code; another one is asked as it is. */
function titleOf(question: IQuestion): string {
  const { text, language } = question;
  if (text.trim() !== '' && text !== PLAIN_QUESTION) {
    return text.trim();
  }
  const name = LANGUAGES[language.toLowerCase()] ?? visible(language);
  return name === '' ? translations().__('Run this code?') : translations().__('Run this %1 code?', name);
}

/** Why a text is no arguments of a call; `''` when it is. */
function problemOf(text: string): string {
  try {
    const found: unknown = JSON.parse(text);
    const isObject = typeof found === 'object' && found !== null && !Array.isArray(found);
    return isObject ? '' : translations().__('they must be a JSON object: names and values in braces');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isMac(): boolean {
  return /Mac|iP(?:hone|ad|od)/.test(navigator.platform);
}
