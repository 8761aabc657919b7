/** What a block has changed among the user's variables, in a quiet line, and the button that takes it back. */

import { button, h } from './dom';
import type { IHost } from './host';
import type { IUndone } from './protocol';
import { translations } from './strings';
import { count, record, records, word } from './values';

/** A name, the kind of its value, and the kind of what it was bound to before. */
export interface IChange {
  readonly name: string;
  readonly kind: string;
  readonly before: string;
}

export interface IBlockChanges {
  /** Bound for the first time, or to something else. */
  readonly set: readonly IChange[];
  /** The same objects with another size. */
  readonly changed: readonly IChange[];
  readonly deleted: readonly IChange[];
  /** How many names are not listed. */
  readonly more: number;
}

/** What the kernel calls a block. It becomes a part of an expression there, so that nothing else is let through. */
const BLOCK = /^[0-9a-f]{1,64}(?:-[0-9a-z]{1,32}){1,3}$/;
const UNDONE = Symbol.for('jupyter-agents:undone');

/** The changes in the data of an output: of each block, whatever is in the file. */
export function readChanges(found: unknown): IBlockChanges[] {
  return (Array.isArray(found) ? found : []).map(record).map(block => ({
    set: [...readNames(block['added']), ...readNames(block['rebound'])],
    changed: readNames(block['changed']),
    deleted: readNames(block['deleted']),
    more: count(block['more']) ?? 0
  }));
}

function readNames(found: unknown): IChange[] {
  return records(found).map(one => ({
    name: word(one['name']),
    kind: word(one['kind']),
    before: word(one['before'])
  }));
}

/** The line of a block; with a button where the page can reach a kernel that knows the block. */
export function drawChanges(changes: IBlockChanges, block: string, host: IHost): HTMLElement {
  const node = h('div', { class: 'jp-agents-Changes' }, drawNames(changes));
  if (host.undo && BLOCK.test(block)) {
    new Undo(node, changes, block, host);
  }
  return node;
}

function drawNames(changes: IBlockChanges): HTMLElement {
  const { __, _n } = translations();
  const phrases = [
    changes.set.length > 0 && [__('set'), ' ', ...drawList(changes.set)],
    changes.changed.length > 0 && [__('changed'), ' ', ...drawList(changes.changed)],
    changes.deleted.length > 0 && [__('deleted'), ' ', ...drawList(changes.deleted, false)],
    changes.more > 0 && [_n('%1 more', '%1 more', changes.more)]
  ].filter(phrase => phrase !== false);
  const nodes = phrases.flatMap((phrase, at) => (at > 0 ? [' · ', ...phrase] : phrase));
  return h('span', { class: 'jp-agents-Changes-names' }, ...nodes);
}

function drawList(names: readonly IChange[], withKinds = true): (Node | string)[] {
  return names.flatMap((one, at) => [
    ...(at > 0 ? [', '] : []),
    h('code', {}, one.name),
    ...(withKinds && one.kind ? [` (${kinds(one)})`] : [])
  ]);
}

/** `DataFrame 703 × 3 → 700 × 3`: the type is named once where it is still the same. */
function kinds({ kind, before }: IChange): string {
  if (!before || before === kind) {
    return kind;
  }
  const space = kind.indexOf(' ');
  const isSameType = space > 0 && before.startsWith(kind.slice(0, space + 1));
  return `${before} → ${isSameType ? kind.slice(space + 1) : kind}`;
}

/** Takes back what a block has changed, once, and says what became of it. */
class Undo {
  private readonly button: HTMLButtonElement;
  private readonly status = h('span', { class: 'jp-agents-Changes-status', role: 'status' });

  constructor(
    node: HTMLElement,
    changes: IBlockChanges,
    private readonly block: string,
    private readonly host: IHost
  ) {
    const { __ } = translations();
    this.button = button(__('Undo'), () => void this.press(), 'jp-agents-quiet');
    const names = [...changes.set, ...changes.deleted].map(one => one.name).join(', ');
    this.button.setAttribute('aria-label', __('Undo: %1', names));
    this.button.title = __('Bind these names as they were before the block. Nothing else is undone.');
    node.append(this.button, this.status);
    const known = undoneBlocks().get(block);
    if (known) {
      this.finish(known);
    } else {
      this.watch(node);
    }
  }

  /** Whether the kernel knows the block is asked when the line comes into sight: a notebook may have thousands. */
  private watch(node: HTMLElement): void {
    const { watchUndo } = this.host;
    if (watchUndo) {
      this.button.hidden = true;
      whenSeen(node, () => watchUndo(this.block, node, canUndo => this.tell(canUndo)));
    }
  }

  private tell(canUndo: boolean): void {
    if (undoneBlocks().has(this.block)) {
      return;
    }
    const wasThere = !this.button.hidden;
    this.button.hidden = !canUndo && !wasThere;
    this.button.disabled = !canUndo;
    this.say(!canUndo && wasThere ? translations().__('The kernel does not know this block any more.') : '');
  }

  private async press(): Promise<void> {
    const { __ } = translations();
    this.button.disabled = true;
    this.say(__('Undoing…'));
    try {
      this.done((await this.host.undo?.(this.block, this.button)) ?? NOTHING);
    } catch {
      this.button.disabled = false;
      this.say(__('The kernel has not answered: it is busy, or gone.'));
    }
  }

  private done(undone: IUndone): void {
    if (undone.reason === RUNNING) {
      this.button.disabled = false;
      this.say(sentence(undone));
    } else {
      undoneBlocks().set(this.block, undone);
      this.finish(undone);
    }
  }

  private finish(undone: IUndone): void {
    this.button.hidden = undone.restored.length > 0;
    this.button.disabled = true;
    this.say(sentence(undone));
  }

  private say(text: string): void {
    if (this.status.textContent !== text) {
      this.status.textContent = text;
    }
  }
}

const NOTHING: IUndone = { restored: [], left: {}, reason: '' };
/** What `jupyter_agents/executors/undo.py` says when the block may be undone in a moment. */
// eslint-disable-next-line jupyter-agents/translated-words -- what the kernel says, to be told apart
const RUNNING = 'A block is running. Undo when it has ended.';

function sentence({ restored, left, reason }: IUndone): string {
  const { __ } = translations();
  const kept = Object.entries(left).map(([name, why]) => __('%1 (%2)', name, reasonText(why)));
  return [
    reason && reasonText(reason),
    restored.length > 0 && __('Undone: %1 as before.', restored.join(', ')),
    kept.length > 0 && __('Left as it is: %1.', kept.join(', '))
  ]
    .filter(Boolean)
    .join(' ');
}

/** The reasons of the kernel, in the language of the page. */
function reasonText(reason: string): string {
  const { __ } = translations();
  const known: Record<string, string> = {
    'its former value was too large to keep': __('its former value was too large to keep'),
    'it has been changed since': __('it has been changed since'),
    'it was changed in place': __('it was changed in place'),
    'This block has been undone already.': __('This block has been undone already.'),
    'Nothing is kept of a block with this id.': __('Nothing is kept of this block any more.'),
    [RUNNING]: __('A block is running. Undo when it has ended.')
  };
  return known[reason] ?? reason;
}

/** What was undone on this page: a line is drawn anew when the live view of its turn ends, maybe by another bundle. */
function undoneBlocks(): Map<string, IUndone> {
  const places = globalThis as Record<symbol, unknown>;
  return (places[UNDONE] ??= new Map<string, IUndone>()) as Map<string, IUndone>;
}

function whenSeen(node: HTMLElement, then: () => void): void {
  if (typeof IntersectionObserver === 'undefined') {
    queueMicrotask(then);
    return;
  }
  const observer = new IntersectionObserver(entries => {
    if (entries.some(entry => entry.isIntersecting)) {
      observer.disconnect();
      then();
    }
  });
  observer.observe(node);
}
