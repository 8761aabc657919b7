/**
 * The page's end of the wire to the kernel: it makes one state of what comes, whatever is lost, doubled or late on the
 * way. There is no DOM in here.
 */

import { textOf } from './outputs';
import type { FromKernel, IAnswer, IItem, IName, IState, IUndone, Op, ToKernel } from './protocol';

/** How messages come and go. */
export interface IWire {
  send(message: ToKernel): void;
  /** Hear what the kernel says until the function that is given back is called. */
  listen(heard: (message: FromKernel) => void): () => void;
}

/** Who closed a question: this view, another one, or nobody (the chat went on without an answer). */
export type ClosedBy = 'me' | 'other' | 'nobody';

/** Who wants to know of changes. */
export interface IListener {
  /** Everything may be different. */
  replaced(state: IState): void;
  /** These changes have been made; `state` is what came of them. */
  changed(state: IState, ops: readonly Op[]): void;
  closed(id: string, by: ClosedBy): void;
  leaving(): void;
}

/** What a person looks for, or wants to see before it is sent. */
export interface ILook {
  readonly prefix: string | null;
  readonly text: string;
  readonly attached: readonly string[];
}

export interface ISeen {
  readonly names: readonly IName[];
  readonly text: string;
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
  composer: null
};
/** Milliseconds between one request for the state and the next, while none is answered. */
const PATIENCE = [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000];
const PATIENCE_WITH_A_KERNEL_THAT_SPEAKS = 400;
const PATIENCE_WITH_AN_ANSWER = 2000;
const PATIENCE_WITH_A_LOOK = 5000;
const PATIENCE_WITH_AN_UNDO = 5000;
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

/** Tell the kernel that this page is there, and again whenever it asks. Once for a page, however many views there are. */
export function attend(wire: IWire): () => void {
  const page = pageId();
  const hangUp = wire.listen(message => {
    if (message.t === 'ping') {
      wire.send({ t: 'pong', page });
    }
  });
  wire.send({ t: 'hello', page });
  return hangUp;
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

/** One view's connection with the kernel. */
export class Connection {
  readonly view = newId();
  readonly #wire: IWire;
  readonly #hangUp: () => void;
  readonly #kept = new Map<number, readonly Op[]>();
  readonly #answers = new Map<string, { readonly answer: IAnswer; at: number }>();
  readonly #looks = new Map<number, (seen: ISeen) => void>();
  readonly #undos = new Map<string, (undone: IUndone) => void>();
  #listener: IListener | null = null;
  #state = NOTHING;
  /** The last patch that is in the state, and the last one that is known to exist. */
  #seq = -1;
  #known = -1;
  #tries = 0;
  #askedAt = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #wantsEarlier = false;
  // Answers to a look have no address, so that the numbers of two views must not meet.
  #look = Math.floor(Math.random() * 2 ** 40);

  constructor(wire: IWire) {
    this.#wire = wire;
    this.#hangUp = wire.listen(message => this.#heard(message));
  }

  get state(): IState {
    return this.#state;
  }

  /** Begin: `listener` hears of every change from now on. */
  open(listener: IListener): void {
    this.#listener = listener;
    this.#ask();
  }

  /** Ask for the items before the first one, too; from now on they belong to what this view shows. */
  showEarlier(): void {
    this.#wantsEarlier = true;
    this.#tries = 0;
    this.#ask();
  }

  /** Answer a question. Said again until the kernel has closed it, which it does once whatever comes. */
  answer(id: string, answer: IAnswer): void {
    this.#answers.set(id, { answer, at: Date.now() });
    this.#wire.send({ t: 'answer', view: this.view, id, answer });
  }

  hasAnswered(id: string): boolean {
    return this.#answers.has(id);
  }

  stop(): void {
    this.#wire.send({ t: 'stop', view: this.view });
  }

  interrupt(): void {
    this.#wire.send({ t: 'interrupt', view: this.view });
  }

  say(to: string, text: string, attached: readonly string[]): void {
    this.#wire.send({ t: 'say', view: this.view, to, text, attached });
  }

  /** What the kernel knows; nothing, where it is too busy to say. */
  look(request: ILook): Promise<ISeen> {
    const ask = this.#look++;
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#seen(ask, { names: [], text: '' }), PATIENCE_WITH_A_LOOK);
      this.#looks.set(ask, seen => {
        clearTimeout(timer);
        resolve(seen);
      });
      this.#wire.send({ t: 'look', view: this.view, ask, ...request });
    });
  }

  /** Undo what a block has changed. Fails where the kernel is too busy to answer; it may do it all the same. */
  undo(block: string): Promise<IUndone> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#undos.delete(block);
        reject(new Error('The kernel has not answered.'));
      }, PATIENCE_WITH_AN_UNDO);
      this.#undos.set(block, undone => {
        clearTimeout(timer);
        resolve(undone);
      });
      this.#wire.send({ t: 'undo', view: this.view, block });
    });
  }

  dispose(): void {
    this.#hangUp();
    this.#rest();
    this.#listener = null;
    [...this.#looks.keys()].forEach(ask => this.#seen(ask, { names: [], text: '' }));
    this.#wire.send({ t: 'bye', view: this.view });
  }

  #heard(message: FromKernel): void {
    switch (message.t) {
      case 'state':
        return this.#replace(message);
      case 'patch':
        return this.#patch(message);
      case 'ping':
        return this.#ping(message.seq);
      case 'closed':
        return this.#closed(message.id, message.by);
      case 'leaving':
        return this.#listener?.leaving();
      case 'seen':
        return this.#seen(message.ask, { names: message.names, text: message.text });
      case 'undone':
        return this.#undone(message.block, message.undone);
    }
  }

  #replace({ to, seq, state }: Whole): void {
    if ((to !== null && to !== this.view) || seq < this.#seq) {
      return;
    }
    this.#rest();
    this.#state = state;
    this.#seq = seq;
    this.#listener?.replaced(state);
    this.#takeKept();
    this.#catchUp();
  }

  #patch({ seq, ops }: Patch): void {
    this.#known = Math.max(this.#known, seq);
    if (seq <= this.#seq) {
      return;
    }
    if (this.#kept.size < MOST_KEPT) {
      this.#kept.set(seq, ops);
    }
    this.#takeKept();
    this.#catchUp();
  }

  #ping(seq: number): void {
    this.#known = Math.max(this.#known, seq);
    if (Date.now() - this.#askedAt >= PATIENCE_WITH_A_KERNEL_THAT_SPEAKS) {
      this.#rest();
    }
    this.#catchUp();
    this.#answerAgain();
  }

  /** Make the changes that follow on what there is. Before the first state nothing does. */
  #takeKept(): void {
    for (const seq of [...this.#kept.keys()].filter(one => one <= this.#seq)) {
      this.#kept.delete(seq);
    }
    let ops: readonly Op[] | undefined;
    while (this.#seq >= 0 && (ops = this.#kept.get(this.#seq + 1))) {
      this.#kept.delete(++this.#seq);
      this.#state = ops.reduce(applied, this.#state);
      this.#listener?.changed(this.#state, ops);
    }
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
    if (this.#listener === null) {
      return;
    }
    const tries = this.#tries;
    this.#rest();
    this.#tries = tries + 1;
    this.#askedAt = Date.now();
    this.#timer = setTimeout(() => this.#ask(), PATIENCE[Math.min(tries, PATIENCE.length - 1)]);
    this.#wire.send({ t: 'sync', view: this.view, page: pageId(), earlier: this.#wantsEarlier });
  }

  #rest(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    this.#timer = null;
    this.#tries = 0;
  }

  #closed(id: string, by: string | null): void {
    this.#answers.delete(id);
    this.#listener?.closed(id, by === null ? 'nobody' : by === this.view ? 'me' : 'other');
  }

  #answerAgain(): void {
    const open = new Set(this.#state.questions.map(question => question.id));
    for (const [id, given] of this.#answers) {
      if (!open.has(id)) {
        this.#answers.delete(id);
      } else if (Date.now() - given.at >= PATIENCE_WITH_AN_ANSWER) {
        given.at = Date.now();
        this.#wire.send({ t: 'answer', view: this.view, id, answer: given.answer });
      }
    }
  }

  #seen(ask: number, seen: ISeen): void {
    this.#looks.get(ask)?.(seen);
    this.#looks.delete(ask);
  }

  #undone(block: string, undone: IUndone): void {
    this.#undos.get(block)?.(undone);
    this.#undos.delete(block);
  }
}
