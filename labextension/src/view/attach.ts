/** The variables that go with a message: a button to find one, a removable chip for each, and what will be sent. */

import type { Look } from './card';
import { Completer, type IOption } from './complete';
import { button, h } from './dom';
import { Mentions, mentionsIn } from './mentions';
import { Preview } from './preview';
import { translations } from './strings';

export interface IAttachmentWires {
  readonly look: Look;
  /** What is written in the field. */
  text(): string;
  announce(text: string): void;
  /** Give the focus to the field. */
  focus(): void;
  changed(): void;
  /** Whether a name that is mentioned is no variable's, whatever the kernel knows. */
  isTaken?(name: string): boolean;
}

export class Attachments {
  readonly chips = h('ul', { class: 'jp-agents-Attached', hidden: true });
  readonly picker: HTMLElement;
  readonly attach: HTMLButtonElement;
  readonly preview: Preview;

  constructor(private readonly wires: IAttachmentWires) {
    const trans = translations();
    this.chips.setAttribute('aria-label', trans.__('Attached variables'));
    this.attach = button(trans.__('Attach a variable'), () => this.toggle());
    this.attach.setAttribute('aria-expanded', 'false');
    this.preview = new Preview(wires.look, () => ({ text: wires.text(), attached: this.names }));
    this.completer = new Completer(this.input, {
      label: trans.__('Variables'),
      find: text => ({ from: 0, to: text.length, word: text.trim() }),
      search: word => searchVariables(wires.look, word),
      choose: option => this.pick(option),
      announce: wires.announce
    });
    this.mentions = new Mentions(wires.look);
    this.picker = this.drawPicker();
  }

  get names(): readonly string[] {
    return this.attached;
  }

  add(name: string): void {
    if (!this.attached.includes(name)) {
      this.attached = [...this.attached, name];
      this.draw();
      this.wires.announce(translations().__('%1 is attached', name));
    }
    void this.preview.show();
  }

  /** Something was written: names that stand there in full, with something after them, are attached. */
  written(): void {
    this.preview.refreshSoon();
    const text = this.wires.text();
    this.drop(text);
    const names = this.mentioned(text.replace(/@[^\s@]*$/, '')); // the last one may still grow
    if (names.length > 0) {
      void this.mentions.learn(names).then(() => this.attachMentioned(names));
    }
  }

  /** Whether it is known of all names in the text what they are. */
  get isSettled(): boolean {
    return this.mentions.unknown(this.mentioned(this.wires.text())).length === 0;
  }

  /** See what all names in the text are, also the last one; those of which the kernel does not say it stay text. */
  async settle(): Promise<'known' | 'silent'> {
    const names = this.mentioned(this.wires.text());
    const isAnswered = await this.mentions.learn(names);
    this.mentions.unknown(names).forEach(name => this.mentions.leave(name));
    this.attachMentioned(names);
    return isAnswered ? 'known' : 'silent';
  }

  private mentioned(text: string): readonly string[] {
    return mentionsIn(text).filter(name => !this.wires.isTaken?.(name));
  }

  private attachMentioned(names: readonly string[]): void {
    const still = this.mentioned(this.wires.text());
    for (const name of names.filter(one => this.mentions.isVariable(one) && still.includes(one))) {
      if (!this.attached.includes(name)) {
        this.typed.add(name);
        this.add(name);
      }
    }
  }

  /** What was attached because it stood in the text goes with it. */
  private drop(text: string): void {
    const still = this.mentioned(text);
    const gone = [...this.typed].filter(name => !still.includes(name));
    gone.forEach(name => this.typed.delete(name));
    if (gone.length > 0) {
      this.attached = this.attached.filter(name => !gone.includes(name));
      this.draw();
    }
  }

  /** Whether it can be sent; when values in it have not been on show, they are shown instead. */
  isReady(): boolean {
    if (this.preview.hasShown(this.attached)) {
      return true;
    }
    void this.preview.show();
    return false;
  }

  clear(): void {
    this.attached = [];
    this.typed.clear();
    this.mentions.forget();
    this.draw();
    this.preview.forget();
  }

  dispose(): void {
    this.completer.dispose();
    this.preview.dispose();
  }

  private drawPicker(): HTMLElement {
    const trans = translations();
    this.input.setAttribute('aria-label', trans.__('Name of a variable'));
    this.input.placeholder = trans.__('Name of a variable');
    this.input.addEventListener('keydown', event => this.handleKey(event));
    return h('div', { class: 'jp-agents-Picker', hidden: true }, this.input, this.completer.list);
  }

  private handleKey(event: KeyboardEvent): void {
    if (event.key === 'Escape' && !event.isComposing) {
      event.preventDefault();
      event.stopPropagation(); // this closes the picker; it does not leave the prompt
      this.toggle();
    } else if (!event.isComposing && !this.completer.handleKey(event) && event.key === 'Enter') {
      event.preventDefault();
      this.wires.announce(translations().__('No variable is called so'));
    }
  }

  private toggle(): void {
    const isOpening = this.picker.hidden;
    this.picker.hidden = !isOpening;
    this.attach.setAttribute('aria-expanded', String(isOpening));
    this.input.value = '';
    if (isOpening) {
      this.input.focus();
      this.completer.look();
    } else {
      this.wires.focus();
    }
  }

  private pick(option: IOption): void {
    this.toggle();
    this.add(option.name);
  }

  private remove(name: string): void {
    const at = this.attached.indexOf(name);
    this.attached = this.attached.filter(other => other !== name);
    this.typed.delete(name);
    this.mentions.leave(name);
    this.draw();
    this.preview.refreshSoon();
    this.wires.announce(translations().__('%1 is not attached any more', name));
    const next = this.chips.querySelectorAll('button')[Math.min(at, this.attached.length - 1)];
    if (next) {
      next.focus();
    } else {
      this.wires.focus();
    }
  }

  private draw(): void {
    this.chips.hidden = this.attached.length === 0;
    this.chips.replaceChildren(...this.attached.map(name => this.drawChip(name)));
    this.wires.changed();
  }

  private drawChip(name: string): HTMLElement {
    const remove = button('×', () => this.remove(name), 'jp-agents-mod-remove');
    remove.setAttribute('aria-label', translations().__('Remove %1', name));
    return h('li', { class: 'jp-agents-Attached-name' }, h('code', {}, name), remove);
  }

  private readonly input = h('input', {
    class: 'jp-agents-Field',
    type: 'text',
    role: 'combobox',
    'aria-expanded': 'false',
    autocomplete: 'off',
    spellcheck: 'false'
  });
  private readonly completer: Completer;
  private attached: readonly string[] = [];
  /** Those of the attached that are so because they stand in the text. */
  private readonly typed = new Set<string>();
  private readonly mentions: Mentions;
}

/** Variables of the user whose names begin with `word`. */
export async function searchVariables(look: Look, word: string): Promise<readonly IOption[]> {
  return (await look({ prefix: word, text: '', attached: [] })).names;
}
