import { Connection } from '../view/connection';
import type { ClosedBy, IListener, IWire } from '../view/connection';
import { applied, Feed, newId, pageId } from '../view/feed';
import type { FromKernel, IItem, IQuestion, IState, Op, ToKernel } from '../view/protocol';

const EMPTY: IState = {
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

function item(id: number, text = `text ${id}`): IItem {
  return { id, kind: 'output', bundle: { data: { 'application/vnd.jupyter.stdout': text }, metadata: {} } };
}

function question(id: string): IQuestion {
  return {
    id,
    kind: 'text',
    text: 'Your reply?',
    agent: 'user',
    sender: 'assistant',
    choices: [],
    code: '',
    language: '',
    facts: null,
    otherwise: '',
    remaining: null,
    empty: 'auto'
  };
}

/** A wire whose kernel is the test. */
class Wire implements IWire {
  readonly sent: ToKernel[] = [];
  readonly #listeners = new Set<(message: FromKernel) => void>();

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

  count(t: ToKernel['t']): number {
    return this.sent.filter(message => message.t === t).length;
  }
}

/** Writes down what it hears, and makes a state of its own of the changes. */
class Listener implements IListener {
  state: IState | null = null;
  readonly closings: [string, ClosedBy][] = [];
  leavings = 0;

  replaced(state: IState): void {
    this.state = state;
  }

  changed(_state: IState, ops: readonly Op[]): void {
    this.state = ops.reduce(applied, this.state as IState);
  }

  closed(id: string, by: ClosedBy): void {
    this.closings.push([id, by]);
  }

  leaving(): void {
    this.leavings += 1;
  }
}

function opened(): { wire: Wire; listener: Listener; connection: Connection } {
  const wire = new Wire();
  const listener = new Listener();
  const connection = new Connection(wire);
  connection.open(listener);
  return { wire, listener, connection };
}

const LIVE = { sender: 'assistant', recipient: 'user', colour: 1, depth: 0, label: '', talk: 1, text: '' };

/** A page that attends, and a way to draw one more view on it. */
function attended(): { wire: Wire; view: () => { listener: Listener; connection: Connection } } {
  const wire = new Wire();
  const feed = new Feed(wire);
  feed.attend();
  const view = (): { listener: Listener; connection: Connection } => {
    const listener = new Listener();
    const connection = new Connection(wire, feed);
    connection.open(listener);
    return { listener, connection };
  };
  return { wire, view };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('a page', () => {
  it('says hello once and answers every ping once, with how many views it has', () => {
    const { wire, view } = attended();
    view();
    const second = view();

    wire.say({ t: 'ping', seq: 0 });
    second.connection.dispose();
    wire.say({ t: 'ping', seq: 0 });

    expect(wire.sent.filter(({ t }) => t === 'hello')).toEqual([{ t: 'hello', page: pageId() }]);
    expect(wire.sent.filter(({ t }) => t === 'pong')).toEqual([
      { t: 'pong', page: pageId(), views: 2 },
      { t: 'pong', page: pageId(), views: 1 }
    ]);
  });

  it('asks the kernel for nothing when one view follows another', () => {
    const { wire, view } = attended();
    const first = view();
    wire.say({ t: 'state', seq: 0, to: pageId(), slot: 0, state: { ...EMPTY, items: [item(1)] } });
    first.connection.dispose();
    const before = wire.sent.length;

    wire.say({ t: 'patch', seq: 1, ops: [{ op: 'slot' }, { op: 'set', values: { live: LIVE } }] });
    wire.say({ t: 'patch', seq: 2, ops: [{ op: 'text', text: 'Hello' }] });
    const second = view();
    wire.say({ t: 'patch', seq: 3, ops: [{ op: 'item', item: item(2) }] });
    const atOnce = second.listener.state;
    jest.advanceTimersByTime(0);

    expect(atOnce).toBeNull(); // it is not on the page yet
    expect(wire.sent).toHaveLength(before);
    expect(second.listener.state).toEqual({ ...EMPTY, live: { ...LIVE, text: 'Hello' }, items: [item(2)] });
  });

  it('shows in every view what came since its slot began, also when the whole state comes again', () => {
    const { wire, view } = attended();
    const first = view();
    wire.say({ t: 'state', seq: 0, to: pageId(), slot: 1, state: { ...EMPTY, items: [item(1), item(2)] } });
    wire.say({ t: 'patch', seq: 1, ops: [{ op: 'slot' }, { op: 'item', item: item(3) }] });
    const second = view();
    const shown = [first, second].map(one => one.connection.state.items);

    wire.say({ t: 'patch', seq: 3, ops: [] });
    const asked = wire.sent.at(-1);
    const items = [item(2), item(3), item(4)];
    wire.say({ t: 'state', seq: 3, to: pageId(), slot: 2, state: { ...EMPTY, items } });

    expect(shown).toEqual([[item(2), item(3)], [item(3)]]);
    expect(asked).toEqual({ t: 'sync', page: pageId(), views: 2, first: 2, earlier: false });
    expect([first, second].map(one => one.connection.state.items)).toEqual([items, [item(3), item(4)]]);
  });

  it('shows all there is in every view when it was loaded in the midst of the chat', () => {
    const { wire, view } = attended();
    view();
    wire.say({
      t: 'state',
      seq: 0,
      to: pageId(),
      slot: null,
      state: { ...EMPTY, items: [item(1)], earlier: 4 }
    });

    wire.say({ t: 'patch', seq: 1, ops: [{ op: 'slot' }, { op: 'item', item: item(2) }] });

    expect(view().connection.state).toEqual({ ...EMPTY, items: [item(1), item(2)], earlier: 4 });
  });

  it('asks for what it has missed when there is a view of it again', () => {
    const { wire, view } = attended();
    const first = view();
    wire.say({ t: 'state', seq: 0, to: pageId(), slot: 0, state: EMPTY });
    first.connection.dispose();
    wire.say({ t: 'ping', seq: 5 });
    jest.advanceTimersByTime(60_000);
    const before = wire.count('sync');

    const second = view();

    expect([before, wire.count('sync')]).toEqual([1, 2]);
    expect(second.listener.state).toBeNull();
  });

  it('counts on what the kernel has said of seconds when a view begins later', () => {
    const { wire, view } = attended();
    view();
    const waiting = { kind: 'retry', agent: 'a', what: '', elapsed: 1, remaining: 8 } as const;
    const questions = [{ ...question('q1'), remaining: 3 }];
    wire.say({ t: 'state', seq: 0, to: pageId(), slot: 0, state: { ...EMPTY, questions } });
    jest.advanceTimersByTime(1000);
    wire.say({ t: 'patch', seq: 1, ops: [{ op: 'set', values: { activity: waiting } }] });
    jest.advanceTimersByTime(4000);

    const { listener } = view();
    jest.advanceTimersByTime(0);
    const { state } = listener;

    expect(state?.activity).toEqual({ ...waiting, elapsed: 5, remaining: 4 });
    expect(state?.questions[0]?.remaining).toBe(0);
  });
});

describe('a connection', () => {
  it('makes a state of the whole and of the patches that follow', () => {
    const { wire, listener, connection } = opened();
    const live = LIVE;

    wire.say({ t: 'state', seq: 4, to: pageId(), slot: null, state: { ...EMPTY, live } });
    wire.say({
      t: 'patch',
      seq: 5,
      ops: [
        { op: 'text', text: 'Hello' },
        { op: 'item', item: item(1) }
      ]
    });
    wire.say({
      t: 'patch',
      seq: 6,
      ops: [
        { op: 'text', text: ', you' },
        { op: 'stream', id: 1, text: '!' }
      ]
    });

    expect(connection.state.live?.text).toBe('Hello, you');
    expect(connection.state.items).toEqual([item(1, 'text 1!')]);
    expect(listener.state).toEqual(connection.state);
  });

  it('ignores the state of another view, of the past, and a patch that comes twice', () => {
    const { wire, connection } = opened();
    wire.say({ t: 'state', seq: 4, to: null, slot: null, state: { ...EMPTY, items: [item(1)] } });
    wire.say({ t: 'patch', seq: 5, ops: [{ op: 'item', item: item(2) }] });

    wire.say({ t: 'state', seq: 9, to: newId(), slot: null, state: EMPTY });
    wire.say({ t: 'state', seq: 4, to: pageId(), slot: null, state: EMPTY });
    wire.say({ t: 'patch', seq: 5, ops: [{ op: 'stream', id: 2, text: 'twice' }] });

    expect(connection.state.items).toEqual([item(1), item(2)]);
  });

  it('asks for the state once when a patch is missing, and takes the later ones when it has come', () => {
    const { wire, connection } = opened();
    wire.say({ t: 'state', seq: 0, to: null, slot: null, state: EMPTY });
    const before = wire.count('sync');

    wire.say({ t: 'patch', seq: 2, ops: [{ op: 'item', item: item(2) }] });
    wire.say({ t: 'patch', seq: 3, ops: [{ op: 'item', item: item(3) }] });
    const asked = wire.count('sync') - before;
    wire.say({ t: 'state', seq: 1, to: pageId(), slot: null, state: { ...EMPTY, items: [item(1)] } });

    expect(asked).toBe(1);
    expect(connection.state.items).toEqual([item(1), item(2), item(3)]);
  });

  it('takes a patch that comes late without the whole state', () => {
    const { wire, connection } = opened();
    wire.say({ t: 'state', seq: 0, to: null, slot: null, state: EMPTY });

    wire.say({ t: 'patch', seq: 2, ops: [{ op: 'item', item: item(2) }] });
    wire.say({ t: 'patch', seq: 1, ops: [{ op: 'item', item: item(1) }] });
    jest.advanceTimersByTime(60_000);

    expect(connection.state.items).toEqual([item(1), item(2)]);
    expect(wire.count('sync')).toBe(2);
  });

  it('asks ever more rarely when nobody answers, and at once when the kernel speaks', () => {
    const { wire } = opened();
    jest.advanceTimersByTime(499);
    const soon = wire.count('sync');
    jest.advanceTimersByTime(60_000);
    const later = wire.count('sync');

    wire.say({ t: 'ping', seq: 0 });

    expect(soon).toBe(1);
    expect(later).toBeGreaterThan(5);
    expect(later).toBeLessThan(14);
    expect(wire.count('sync')).toBe(later + 1);
  });

  it('asks for the state when a ping tells of a patch that has not come', () => {
    const { wire } = opened();
    wire.say({ t: 'state', seq: 7, to: null, slot: null, state: EMPTY });
    const before = wire.count('sync');

    wire.say({ t: 'ping', seq: 7 });
    const quiet = wire.count('sync');
    wire.say({ t: 'ping', seq: 8 });

    expect(quiet).toBe(before);
    expect(wire.count('sync')).toBe(before + 1);
  });

  it('gives an answer again until the kernel has closed the question', () => {
    const { wire, listener, connection } = opened();
    wire.say({ t: 'state', seq: 0, to: null, slot: null, state: { ...EMPTY, questions: [question('q1')] } });
    connection.answer('q1', { action: 'reply', text: 'yes' });

    wire.say({ t: 'ping', seq: 0 });
    const early = wire.count('answer');
    jest.advanceTimersByTime(2500);
    wire.say({ t: 'ping', seq: 0 });
    const late = wire.count('answer');
    wire.say({ t: 'closed', id: 'q1', by: connection.view });
    jest.advanceTimersByTime(2500);
    wire.say({ t: 'ping', seq: 0 });

    expect([early, late, wire.count('answer')]).toEqual([1, 2, 2]);
    expect(listener.closings).toEqual([['q1', 'me']]);
  });

  it.each([
    [null, 'nobody'],
    ['another', 'other']
  ])('says who closed a question when it was %s', (by, expected) => {
    const { wire, listener } = opened();

    wire.say({ t: 'closed', id: 'q1', by });

    expect(listener.closings).toEqual([['q1', expected]]);
  });

  it('gives what was seen to who looked, and nothing when the kernel is too busy', async () => {
    const { wire, connection } = opened();
    const found = connection.look({ prefix: 'd', text: '', attached: [] });
    const lost = connection.look({ prefix: 'x', text: '', attached: [] });
    const [asked] = wire.sent.filter(message => message.t === 'look');

    wire.say({ t: 'seen', ask: asked?.ask ?? -1, names: [{ name: 'df', kind: 'DataFrame' }], text: '' });
    jest.advanceTimersByTime(6000);

    expect((await found).names).toEqual([{ name: 'df', kind: 'DataFrame' }]);
    expect(await lost).toEqual({ names: [], text: '' });
  });

  it('gives what was undone to who asked for it, and fails when the kernel is too busy', async () => {
    const { wire, connection } = opened();
    const undone = { restored: ['x'], left: {}, reason: '' };
    const answered = connection.undo('a-1');
    const lost = connection.undo('a-2');

    wire.say({ t: 'undone', block: 'a-1', undone });
    wire.say({ t: 'undone', block: 'a-1', undone: { ...undone, restored: [] } });
    jest.advanceTimersByTime(6000);

    expect(wire.sent).toContainEqual({ t: 'undo', view: connection.view, block: 'a-1' });
    await expect(answered).resolves.toEqual(undone);
    await expect(lost).rejects.toThrow('not answered');
  });

  it('hears nothing more when it is disposed', () => {
    const { wire, listener, connection } = opened();
    connection.dispose();

    wire.say({ t: 'state', seq: 0, to: null, slot: null, state: EMPTY });
    jest.advanceTimersByTime(60_000);

    expect(listener.state).toBeNull();
    expect(wire.count('sync')).toBe(1);
  });
});

/** A kernel behind a channel that loses, doubles and reorders in both directions. */
class LossyKernel {
  state: IState = { ...EMPTY, live: { ...LIVE, sender: 'a', recipient: 'b' } };
  seq = 0;
  #way: FromKernel[] = [];
  readonly #wire: Wire;
  readonly #random: () => number;
  #heard = 0;

  constructor(wire: Wire, random: () => number) {
    this.#wire = wire;
    this.#random = random;
  }

  change(op: Op): void {
    this.state = applied(this.state, op);
    this.#send({ t: 'patch', seq: ++this.seq, ops: [op] });
  }

  ping(): void {
    this.#send({ t: 'ping', seq: this.seq });
  }

  /** Something arrives, in some order; requests of the page are answered. */
  step(isLossy: boolean): void {
    for (const message of this.#wire.sent.slice(this.#heard)) {
      const isLost = isLossy && this.#random() < 0.3;
      if (message.t === 'sync' && !isLost) {
        this.#send({ t: 'state', seq: this.seq, to: message.page, slot: null, state: this.state });
      }
    }
    this.#heard = this.#wire.sent.length;
    const arriving = this.#way;
    this.#way = [];
    arriving.flatMap(message => this.#fate(message, isLossy)).forEach(message => this.#wire.say(message));
  }

  #send(message: FromKernel): void {
    this.#way.push(message);
  }

  #fate(message: FromKernel, isLossy: boolean): FromKernel[] {
    const chance = isLossy ? this.#random() : 1;
    if (chance < 0.25) {
      return [];
    }
    if (chance < 0.4) {
      this.#way.push(message); // comes later than what was sent after it
      return [];
    }
    return chance < 0.5 ? [message, message] : [message];
  }
}

/** Numbers that look random and are the same in every run (mulberry32). */
function randomFrom(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomOp(random: () => number, step: number): Op {
  const chance = random();
  if (chance < 0.6) {
    return { op: 'text', text: `<${step}>` };
  }
  if (chance < 0.8) {
    return { op: 'item', item: item(Math.floor(random() * (step + 1))) };
  }
  return chance < 0.95
    ? { op: 'stream', id: Math.floor(random() * (step + 1)), text: `{${step}}` }
    : { op: 'set', values: { live: { ...LIVE, sender: 'a', recipient: 'b', text: `turn ${step}: ` } } };
}

describe('a channel that loses, doubles and reorders', () => {
  it.each(Array.from({ length: 200 }, (_, seed) => [seed]))(
    'leaves everything there exactly once (seed %i)',
    seed => {
      const random = randomFrom(seed);
      const { wire, listener, connection } = opened();
      const kernel = new LossyKernel(wire, random);

      for (let step = 0; step < 120; step++) {
        kernel.change(randomOp(random, step));
        if (random() < 0.1) {
          kernel.ping();
        }
        kernel.step(true);
        jest.advanceTimersByTime(33);
      }
      for (let step = 0; step < 4; step++) {
        jest.advanceTimersByTime(500);
        kernel.ping();
        kernel.step(false);
      }

      expect(connection.state).toEqual(kernel.state);
      expect(listener.state).toEqual(kernel.state);
    }
  );
});
