/** A question that is answered with text: the three answers of the classic prompt, by keys or as buttons. */

import { Attachments } from './attach';
import { canEnd, Card, type IPrompt, type IPromptWires } from './card';
import { Completer, findMention, type IFragment, type IOption } from './complete';
import { searchVariables } from './attach';
import { button, h } from './dom';
import { visible } from './exact';
import { TextField } from './field';
import type { IQuestion } from './protocol';
import { translations } from './strings';

/** The sentences of the classic prompt (`jupyter_agents/termination.py`): what they explain is shown as buttons here. */
const CLASSIC = /^(?:Provide|Please give) feedback to ([^]+?)\. Press enter [^]*conversation: *$/;
/** The word that ends a chat, as the classic prompt has it. */
const EXIT = 'exit';

export class ReplyPrompt implements IPrompt {
  readonly node: HTMLElement;

  constructor(
    private question: IQuestion,
    wires: IPromptWires
  ) {
    this.card = new Card('text', wires);
    this.node = this.card.node;
    this.field = this.createField();
    this.attachments = this.createAttachments(wires);
    this.completer = this.createCompleter(wires);
    this.assemble();
    this.update(question);
  }

  update(question: IQuestion): void {
    this.question = question;
    this.card.name(titleOf(question), asideOf(question));
    this.card.hint.textContent = hintOf(question);
    this.card.count(question.remaining, consequenceOf(question));
    this.enable();
  }

  get draft(): string {
    return this.field.node.value;
  }

  resume(draft: string): void {
    if (this.card.isOpen && this.draft === '') {
      this.field.text = draft;
      this.card.say(translations().__('What you had begun to write is here again.'));
    }
  }

  offerDismissal(dismiss: () => void): void {
    this.card.offerDismissal(dismiss);
  }

  closed(by: 'me' | 'other' | 'nobody'): void {
    this.completer.close();
    this.card.closed(by);
  }

  focus(): void {
    this.card.seen();
    this.field.node.focus({ preventScroll: true });
  }

  dispose(): void {
    this.field.dispose();
    this.completer.dispose();
    this.attachments.dispose();
    this.card.dispose();
  }

  /** Enter: with nothing written it means what an empty answer means to this question. */
  private send(): void {
    const text = this.field.text;
    const attached = this.attachments.names;
    const isEmpty = text === '' && attached.length === 0;
    if (isEmpty && this.card.isFresh) {
      return; // an Enter that was meant for something else skips nothing
    }
    if (!this.attachments.isSettled) {
      void this.settle();
      return;
    }
    if (!this.attachments.isReady()) {
      this.card.say(translations().__('Look at what will be sent, then send it.'));
      return;
    }
    this.field.remember();
    this.answer(text, isEmpty ? toldOfEmpty(this.question) : translations().__('Sent.'), attached);
  }

  /** See what the names in the text are, then send it, or show what will be sent. */
  private async settle(): Promise<void> {
    const { field } = this;
    const [text, found] = [field.text, await this.attachments.settle()];
    if (found === 'silent') {
      this.card.say(busyText());
    } else if (this.card.isOpen && field.text === text) {
      this.send();
    }
  }

  private answer(text: string, told: string, attached: readonly string[] = []): void {
    this.card.answer(
      attached.length > 0 ? { action: 'reply', text, attached } : { action: 'reply', text },
      told
    );
  }

  private assemble(): void {
    const { card, attachments } = this;
    card.body.append(this.field.node, this.completer.list, attachments.chips, attachments.picker);
    card.actions.append(
      this.reply,
      ...this.automatic(),
      attachments.attach,
      h('span', { class: 'jp-agents-Prompt-gap' }),
      ...this.ending()
    );
    card.actions.after(attachments.preview.node);
  }

  private automatic(): readonly HTMLElement[] {
    const trans = translations();
    const auto = button(trans.__('Use auto-reply'), () =>
      this.answer('', trans.__('The automatic reply is used.'))
    );
    return this.question.empty === 'auto' ? [auto] : [];
  }

  /** At the end of the line, apart from what goes on with the chat. */
  private ending(): readonly HTMLElement[] {
    const trans = translations();
    const end = button(
      trans.__('End the chat'),
      () => this.answer(EXIT, trans.__('The chat ends.')),
      'jp-agents-mod-warn'
    );
    return canEnd(this.question) ? [end] : [];
  }

  private createField(): TextField {
    return new TextField({
      labelledBy: this.card.titleId,
      describedBy: this.card.hint.id,
      seat: this.question.agent,
      send: () => this.card.isOpen && this.send(),
      changed: () => this.written(),
      intercept: event => this.completer.handleKey(event)
    });
  }

  private createAttachments(wires: IPromptWires): Attachments {
    return new Attachments({
      look: request => wires.look(request),
      text: () => this.field.text,
      announce: text => this.card.announce(text),
      focus: () => this.focus(),
      changed: () => this.enable()
    });
  }

  private createCompleter(wires: IPromptWires): Completer {
    return new Completer(this.field.node, {
      label: translations().__('Variables'),
      find: findMention,
      search: word => searchVariables(request => wires.look(request), word),
      choose: (option, fragment) => this.mention(option, fragment),
      announce: text => this.card.announce(text)
    });
  }

  private mention(option: IOption, fragment: IFragment): void {
    this.field.replace(fragment.from, fragment.to, `\`${option.name}\` `);
    this.attachments.add(option.name);
  }

  private written(): void {
    this.enable();
    this.attachments.written();
  }

  /** With nothing to send, the other buttons say what an empty answer means. */
  private enable(): void {
    const isEmpty = this.field.node.value === '' && this.attachments.names.length === 0;
    this.reply.disabled = !this.card.isOpen || (isEmpty && this.question.empty !== 'send');
    this.reply.textContent =
      this.question.empty === 'send' ? translations().__('Send') : translations().__('Reply');
  }

  private readonly card: Card;
  private readonly field: TextField;
  private readonly attachments: Attachments;
  private readonly completer: Completer;
  private readonly reply = button('', () => this.send(), 'jp-agents-mod-accept');
}

/** Why a text was not sent at once: it may be that a name in it is a variable's. */
export function busyText(): string {
  return translations().__('The kernel is busy: names after @ would go as text. Send again to send it so.');
}

/** What is asked, in a line: the classic sentence is mostly about keys. */
export function titleOf(question: IQuestion): string {
  const classic = CLASSIC.exec(question.text)?.[1];
  if (classic === undefined && question.text.trim() !== '') {
    return question.text.trim();
  }
  return translations().__('Your reply to %1', visible(question.sender || (classic ?? '')));
}

/** For whom the person answers: several seats may ask at once. */
export function asideOf(question: IQuestion): string {
  return question.agent === '' ? '' : translations().__('as %1', visible(question.agent));
}

function hintOf(question: IQuestion): string {
  const trans = translations();
  const keys = trans.__('Enter sends, Shift+Enter begins a new line.');
  const empty = {
    auto: trans.__('Enter on an empty field uses the automatic reply; the word exit ends the chat.'),
    end: trans.__('Enter on an empty field or the word exit ends the chat.'),
    send: ''
  }[question.empty];
  return `${keys} ${empty}`.trim();
}

function toldOfEmpty(question: IQuestion): string {
  const trans = translations();
  return {
    auto: trans.__('The automatic reply is used.'),
    end: trans.__('The chat ends.'),
    send: trans.__('An empty answer is sent.')
  }[question.empty];
}

/** What happens when the time is up, as a clause. */
export function consequenceOf(question: IQuestion): string {
  const trans = translations();
  const { otherwise, empty } = question;
  if (otherwise === '' && empty === 'send') {
    return trans.__('an empty answer is sent');
  }
  if (otherwise === '' && empty === 'auto') {
    return trans.__('the automatic reply is used');
  }
  if ((otherwise === '' || otherwise === EXIT) && empty !== 'send') {
    return trans.__('the chat ends');
  }
  return trans.__('the answer is “%1”', visible(otherwise));
}
