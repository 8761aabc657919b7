/**
 * What a page knows of a chat: one state of all that comes, whatever is lost, doubled or late on the way. The views of
 * the page share it, so that a new one begins with what is there and asks the kernel for nothing. There is no DOM in here.
 */

import type { IWire } from './connection';
import { textOf } from './outputs';
import type { FromKernel, IActivity, IItem, IQuestion, IState, Op } from './protocol';

/** A view of the state. */
export interface IReader {
  /** Everything may be different. */
  replaced(state: IState): void;
  /** These changes have been made; `state` is what came of them. */
  changed(state: IState, ops: readonly Op[]): void;
  /** Something that is not about the state, or a ping. */
  heard(message: FromKernel): void;
}

type Whole = Extract<FromKernel, { t: 'state' }>;
type Patch = Extract<FromKernel, { t: 'patch' }>;

const NOTHING: IState = {
  items: [],
  live: null,
  activity: null,
  questions: [],
  earlier: 0,
  is_going_on: false,
  talk: 1,
  pause: null,
  composer: null
};
/** Milliseconds between one request for the state and the next, while none is answered. */
const PATIENCE = [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000];
const PATIENCE_WITH_A_KERNEL_THAT_SPEAKS = 400;
/** Later patches that are kept while an earlier one is missing. The whole state makes them superfluous, mostly. */
const MOST_KEPT = 256;
const PAGE = Symbol.for('jupyter-agents:page');
/** The MIME types whose text can grow. */
export const TEXTS = [
  'application/vnd.jupyter.stdout',
  'application/vnd.jupyter.stderr',
  'text/plain'
] as const;

/** An id that no other view or page has. (`crypto.randomUUID` is missing on pages that are not served by HTTPS.) */
export function newId(): string {
  return Math.random().toString(36).slice(2, 12) + Math.random().toString(36).slice(2, 12);
}

/** The id of this page: one for all bundles on it, each of which has its own copy of this module. */
export function pageId(): string {
  const places = globalThis as Record<symbol, unknown>;
  return (places[PAGE] ??= newId()) as string;
}

/** What a change makes of a state. */
export function applied(state: IState, op: Op): IState {
  switch (op.op) {
    case 'text':
      return state.live ? { ...state, live: { ...state.live, text: state.live.text + op.text } } : state;
    case 'set':
      return { ...state, ...op.values };
    case 'item':
      return { ...state, items: withItem(state.items, op.item) };
    case 'stream':
      return { ...state, items: state.items.map(item => (item.id === op.id ? grown(item, op.text) : item)) };
    case 'slot':
      return state;
  }
}

function withItem(items: readonly IItem[], item: IItem): readonly IItem[] {
  const isThere = items.some(({ id }) => id === item.id);
  return isThere ? items.map(other => (other.id === item.id ? item : other)) : [...items, item];
}

function grown(item: IItem, text: string): IItem {
  const { data, metadata } = item.bundle;
  const type = TEXTS.find(one => one in data) ?? 'text/plain';
  return { ...item, bundle: { data: { ...data, [type]: textOf(data[type]) + text }, metadata } };
}

export class Feed {
  readonly #wire: IWire;
  readonly #hangUp: () => void;
  readonly #kept = new Map<number, readonly Op[]>();
  /** The views, and how many of the items are before what each shows. */
  readonly #readers = new Map<IReader, number>();
  /** Those that have been given nothing yet: they are drawn in this moment, and stand on the page in the next. */
  readonly #arriving = new Set<IReader>();
  /** What was written in answer to questions that others closed, by seat: in memory only, for the next question. */
  readonly drafts = new Map<string, string>();
  /** Which button had the focus in a view that has gone, and when it went: the next view gives it back. */
  left: { readonly button: string; readonly at: number } | null = null;
  #state = NOTHING;
  /** How many of the items are before the slot that is live; `null` where every view shows all. */
  #slot: number | null = null;
  /** The last patch that is in the state, and the last one that is known to exist. */
  #seq = -1;
  #known = -1;
  /** When the times in the state were right. */
  #toldAt = { activity: 0, questions: 0 };
  #tries = 0;
  #askedAt = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #wantsEarlier = false;
  #isAttending = false;

  constructor(wire: IWire) {
    this.#wire = wire;
    this.#hangUp = wire.listen(message => this.#heard(message));
  }

  /** Tell the kernel that this page is there, and again whenever it asks. */
  attend(): void {
    this.#wire.send({ t: 'hello', page: pageId() });
    this.#isAttending = true;
  }

  stateOf(reader: IReader): IState {
    const first = this.#readers.get(reader) ?? 0;
    return first === 0 ? this.#state : { ...this.#state, items: this.#state.items.slice(first) };
  }

  /** A view is drawn. It gets the state as soon as it can stand on the page, or else when the kernel has sent it. */
  add(reader: IReader): void {
    this.#readers.set(reader, this.#slot ?? 0);
    if (this.#seq < 0 || this.#seq < this.#known) {
      this.#ask();
    } else {
      this.#arriving.add(reader);
      setTimeout(() => this.#welcome(reader));
    }
  }

  #welcome(reader: IReader): void {
    if (this.#arriving.delete(reader)) {
      this.#bringTimesUpToDate();
      reader.replaced(this.stateOf(reader));
    }
  }

  remove(reader: IReader): void {
    this.#readers.delete(reader);
    this.#arriving.delete(reader);
    if (this.#readers.size === 0) {
      this.#rest();
    }
    if (this.#readers.size === 0 && !this.#isAttending) {
      this.dispose();
    }
  }

  dispose(): void {
    this.#readers.clear();
    this.#arriving.clear();
    this.#rest();
    this.#hangUp();
  }

  /** From now on every view shows all there is. */
  askForEarlier(): void {
    this.#wantsEarlier = true;
    this.#tries = 0;
    this.#ask();
  }

  #heard(message: FromKernel): void {
    if (message.t === 'state') {
      this.#replace(message);
    } else if (message.t === 'patch') {
      this.#patch(message);
    } else if (message.t === 'ping') {
      this.#ping(message.seq);
    }
    if (message.t !== 'state' && message.t !== 'patch') {
      [...this.#readers.keys()].forEach(reader => reader.heard(message));
    }
  }

  #replace({ to, seq, slot, state }: Whole): void {
    if ((to !== null && to !== pageId()) || seq < this.#seq) {
      return;
    }
    this.#rest();
    const before = this.#state.items;
    this.#state = state;
    this.#slot = slot;
    this.#seq = seq;
    this.#toldAt = { activity: Date.now(), questions: Date.now() };
    for (const [reader, first] of this.#readers) {
      this.#readers.set(reader, this.#placeOf(before[first]));
      this.#arriving.delete(reader);
      reader.replaced(this.stateOf(reader));
    }
    this.#takeKept();
    this.#catchUp();
  }

  /** From which item on a view shows the state, which has shown `first` before. */
  #placeOf(first: IItem | undefined): number {
    if (this.#slot === null) {
      return 0;
    }
    return first
      ? Math.max(
          0,
          this.#state.items.findIndex(({ id }) => id === first.id)
        )
      : this.#slot;
  }

  #patch({ seq, ops }: Patch): void {
    this.#known = Math.max(this.#known, seq);
    const isAwaited = this.#seq >= 0 || this.#timer !== null;
    if (seq <= this.#seq || !isAwaited) {
      return;
    }
    if (this.#kept.size < MOST_KEPT) {
      this.#kept.set(seq, ops);
    }
    this.#takeKept();
    this.#catchUp();
  }

  #ping(seq: number): void {
    if (this.#isAttending) {
      this.#wire.send({ t: 'pong', page: pageId(), views: this.#readers.size });
    }
    this.#known = Math.max(this.#known, seq);
    if (Date.now() - this.#askedAt >= PATIENCE_WITH_A_KERNEL_THAT_SPEAKS) {
      this.#rest();
    }
    this.#catchUp();
  }

  /** Make the changes that follow on what there is. Before the first state nothing does. */
  #takeKept(): void {
    for (const seq of [...this.#kept.keys()].filter(one => one <= this.#seq)) {
      this.#kept.delete(seq);
    }
    let ops: readonly Op[] | undefined;
    while (this.#seq >= 0 && (ops = this.#kept.get(this.#seq + 1))) {
      this.#kept.delete(++this.#seq);
      this.#take(ops);
    }
  }

  #take(ops: readonly Op[]): void {
    for (const op of ops) {
      this.#state = applied(this.#state, op);
      this.#note(op);
    }
    for (const reader of [...this.#readers.keys()].filter(one => !this.#arriving.has(one))) {
      reader.changed(this.stateOf(reader), ops);
    }
  }

  /** What else a change means. */
  #note(op: Op): void {
    const now = Date.now();
    if (op.op === 'slot' && this.#slot !== null) {
      this.#forgetShown();
      this.#slot = this.#state.items.length;
    } else if (op.op === 'set') {
      this.#toldAt.activity = 'activity' in op.values ? now : this.#toldAt.activity;
      this.#toldAt.questions = 'questions' in op.values ? now : this.#toldAt.questions;
    }
  }

  /** Forget the items that no view shows: this page has them as outputs of the cell. */
  #forgetShown(): void {
    const { items } = this.#state;
    const count = Math.min(items.length, ...this.#readers.values());
    this.#state = { ...this.#state, items: items.slice(count) };
    this.#readers.forEach((first, reader) => this.#readers.set(reader, first - count));
  }

  /** Count on to now what the state says of seconds: a view that begins here counts from when it is drawn. */
  #bringTimesUpToDate(): void {
    const { activity, questions } = this.#state;
    const told = this.#toldAt;
    const now = Date.now();
    this.#toldAt = { activity: now, questions: now };
    this.#state = {
      ...this.#state,
      activity: activity && olderActivity(activity, (now - told.activity) / 1000),
      questions: questions.map(question => olderQuestion(question, (now - told.questions) / 1000))
    };
  }

  #catchUp(): void {
    const isBehind = this.#seq < 0 || this.#seq < this.#known;
    if (!isBehind) {
      this.#rest();
    } else if (this.#timer === null) {
      this.#ask();
    }
  }

  /** Ask for the state, and again if no answer comes: a kernel that was busy may have lost the request. */
  #ask(): void {
    if (this.#readers.size === 0) {
      return; // what is missing is asked for when there is a view of it
    }
    const tries = this.#tries;
    this.#rest();
    this.#tries = tries + 1;
    this.#askedAt = Date.now();
    this.#timer = setTimeout(() => this.#ask(), PATIENCE[Math.min(tries, PATIENCE.length - 1)]);
    this.#wire.send({
      t: 'sync',
      page: pageId(),
      views: this.#readers.size,
      first: this.#state.items[0]?.id ?? null,
      earlier: this.#wantsEarlier
    });
  }

  #rest(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    this.#timer = null;
    this.#tries = 0;
  }
}

function olderActivity(activity: IActivity, seconds: number): IActivity {
  const { elapsed, remaining } = activity;
  return { ...activity, elapsed: elapsed + seconds, remaining: less(remaining, seconds) };
}

function olderQuestion(question: IQuestion, seconds: number): IQuestion {
  return { ...question, remaining: less(question.remaining, seconds) };
}

function less(remaining: number | null, seconds: number): number | null {
  return remaining === null ? null : Math.max(0, remaining - seconds);
}
