/** What the tests of live views share: a wire whose kernel is the test, and states. */

import type { IWire } from '../view/connection';
import { MESSAGE_MIME } from '../view/protocol';
import type { FromKernel, IActivity, IItem, IState, Op, ToKernel } from '../view/protocol';

export const EMPTY: IState = {
  items: [],
  live: null,
  activity: null,
  questions: [],
  earlier: 0,
  talk: 1,
  is_going_on: true,
  pause: null,
  composer: null
};

export class Wire implements IWire {
  readonly sent: ToKernel[] = [];
  readonly #listeners = new Set<(message: FromKernel) => void>();
  #seq = 0;

  send(message: ToKernel): void {
    this.sent.push(message);
  }

  listen(heard: (message: FromKernel) => void): () => void {
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }

  say(message: FromKernel): void {
    this.#listeners.forEach(heard => heard(message));
  }

  state(values: Partial<IState>): void {
    this.say({ t: 'state', seq: this.#seq, to: null, slot: null, state: { ...EMPTY, ...values } });
  }

  patch(...ops: readonly Op[]): void {
    this.#seq += 1;
    this.say({ t: 'patch', seq: this.#seq, ops });
  }

  set(values: Partial<IState>): void {
    this.patch({ op: 'set', values });
  }

  count(t: ToKernel['t']): number {
    return this.sent.filter(message => message.t === t).length;
  }
}

export function activity(kind: IActivity['kind'], values: Partial<IActivity> = {}): IActivity {
  return { kind, agent: 'assistant', what: '', elapsed: 0, remaining: null, ...values };
}

export function message(id: number, text: string): IItem {
  const said = { schema: 1, kind: 'message', sender: 'assistant', recipient: 'user', colour: 1, text };
  return { id, kind: 'bundle', bundle: { data: { [MESSAGE_MIME]: said }, metadata: {} } };
}

export function stream(id: number, text: string): IItem {
  const data = { 'application/vnd.jupyter.stdout': text };
  return { id, kind: 'output', bundle: { data, metadata: {} } };
}
