/** A view's end of the wire to the kernel: what it shows, and what a person says there. There is no DOM in here. */

import { Feed, newId, type IReader } from './feed';
import type { FromKernel, IAnswer, IName, IState, IUndone, Op, ToKernel } from './protocol';

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

const PATIENCE_WITH_AN_ANSWER = 2000;
const PATIENCE_WITH_A_LOOK = 5000;
const PATIENCE_WITH_AN_UNDO = 5000;
/** How long it may take until what goes on next has a view: a turn that is short has none. */
const PATIENCE_WITH_A_SLOT = 5000;

/** One view's connection with the kernel. What the kernel sends comes by a feed that the views of a page share. */
export class Connection implements IReader {
  readonly view = newId();
  readonly #wire: IWire;
  readonly #feed: Feed;
  readonly #answers = new Map<string, { readonly answer: IAnswer; at: number }>();
  readonly #looks = new Map<number, (seen: ISeen) => void>();
  readonly #undos = new Map<string, (undone: IUndone) => void>();
  #listener: IListener | null = null;
  // Answers to a look have no address, so that the numbers of two views must not meet.
  #look = Math.floor(Math.random() * 2 ** 40);

  constructor(wire: IWire, feed = new Feed(wire)) {
    this.#wire = wire;
    this.#feed = feed;
  }

  /** Keep what was written for the next question to this seat. */
  keepDraft(seat: string, draft: string): void {
    this.#feed.drafts.set(seat, draft);
  }

  /** What was kept for this seat; it is kept no more. */
  takeDraft(seat: string): string {
    const draft = this.#feed.drafts.get(seat) ?? '';
    this.#feed.drafts.delete(seat);
    return draft;
  }

  get state(): IState {
    return this.#feed.stateOf(this);
  }

  /** Begin: `listener` hears of every change from now on, and of the state as soon as the page has it. */
  open(listener: IListener): void {
    this.#listener = listener;
    this.#feed.add(this);
  }

  /** Ask for the items before the first one, too; from now on they belong to what this view shows. */
  showEarlier(): void {
    this.#feed.askForEarlier();
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

  pause(): void {
    this.#wire.send({ t: 'pause', view: this.view });
  }

  resume(): void {
    this.#wire.send({ t: 'resume', view: this.view });
  }

  step(): void {
    this.#wire.send({ t: 'step', view: this.view });
  }

  /** Keep which button a person is at: this view goes, and the next one comes soon. */
  leaveFrom(button: string): void {
    this.#feed.left = { button, at: Date.now() };
  }

  /** The button at which a person was a moment ago, in a view that has gone; whoever asks takes it. */
  takeLeft(): string | null {
    const { left } = this.#feed;
    this.#feed.left = null;
    return left && Date.now() - left.at < PATIENCE_WITH_A_SLOT ? left.button : null;
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
    this.#feed.remove(this);
    this.#listener = null;
    [...this.#looks.keys()].forEach(ask => this.#seen(ask, { names: [], text: '' }));
  }

  replaced(state: IState): void {
    this.#listener?.replaced(state);
  }

  changed(state: IState, ops: readonly Op[]): void {
    this.#listener?.changed(state, ops);
  }

  heard(message: FromKernel): void {
    switch (message.t) {
      case 'ping':
        return this.#answerAgain();
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

  #closed(id: string, by: string | null): void {
    this.#answers.delete(id);
    this.#listener?.closed(id, by === null ? 'nobody' : by === this.view ? 'me' : 'other');
  }

  #answerAgain(): void {
    const open = new Set(this.state.questions.map(question => question.id));
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
