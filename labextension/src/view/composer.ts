/** The box of a chat in which people write at any time: to whom it goes, `@` completion, variables, what will be sent. */

import { Attachments, searchVariables } from './attach';
import type { Look } from './card';
import { Completer, findMention, type IFragment, type IOption } from './complete';
import { Departure } from './departure';
import { button, h } from './dom';
import { visible } from './exact';
import { TextField } from './field';
import type { IHost } from './host';
import { freshId } from './ids';
import type { IComposer } from './protocol';
import { busyText } from './reply';
import { translations } from './strings';

export interface IComposerWires {
  say(to: string, text: string, attached: readonly string[]): void;
  look: Look;
}

export interface IComposerView {
  readonly node: HTMLElement;
  update(state: IComposer): void;
  focus(): void;
  dispose(): void;
}

export function createComposer(state: IComposer, _host: IHost, wires: IComposerWires): IComposerView {
  return new Composer(state, wires);
}

class Composer implements IComposerView {
  readonly node: HTMLElement;

  constructor(
    private state: IComposer,
    private readonly wires: IComposerWires
  ) {
    this.field = this.createField();
    this.attachments = this.createAttachments();
    this.completer = this.createCompleter();
    this.node = this.assemble();
    this.update(state);
  }

  update(state: IComposer): void {
    const isNew = this.to.options.length === 0 || state.agents.join('\n') !== this.state.agents.join('\n');
    this.state = state;
    if (isNew) {
      this.drawAgents();
    }
    this.enable();
  }

  focus(): void {
    this.field.node.focus({ preventScroll: true });
  }

  dispose(): void {
    this.field.dispose();
    this.completer.dispose();
    this.attachments.dispose();
  }

  private send(): void {
    const trans = translations();
    const { to, text } = this.message;
    const attached = this.attachments.names;
    if (this.state.is_busy) {
      this.tell(this.busyText());
    } else if (to === '' || (text === '' && attached.length === 0)) {
      this.tell(trans.__('There is nothing to send yet.'));
    } else if (!this.attachments.isSettled) {
      void this.settle();
    } else if (!this.attachments.isReady()) {
      this.tell(trans.__('Look at what will be sent, then send it.'));
    } else {
      this.wires.say(to, text, attached);
      this.empty();
    }
  }

  /** See what the names in the text are, then send it, or show what will be sent. */
  private async settle(): Promise<void> {
    const text = this.field.text;
    const found = await this.attachments.settle();
    if (found === 'silent') {
      this.tell(busyText());
    } else if (this.field.text === text) {
      this.send();
    }
  }

  private empty(): void {
    this.to.value = this.message.to;
    this.field.remember();
    this.field.text = '';
    this.attachments.clear();
    this.tell('');
  }

  /** The text, and to whom it goes: the one whom it names at its beginning, or the one who is chosen. */
  private get message(): { readonly to: string; readonly text: string } {
    const text = this.field.text.trim();
    const named = addresseeOf(text, this.state.agents);
    return named === null
      ? { to: this.to.value, text }
      : { to: named, text: text.slice(named.length + 1).replace(/^[,:]?\s*/, '') };
  }

  private assemble(): HTMLElement {
    const { attachments } = this;
    const address = h('label', { class: 'jp-agents-Composer-to' }, translations().__('to'), this.to);
    return h(
      'section',
      {
        class: 'jp-agents-Composer',
        role: 'group',
        'aria-label': translations().__('Write a message'),
        'data-lm-suppress-shortcuts': 'true',
        onkeydown: (event: KeyboardEvent) => this.handleKey(event)
      },
      this.field.node,
      this.completer.list,
      attachments.chips,
      attachments.picker,
      h(
        'div',
        { class: 'jp-agents-Prompt-actions' },
        address,
        attachments.attach,
        h('span', { class: 'jp-agents-Prompt-gap' }),
        this.submit
      ),
      this.status,
      attachments.preview.node,
      this.spoken
    );
  }

  /** Escape goes on to the view, which leaves to the notebook. */
  private handleKey(event: KeyboardEvent): void {
    if (!this.departure.leaves(event)) {
      event.stopPropagation();
    }
  }

  private createField(): TextField {
    const trans = translations();
    return new TextField({
      label: trans.__('Message'),
      describedBy: this.status.id,
      placeholder: trans.__('Write a message. @ names an agent or a variable.'),
      seat: '\u0000composer',
      send: () => this.send(),
      changed: () => this.written(),
      intercept: event => this.completer.handleKey(event)
    });
  }

  private createAttachments(): Attachments {
    return new Attachments({
      look: request => this.wires.look(request),
      text: () => this.message.text,
      announce: text => this.announce(text),
      focus: () => this.focus(),
      changed: () => this.enable(),
      isTaken: name => this.state.agents.includes(name)
    });
  }

  private createCompleter(): Completer {
    return new Completer(this.field.node, {
      label: translations().__('Agents and variables'),
      find: findMention,
      search: (word, from) => this.search(word, from),
      choose: (option, fragment) => this.choose(option, fragment),
      announce: text => this.announce(text)
    });
  }

  /** Agents, which are known here, also when the kernel does not answer. */
  private async search(word: string, from: number): Promise<readonly IOption[]> {
    const kind = from === 0 ? translations().__('agent: send it to them') : translations().__('agent');
    const agents = this.state.agents
      .filter(name => name.toLocaleLowerCase().startsWith(word.toLocaleLowerCase()))
      .map(name => ({ name, kind }));
    const variables = await searchVariables(request => this.wires.look(request), word).catch(() => []);
    return [...agents, ...variables.filter(({ name }) => !this.state.agents.includes(name))];
  }

  private choose(option: IOption, fragment: IFragment): void {
    const isAgent = this.state.agents.includes(option.name);
    if (isAgent && fragment.from === 0) {
      this.field.replace(fragment.from, fragment.to, '');
      this.to.value = option.name;
      this.announce(translations().__('to %1', option.name));
    } else if (isAgent) {
      this.field.replace(fragment.from, fragment.to, `@${option.name} `);
    } else {
      this.field.replace(fragment.from, fragment.to, `\`${option.name}\` `);
      this.attachments.add(option.name);
    }
  }

  private written(): void {
    const named = addresseeOf(this.field.node.value.slice(0, 200), this.state.agents);
    if (named !== null && named !== this.to.value) {
      this.to.value = named;
      this.announce(translations().__('to %1', named));
    }
    this.enable();
    this.attachments.written();
  }

  private drawAgents(): void {
    const chosen = this.to.value;
    this.to.replaceChildren(...this.state.agents.map(name => h('option', { value: name }, visible(name))));
    this.to.value = this.state.agents.includes(chosen) ? chosen : (this.state.agents[0] ?? '');
  }

  private enable(): void {
    const isEmpty = this.field.node.value === '' && this.attachments.names.length === 0;
    this.submit.disabled = this.state.is_busy || isEmpty || this.state.agents.length === 0;
    this.tell(this.state.is_busy ? this.busyText() : '');
  }

  private busyText(): string {
    return translations().__('A reply is under way: you can write, and send when it is there.');
  }

  private tell(text: string): void {
    if (this.status.textContent !== text) {
      this.status.textContent = text;
    }
  }

  private announce(text: string): void {
    this.spoken.textContent = text;
  }

  private readonly status = h('p', {
    class: 'jp-agents-Prompt-status',
    id: freshId('status'),
    role: 'status'
  });
  private readonly departure = new Departure(text => this.tell(text));
  private readonly spoken = h('span', { class: 'jp-agents-Prompt-spoken', role: 'status' });
  private readonly to = h('select', { class: 'jp-agents-Composer-agents', onchange: () => this.focus() });
  private readonly submit = button(translations().__('Send'), () => this.send(), 'jp-agents-mod-accept');
  private readonly field: TextField;
  private readonly attachments: Attachments;
  private readonly completer: Completer;
}

/** The agent whom a text names at its beginning (`@coder, …`); of two names that fit, the longer. */
export function addresseeOf(text: string, agents: readonly string[]): string | null {
  const fits = agents.filter(
    name => text.startsWith(`@${name}`) && /^(?:$|[\s,:])/.test(text.slice(name.length + 1))
  );
  return fits.sort((one, other) => other.length - one.length)[0] ?? null;
}
