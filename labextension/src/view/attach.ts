/** The variables that go with a message: a button to find one, a removable chip for each, and what will be sent. */

import type { Look } from './card';
import { Completer, type IOption } from './complete';
import { button, h } from './dom';
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
}

export class Attachments {
  readonly chips = h('ul', { class: 'jp-agents-Attached', hidden: true });
  readonly picker: HTMLElement;
  readonly attach: HTMLButtonElement;
  readonly preview: Preview;

  constructor(private readonly wires: IAttachmentWires) {
    const trans = translations();
    this.chips.setAttribute('aria-label', trans.__('Attached variables'));
    this.attach = button(trans.__('Attach a variable'), () => this.toggle(), 'jp-agents-mod-quiet');
    this.attach.setAttribute('aria-expanded', 'false');
    this.preview = new Preview(wires.look, () => ({ text: wires.text(), attached: this.names }));
    this.completer = new Completer(this.input, {
      label: trans.__('Variables'),
      find: text => ({ from: 0, to: text.length, word: text.trim() }),
      search: word => searchVariables(wires.look, word),
      choose: option => this.pick(option),
      announce: wires.announce
    });
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
}

/** Variables of the user whose names begin with `word`. */
export async function searchVariables(look: Look, word: string): Promise<readonly IOption[]> {
  return (await look({ prefix: word, text: '', attached: [] })).names;
}
