import { BuilderConnection } from '../view/builderConnection';
import type { IBuilderListener, IBuilderWire } from '../view/builderConnection';
import type { ITyped } from '../view/builderDrafts';
import type { FromBuilder, IDraft, ToBuilder } from '../view/builderProtocol';

const PLACE = { agents: [], functions: [], models: [], default_model: '' };

function draft(name: string): IDraft {
  const texts = {
    id: 'a',
    basis: '',
    kind: 'assistant',
    name,
    variable: '',
    description: '',
    model_name: '',
    kept_model: ''
  };
  const choices = { system_message: null, model: null, human_input_mode: null, code: null };
  return { ...texts, ...choices, work_dir: '', timeout: '', max_replies: '', tools: {} };
}

function typed(name: string): ITyped {
  return { drafts: [draft(name)], groups: [] };
}

/** A wire of which the test is the kernel. */
class Wire implements IBuilderWire {
  readonly sent: ToBuilder[] = [];
  private _heard: ((message: FromBuilder) => void) | null = null;

  send(message: ToBuilder): void {
    this.sent.push(message);
  }

  listen(heard: (message: FromBuilder) => void): () => void {
    this._heard = heard;
    return () => (this._heard = null);
  }

  deliver(message: FromBuilder): void {
    this._heard?.(message);
  }

  of<T extends ToBuilder['t']>(t: T): Extract<ToBuilder, { t: T }>[] {
    return this.sent.filter((one): one is Extract<ToBuilder, { t: T }> => one.t === t);
  }
}

function connected(): { wire: Wire; connection: BuilderConnection; listener: jest.Mocked<IBuilderListener> } {
  const wire = new Wire();
  const connection = new BuilderConnection(wire);
  const listener = {
    formed: jest.fn(),
    placed: jest.fn(),
    checked: jest.fn(),
    failed: jest.fn(),
    busy: jest.fn()
  };
  connection.connect(listener);
  wire.deliver({
    t: 'form',
    to: connection.view,
    version: 1,
    kinds: [],
    place: PLACE,
    drafts: [],
    groups: []
  });
  return { wire, connection, listener };
}

function checked(connection: BuilderConnection, ask: number, to = connection.view): FromBuilder {
  return { t: 'checked', to, ask, problems: [], variables: {}, code: `# ${ask}`, left_out: [], groups: {} };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('the form is asked for again when no answer comes', () => {
  const wire = new Wire();
  new BuilderConnection(wire).connect({
    formed: jest.fn(),
    placed: jest.fn(),
    checked: jest.fn(),
    failed: jest.fn(),
    busy: jest.fn()
  });

  jest.advanceTimersByTime(7000);

  expect(wire.of('hello')).toHaveLength(3);
});

test('one check is sent when keys are pressed quickly', () => {
  const { wire, connection } = connected();

  ['w', 'wr', 'wri'].forEach(name => connection.changed(typed(name)));
  jest.advanceTimersByTime(200);

  expect(wire.of('check').map(one => one.drafts[0]?.name)).toEqual(['wri']);
});

test('only what was typed last waits when the kernel is busy', () => {
  const { wire, connection, listener } = connected();
  connection.changed(typed('a'));
  jest.advanceTimersByTime(200);
  connection.changed(typed('b'));
  jest.advanceTimersByTime(200);
  connection.changed(typed('c'));
  jest.advanceTimersByTime(1000);

  const before = wire.of('check').length;
  wire.deliver(checked(connection, wire.of('check')[0]?.ask ?? 0));

  expect(before).toBe(1);
  expect(wire.of('check').map(one => one.drafts[0]?.name)).toEqual(['a', 'c']);
  expect(listener.busy.mock.calls).toEqual([[true]]);
});

test('it is said that the kernel is busy until it answers', () => {
  const { wire, connection, listener } = connected();
  connection.changed(typed('a'));

  jest.advanceTimersByTime(1500);
  wire.deliver(checked(connection, wire.of('check')[0]?.ask ?? 0));

  expect(listener.busy.mock.calls).toEqual([[true], [false]]);
});

test('a check is sent again when its answer is lost, and the late one counts for nothing', () => {
  const { wire, connection, listener } = connected();
  connection.changed(typed('a'));

  jest.advanceTimersByTime(2500);
  const [first, second] = wire.of('check').map(one => one.ask);
  wire.deliver(checked(connection, first ?? 0));
  wire.deliver(checked(connection, second ?? 0));

  expect(listener.checked.mock.calls.map(([answer]) => answer.code)).toEqual([`# ${second}`]);
});

test('requests get their own answers when these come in another order', async () => {
  const { wire, connection } = connected();
  const [load, find] = [connection.ask({ t: 'load', variable: 'x' }), connection.ask({ t: 'find_models' })];
  const [one, other] = [wire.of('load')[0]?.ask ?? 0, wire.of('find_models')[0]?.ask ?? 0];

  wire.deliver({ t: 'found', to: connection.view, ask: other, server: 's', names: [] });
  wire.deliver({ t: 'loaded', to: connection.view, ask: one, draft: null, why: 'w' });

  expect([(await load).t, (await find).t]).toEqual(['loaded', 'found']);
});

test('what another view has typed is asked for when nothing is typed here', () => {
  const { wire, connection, listener } = connected();

  wire.deliver(checked(connection, 1, 'other'));
  wire.deliver({
    t: 'form',
    to: connection.view,
    version: 1,
    kinds: [],
    place: PLACE,
    drafts: [draft('theirs')],
    groups: []
  });

  expect(wire.of('hello')).toHaveLength(2);
  expect(listener.formed).toHaveBeenCalledTimes(2);
});

test('what is typed here stays when another view has typed something else', () => {
  const { wire, connection, listener } = connected();
  connection.changed(typed('mine'));

  wire.deliver(checked(connection, 1, 'other'));
  wire.deliver({
    t: 'form',
    to: connection.view,
    version: 1,
    kinds: [],
    place: PLACE,
    drafts: [draft('theirs')],
    groups: []
  });

  expect(listener.formed).toHaveBeenCalledTimes(1);
});

test('nothing is heard or sent when the view is gone', () => {
  const { wire, connection, listener } = connected();
  connection.changed(typed('a'));

  connection.dispose();
  jest.advanceTimersByTime(60_000);
  wire.deliver({ t: 'place', place: PLACE });

  expect(wire.of('check')).toHaveLength(0);
  expect(listener.placed).not.toHaveBeenCalled();
});
