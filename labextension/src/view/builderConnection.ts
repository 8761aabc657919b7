/** The page's end of an agent builder: numbered requests, one check at a time, and whether the kernel answers. */

import type { ITyped } from './builderDrafts';
import { BUILDER_PROTOCOL } from './builderProtocol';
import type { FromBuilder, IChecked, IForm, IPlace, ToBuilder } from './builderProtocol';

/** What carries messages: a widget's model, or a test. */
export interface IBuilderWire {
  send(message: ToBuilder): void;
  listen(heard: (message: FromBuilder) => void): () => void;
}

/** What a view wants to hear. */
export interface IBuilderListener {
  formed(form: IForm): void;
  placed(place: IPlace): void;
  checked(answer: IChecked): void;
  failed(why: string): void;
  busy(isBusy: boolean): void;
}

type Answer = Extract<FromBuilder, { ask: number }>;
type Request = Extract<ToBuilder, { ask: number }>;
/** A request without what the connection adds. */
type Wanted<T extends Request> = T extends Request ? Omit<T, 'view' | 'ask'> : never;

const PAUSE = 150; // milliseconds after the last key
const PAUSE_PER_CHARACTER = 0.001;
const LONGEST_PAUSE = 2000;
const BUSY_AFTER = 1000;
const AGAIN_AFTER = [2000, 4000, 8000, 16000, 32000]; // a message may be lost on the way

export class BuilderConnection {
  readonly view = `view-${Math.random().toString(36).slice(2)}`;
  private readonly _stop: () => void;
  private readonly _open = new Map<number, (answer: Answer) => void>();
  private _listener: IBuilderListener | null = null;
  private _ask = 0;
  private _typed: ITyped | null = null; // and not sent yet
  private _sent: ITyped = { drafts: [], groups: [] };
  private _checking = 0; // the number of the check that is under way
  private _isFormed = false;
  private _isBusy = false;
  private _pause = 0;
  private _busy = 0;
  private _again = 0;

  constructor(private readonly _wire: IBuilderWire) {
    this._stop = _wire.listen(message => this._heard(message));
  }

  /** Begin: ask for the form, again and again until it comes. */
  connect(listener: IBuilderListener): void {
    this._listener = listener;
    this._hello(0);
  }

  /** What is typed has changed: have it checked, after a pause in typing. */
  changed(typed: ITyped): void {
    this._typed = typed;
    window.clearTimeout(this._pause);
    const size = typed.drafts.reduce((sum, draft) => sum + (draft.system_message?.length ?? 0), 0);
    const pause = Math.min(LONGEST_PAUSE, PAUSE + size * PAUSE_PER_CHARACTER);
    this._pause = window.setTimeout(() => this._check(), pause);
  }

  /** Ask for something; the answer may be a long time coming where the kernel is busy. */
  async ask<T extends Request>(wanted: Wanted<T>): Promise<Answer> {
    const ask = this._next();
    const answer = new Promise<Answer>(resolve => this._open.set(ask, resolve));
    this._watch();
    this._wire.send({ ...wanted, view: this.view, ask } as unknown as ToBuilder);
    return answer;
  }

  dispose(): void {
    this._wire.send({ t: 'bye', view: this.view });
    this._stop();
    this._listener = null;
    this._open.clear();
    [this._pause, this._busy, this._again].forEach(timer => window.clearTimeout(timer));
  }

  private _next(): number {
    this._ask += 1;
    return this._ask;
  }

  private _hello(tries: number): void {
    if (this._isFormed || !this._listener) {
      return;
    }
    this._wire.send({ t: 'hello', view: this.view, version: BUILDER_PROTOCOL });
    this._watch();
    this._again = window.setTimeout(() => this._hello(tries + 1), pauseBefore(tries));
  }

  /** One check at a time: while the kernel is busy, only what is typed last waits for it. */
  private _check(): void {
    if (this._checking === 0 && this._typed) {
      this._sent = this._typed;
      this._typed = null;
      this._sendCheck(0);
    }
  }

  private _sendCheck(tries: number): void {
    const { drafts, groups } = (this._sent = this._typed ?? this._sent);
    this._typed = null;
    this._checking = this._next();
    this._wire.send({ t: 'check', view: this.view, ask: this._checking, drafts, groups });
    this._watch();
    window.clearTimeout(this._again);
    this._again = window.setTimeout(() => this._sendCheck(tries + 1), pauseBefore(tries));
  }

  private _heard(message: FromBuilder): void {
    if (message.t === 'place') {
      this._listener?.placed(message.place);
    } else if (message.to !== this.view) {
      this._followOther(message);
    } else if (message.t === 'form') {
      this._form(message);
    } else {
      this._answered(message);
    }
  }

  /** What is typed here and not checked yet goes before what another view has said. */
  private _form(form: IForm): void {
    if (this._isFormed && !this._isIdle()) {
      return;
    }
    window.clearTimeout(this._again);
    this._isFormed = true;
    this._rest();
    this._listener?.formed(form);
  }

  private _isIdle(): boolean {
    return this._isFormed && !this._typed && this._checking === 0;
  }

  private _answered(answer: Answer): void {
    this._open.get(answer.ask)?.(answer);
    this._open.delete(answer.ask);
    if (answer.ask === this._checking) {
      window.clearTimeout(this._again);
      this._checking = 0;
      this._tell(answer);
      this._check();
    }
    this._rest();
  }

  private _tell(answer: Answer): void {
    if (answer.t === 'checked') {
      this._listener?.checked(answer);
    } else if (answer.t === 'failed') {
      this._listener?.failed(answer.why);
    }
  }

  /** Somebody types in another view of this form: show that, unless something is typed here. */
  private _followOther(message: FromBuilder): void {
    if (message.t === 'checked' && this._isIdle()) {
      this._wire.send({ t: 'hello', view: this.view, version: BUILDER_PROTOCOL });
    }
  }

  private _watch(): void {
    window.clearTimeout(this._busy);
    this._busy = window.setTimeout(() => this._say(true), BUSY_AFTER);
  }

  private _rest(): void {
    if (this._isFormed && this._checking === 0 && this._open.size === 0) {
      window.clearTimeout(this._busy);
      this._say(false);
    }
  }

  private _say(isBusy: boolean): void {
    if (isBusy !== this._isBusy) {
      this._isBusy = isBusy;
      this._listener?.busy(isBusy);
    }
  }
}

function pauseBefore(tries: number): number {
  return AGAIN_AFTER[Math.min(tries, AGAIN_AFTER.length - 1)] ?? 0;
}
