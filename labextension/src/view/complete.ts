/**
 * Completion in a text field: a list of options below it, as the listbox pattern of ARIA has it. The focus stays in the
 * field; `aria-activedescendant` names the option that Enter takes.
 */

import { h } from './dom';
import { freshId } from './ids';
import { translations } from './strings';

export interface IOption {
  readonly name: string;
  /** What it is ("agent", "DataFrame"), shown beside the name. */
  readonly kind: string;
}

/** The word that is being completed: `field.value.slice(from, to)`, of which `word` is what is searched for. */
export interface IFragment {
  readonly from: number;
  readonly to: number;
  readonly word: string;
}

export interface ICompletionSource {
  /** What the list is called. */
  readonly label: string;
  find(text: string, caret: number): IFragment | null;
  search(word: string, from: number): Promise<readonly IOption[]>;
  choose(option: IOption, fragment: IFragment): void;
  announce(text: string): void;
}

const MOST_OPTIONS = 50;
/** A mention is short: no more of the text is looked at. */
const LONGEST_MENTION = 80;
const MENTION = /(?:^|[\s([{,;:'"`])@([\p{L}\p{N}_][\p{L}\p{N}_.-]*|)$/u;

/** The `@word` that ends at the caret. */
export function findMention(text: string, caret: number): IFragment | null {
  const word = MENTION.exec(text.slice(Math.max(0, caret - LONGEST_MENTION), caret))?.[1];
  return word === undefined ? null : { from: caret - word.length - 1, to: caret, word };
}

export class Completer {
  readonly list: HTMLElement;

  constructor(
    private readonly field: HTMLTextAreaElement | HTMLInputElement,
    private readonly source: ICompletionSource
  ) {
    const id = freshId('list');
    this.list = h('div', { class: 'jp-agents-Options', id, role: 'listbox', hidden: true });
    this.list.setAttribute('aria-label', source.label);
    field.setAttribute('aria-autocomplete', 'list');
    field.setAttribute('aria-controls', id);
    field.setAttribute('aria-haspopup', 'listbox');
    field.addEventListener('input', this.look);
    field.addEventListener('blur', this.close);
  }

  get isOpen(): boolean {
    return !this.list.hidden;
  }

  /** Whether `event` was for the list: arrows, Enter, Tab and Escape while it is open. */
  handleKey(event: KeyboardEvent): boolean {
    if (!this.isOpen) {
      return false;
    }
    const action = this.actions[event.key];
    if (action === undefined || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    action();
    return true;
  }

  /** Search for what stands before the caret now. */
  readonly look = (): void => {
    const fragment = this.source.find(this.field.value, this.field.selectionStart ?? 0);
    if (fragment === null || fragment.from === this.dismissed) {
      this.dismissed = fragment === null ? null : this.dismissed;
      this.close();
      return;
    }
    this.dismissed = null;
    void this.search(fragment);
  };

  readonly close = (): void => {
    this.searches += 1; // what is still searched for comes too late
    this.list.hidden = true;
    this.list.replaceChildren();
    this.options = [];
    this.setExpanded(false);
    this.field.removeAttribute('aria-activedescendant');
  };

  dispose(): void {
    this.field.removeEventListener('input', this.look);
    this.field.removeEventListener('blur', this.close);
    this.close();
  }

  private async search(fragment: IFragment): Promise<void> {
    this.searches += 1;
    const search = this.searches;
    const found = await this.source.search(fragment.word, fragment.from).catch(() => []);
    if (search !== this.searches) {
      return;
    }
    this.fragment = fragment;
    if (found.length === 0) {
      this.close();
    } else {
      this.open(found.slice(0, MOST_OPTIONS));
    }
  }

  private open(options: readonly IOption[]): void {
    const isNews = !this.isOpen || options.length !== this.options.length;
    this.options = options;
    this.list.replaceChildren(...options.map(option => this.draw(option)));
    this.list.hidden = false;
    this.setExpanded(true);
    this.activate(0);
    if (isNews) {
      this.source.announce(translations()._n('%1 suggestion', '%1 suggestions', options.length));
    }
  }

  private draw(option: IOption): HTMLElement {
    return h(
      'div',
      {
        class: 'jp-agents-Option',
        id: freshId('option'),
        role: 'option',
        'aria-selected': 'false',
        onmousedown: (event: MouseEvent) => {
          event.preventDefault(); // the focus stays in the field
          this.choose(option);
        }
      },
      h('span', { class: 'jp-agents-Option-name' }, option.name),
      h('span', { class: 'jp-agents-Option-kind' }, option.kind)
    );
  }

  private activate(index: number): void {
    this.list.children[this.active]?.setAttribute('aria-selected', 'false');
    this.active = (index + this.options.length) % this.options.length;
    const node = this.list.children[this.active] as HTMLElement;
    node.setAttribute('aria-selected', 'true');
    this.field.setAttribute('aria-activedescendant', node.id);
    this.reveal(node);
  }

  /** Scrolls the list alone: `scrollIntoView` would scroll the notebook too. */
  private reveal(node: HTMLElement): void {
    const { offsetTop, offsetHeight } = node;
    const bottom = this.list.scrollTop + this.list.clientHeight;
    if (offsetTop < this.list.scrollTop) {
      this.list.scrollTop = offsetTop;
    } else if (offsetTop + offsetHeight > bottom) {
      this.list.scrollTop = offsetTop + offsetHeight - this.list.clientHeight;
    }
  }

  private choose(option: IOption | undefined): void {
    const fragment = this.fragment;
    this.close();
    if (option !== undefined && fragment !== null) {
      this.source.choose(option, fragment);
    }
  }

  private dismiss(): void {
    this.dismissed = this.fragment?.from ?? null;
    this.close();
  }

  /** Only a combobox can be expanded: a field of several lines is a text box, which has no such state. */
  private setExpanded(is_expanded: boolean): void {
    if (this.field.getAttribute('role') === 'combobox') {
      this.field.setAttribute('aria-expanded', String(is_expanded));
    }
  }

  private readonly actions: Readonly<Record<string, () => void>> = {
    ArrowDown: () => this.activate(this.active + 1),
    ArrowUp: () => this.activate(this.active - 1),
    Home: () => this.activate(0),
    End: () => this.activate(this.options.length - 1),
    Enter: () => this.choose(this.options[this.active]),
    Tab: () => this.choose(this.options[this.active]),
    Escape: () => this.dismiss()
  };
  private options: readonly IOption[] = [];
  private active = 0;
  private fragment: IFragment | null = null;
  /** Where the mention begins for which the list was closed: it stays closed for that one. */
  private dismissed: number | null = null;
  private searches = 0;
}
