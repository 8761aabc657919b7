import { Connection } from '../view/connection';
import { Feed } from '../view/feed';
import { LiveView } from '../view/live';
import type { IPause, IState } from '../view/protocol';
import { labelled, question } from './asking';
import { activity, Wire } from './wire';

function opened(
  values: Partial<IState> = {},
  wire = new Wire(),
  feed?: Feed
): { wire: Wire; view: LiveView; root: HTMLElement } {
  const view = new LiveView(new Connection(wire, feed), {});
  document.body.append(view.node);
  wire.state(values);
  return { wire, view, root: view.node };
}

function pause(phase: IPause['phase'], next: Partial<IPause> = {}): IPause {
  return { phase, agent: '', next: '', ...next };
}

/** The buttons that are there, in their order. */
function buttons(root: HTMLElement): string[] {
  const found = root.querySelectorAll<HTMLButtonElement>('.jp-agents-LiveView-controls button');
  return [...found].filter(({ hidden }) => !hidden).map(({ textContent }) => textContent ?? '');
}

function words(root: HTMLElement): string | null {
  const node = root.querySelector<HTMLElement>('.jp-agents-Standstill');
  return node?.hidden ? null : [...(node?.children ?? [])].map(one => one.textContent).join('|');
}

function readAloud(root: HTMLElement): string {
  return root.querySelectorAll(':scope > [role="status"]')[1]?.textContent ?? '';
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  document.body.replaceChildren();
});

describe('the buttons of a chat', () => {
  it.each<[string, Partial<IState>, readonly string[]]>([
    ['goes on', {}, ['Pause', 'Stop']],
    ['runs code', { activity: activity('code') }, ['Interrupt code', 'Pause', 'Stop']],
    ['comes to rest', { pause: pause('pausing') }, ['Resume', 'Stop']],
    ['rests', { pause: pause('paused') }, ['Resume', 'Step', 'Stop']],
    ['makes a step', { pause: pause('stepping') }, ['Resume', 'Step', 'Stop']],
    ['asks', { questions: [question()] }, []],
    ['asks while it makes a step', { questions: [question()], pause: pause('stepping') }, ['Resume', 'Step']],
    ['is over', { is_going_on: false, pause: pause('paused') }, []]
  ])('are those that are of use when it %s', (_, state, expected) => {
    const { root } = opened(state);

    expect(buttons(root)).toEqual(expected);
  });

  it('say what was pressed, once, until the kernel has done it', () => {
    const { wire, root } = opened();
    const toggle = labelled(root, 'Pause');

    toggle.click();
    toggle.click();
    const waiting = toggle.getAttribute('aria-disabled');
    wire.set({ pause: pause('paused') });
    toggle.click();
    labelled(root, 'Step').click();

    expect([wire.count('pause'), waiting, wire.count('resume'), wire.count('step')]).toEqual([
      1,
      'true',
      1,
      1
    ]);
    expect(toggle.textContent).toBe('Resume');
  });

  it('can be pressed again after a while when the kernel has not heard', () => {
    const { wire, root } = opened();
    labelled(root, 'Pause').click();

    jest.advanceTimersByTime(3000);
    labelled(root, 'Pause').click();

    expect(wire.count('pause')).toBe(2);
  });

  it('make one step at a time', () => {
    const { wire, root } = opened({ pause: pause('paused') });
    const step = labelled(root, 'Step');
    step.click();
    wire.set({ pause: pause('stepping') });
    jest.advanceTimersByTime(10_000);
    step.click();
    const during = [wire.count('step'), step.getAttribute('aria-disabled')];

    wire.set({ pause: pause('paused') });
    step.click();

    expect([during, wire.count('step')]).toEqual([[1, 'true'], 2]);
  });

  it('keep the focus where it is, through a pause and steps', () => {
    const { wire, root } = opened();
    const toggle = labelled(root, 'Pause');
    toggle.focus();
    toggle.click();
    wire.set({ pause: pause('pausing') });
    wire.set({ pause: pause('paused') });
    const paused = document.activeElement?.textContent;
    labelled(root, 'Step').focus();
    wire.set({ pause: pause('stepping') });
    const stepping = document.activeElement?.textContent;

    wire.set({ pause: null });

    expect([paused, stepping]).toEqual(['Resume', 'Step']);
    expect(document.activeElement).toBe(labelled(root, 'Pause'));
  });

  it('give the focus to the same one in the view that comes next', () => {
    const wire = new Wire();
    const feed = new Feed(wire);
    feed.attend();
    const first = opened({ pause: pause('paused') }, wire, feed);
    labelled(first.root, 'Step').focus();

    first.view.dispose();
    const second = opened({ pause: pause('stepping') }, wire, feed);
    jest.advanceTimersByTime(10);

    expect(document.activeElement).toBe(labelled(second.root, 'Step'));
  });

  it('leave the focus alone when the person has gone elsewhere meanwhile', () => {
    const elsewhere = document.createElement('textarea');
    document.body.append(elsewhere);
    const wire = new Wire();
    const feed = new Feed(wire);
    feed.attend();
    const first = opened({ pause: pause('paused') }, wire, feed);
    labelled(first.root, 'Step').focus();
    first.view.dispose();

    elsewhere.focus();
    opened({ pause: pause('stepping') }, wire, feed);
    jest.advanceTimersByTime(10);

    expect(document.activeElement).toBe(elsewhere);
  });

  it('leave no timer behind', () => {
    const { view, root } = opened({ pause: pause('paused') });
    labelled(root, 'Step').click();

    view.dispose();
    jest.runOnlyPendingTimers();

    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a pause', () => {
  it.each<[Partial<IPause>, string]>([
    [{}, 'Paused|'],
    [{ agent: 'writer', next: 'reply' }, 'Paused|Next to speak: writer'],
    [{ agent: 'user', next: 'code' }, 'Paused|Next to run code: user'],
    [{ agent: 'user', next: 'tool' }, 'Paused|Next to call tools: user'],
    [{ agent: 'user', next: 'person' }, 'Paused|Next to be asked: user'],
    [{ next: 'reply' }, 'Paused|']
  ])('says what comes next (%#)', (next, expected) => {
    const { root } = opened({ pause: pause('paused', next) });

    expect(words(root)).toBe(expected);
  });

  it('says what is let come to its end', () => {
    const { wire, root } = opened({ activity: activity('code', { elapsed: 2 }), pause: pause('pausing') });
    const running = words(root);

    wire.set({ activity: null, questions: [question()] });

    expect([running, words(root)]).toEqual(['Pausing after this…|', 'Pausing after the answer…|']);
  });

  it('is none yet while the model of another chat still writes', () => {
    const { wire, root } = opened({ activity: activity('model', { elapsed: 2 }), pause: pause('paused') });
    const writing = words(root);

    wire.set({ activity: null });

    expect([writing, words(root)]).toEqual(['Pausing after this…|', 'Paused|']);
  });

  it('is read aloud, as is its end, and a step is not', () => {
    const { wire, root } = opened();
    const heard: string[] = [];

    for (const phase of ['pausing', 'paused', 'stepping', 'paused'] as const) {
      wire.set({ pause: pause(phase, { agent: 'writer', next: 'reply' }) });
      heard.push(readAloud(root));
    }
    wire.set({ pause: null });

    const rest = 'Paused · Next to speak: writer';
    expect(heard).toEqual(['Pausing after this…', rest, '', rest]);
    expect(readAloud(root)).toBe('The chat goes on.');
  });
});
