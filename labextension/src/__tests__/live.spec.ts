import { Connection } from '../view/connection';
import { LiveView } from '../view/live';
import type { IState } from '../view/protocol';
import { field, labelled, press, question, type } from './asking';
import { activity, message, stream, Wire } from './wire';

const LIVE = { sender: 'assistant', recipient: 'user', colour: 1, depth: 0, label: '', talk: 1, text: '' };

function opened(values: Partial<IState> = {}): { wire: Wire; view: LiveView; root: HTMLElement } {
  const wire = new Wire();
  const view = new LiveView(new Connection(wire), {});
  document.body.append(view.node);
  wire.state(values);
  return { wire, view, root: view.node };
}

function status(root: HTMLElement): string {
  return root.querySelector(':scope > [role="status"]')?.textContent ?? '';
}

function messages(root: HTMLElement): Element[] {
  return [...root.querySelectorAll('.jp-agents-LiveView-items > .jp-agents-Message')];
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  document.body.replaceChildren();
});

describe('what was said', () => {
  it('keeps the nodes of messages that are there already, whatever else comes', () => {
    const { wire, root } = opened({ items: [message(1, 'one'), message(2, 'two')] });
    const before = messages(root);

    wire.patch({ op: 'item', item: message(3, 'three') });
    wire.state({ items: [message(1, 'one'), message(2, 'two'), message(3, 'three')] });

    expect(messages(root).slice(0, 2)).toEqual(before);
    expect(messages(root)[0]).toBe(before[0]);
    expect(messages(root)).toHaveLength(3);
  });

  it('puts another message in the place of that with its id, and earlier ones before it', () => {
    const { wire, root } = opened({ items: [message(5, 'five')], earlier: 1 });
    const five = messages(root)[0];

    wire.state({ items: [message(4, 'four'), message(5, 'five')] });
    const order = messages(root).map(node => node.querySelector('p')?.textContent);
    wire.patch({ op: 'item', item: message(4, 'FOUR') });

    expect(order).toEqual(['four', 'five']);
    expect(messages(root)[1]).toBe(five);
    expect(messages(root)[0]?.querySelector('p')?.textContent).toBe('FOUR');
  });

  it('asks for earlier messages, and can ask again when none come', () => {
    const { wire, root } = opened({ earlier: 12 });
    const earlier = labelled(root, 'Show 12 earlier messages');

    earlier.click();
    const disabled = earlier.disabled;
    jest.advanceTimersByTime(3000);

    expect(wire.sent.at(-1)).toMatchObject({ t: 'sync' });
    expect(wire.sent.some(sent => sent.t === 'sync' && sent.earlier)).toBe(true);
    expect([disabled, earlier.disabled]).toEqual([true, false]);
  });

  it('lets an output grow', () => {
    const { wire, root } = opened({ items: [stream(1, 'epoch 1\n')] });

    wire.patch({ op: 'stream', id: 1, text: 'epoch 2\n' });

    expect(root.querySelector('.jp-agents-LiveOutput')?.textContent).toBe('epoch 1\nepoch 2\n');
  });
});

describe('what is being said', () => {
  it('streams into one node and gives way to the message in one step', () => {
    const { wire, root } = opened({ live: LIVE });
    const turn = root.querySelector('.jp-agents-mod-live');
    wire.patch({ op: 'text', text: 'Hello, ' });
    wire.patch({ op: 'text', text: '**you**' });
    jest.advanceTimersByTime(50);
    const streamed = root.querySelector('.jp-agents-mod-live');
    const text = streamed?.querySelector('.jp-agents-Markdown')?.textContent;

    wire.patch({ op: 'item', item: message(1, 'Hello, **you**') }, { op: 'set', values: { live: null } });

    expect(streamed).toBe(turn);
    expect(text?.trim()).toBe('Hello, you');
    expect(root.querySelector('.jp-agents-mod-live')).toBeNull();
    expect(messages(root)).toHaveLength(1);
  });

  it('says once who begins and once what came of it, and nothing in between', () => {
    const { wire, root } = opened();
    wire.set({ live: LIVE });
    const begun = status(root);

    wire.patch({ op: 'text', text: 'A long reply. ' });
    wire.patch({ op: 'text', text: 'It goes on.' });
    const between = status(root);
    const log = root.querySelector('[role="log"]');
    const busy = [log?.getAttribute('aria-live'), log?.getAttribute('aria-busy')];
    wire.set({ live: null });

    expect([begun, between]).toEqual(['assistant is writing.', 'assistant is writing.']);
    expect(busy).toEqual(['off', 'true']);
    expect(status(root)).toBe('assistant: A long reply. It goes on.');
    expect(log?.getAttribute('aria-busy')).toBe('false');
  });

  it('estimates tokens and counts seconds from where the kernel was', () => {
    const { wire, root } = opened({ live: LIVE, activity: activity('model', { elapsed: 3 }) });

    wire.patch({ op: 'text', text: 'x'.repeat(400) });
    jest.advanceTimersByTime(2000);

    expect(root.querySelector('.jp-agents-Message-figures')?.textContent).toBe('5 s≈ 100 tokens');
  });

  it('begins anew when a resync brings another text', () => {
    const { wire, root } = opened({ live: { ...LIVE, text: 'First' } });

    wire.state({ live: { ...LIVE, text: 'Second' } });
    jest.advanceTimersByTime(50);

    expect(root.querySelector('.jp-agents-mod-live .jp-agents-Markdown')?.textContent?.trim()).toBe('Second');
    expect(root.querySelectorAll('.jp-agents-mod-live')).toHaveLength(1);
  });
});

describe('text that streams in a page on which things may move', () => {
  const words = 'word '.repeat(100);

  beforeEach(() => {
    globalThis.matchMedia = jest.fn(() => ({ matches: true }) as MediaQueryList);
  });
  afterEach(() => {
    Reflect.deleteProperty(globalThis, 'matchMedia');
    Reflect.deleteProperty(document, 'hidden');
  });

  function shown(root: HTMLElement): number {
    return root.querySelector('.jp-agents-mod-live .jp-agents-Markdown')?.textContent?.length ?? 0;
  }

  it('is shown bit by bit, and all of it before the next lot comes', () => {
    const { wire, root } = opened({ live: LIVE });
    const lengths = [];

    wire.patch({ op: 'text', text: words });
    for (let frame = 0; frame < 10; frame++) {
      lengths.push(shown(root));
      jest.advanceTimersByTime(16);
    }

    const growing = lengths.slice(1, 7);
    expect(growing).toEqual([...new Set(growing)].sort((a, b) => a - b));
    expect(growing[1]).toBeLessThan(100);
    expect(shown(root)).toBeGreaterThanOrEqual(words.length - 1);
  });

  it('is taken back when the reply begins anew, be it shown already or not', () => {
    const { wire, root } = opened({ live: LIVE });

    wire.patch({ op: 'text', text: words });
    wire.patch({ op: 'set', values: { live: { ...LIVE, text: '' } } });
    wire.patch({ op: 'text', text: 'Anew.' });
    jest.advanceTimersByTime(500);

    const said = root.querySelector('.jp-agents-mod-live .jp-agents-Markdown');
    expect(said?.textContent?.trim()).toBe('Anew.');
    expect(root.querySelectorAll('.jp-agents-mod-live')).toHaveLength(1);
  });

  it('falls never behind what comes, however often that is', () => {
    const { wire, root } = opened({ live: LIVE });

    for (let lot = 0; lot < 50; lot++) {
      wire.patch({ op: 'text', text: words });
      jest.advanceTimersByTime(100);
    }
    const behind = 50 * words.length - shown(root);
    jest.advanceTimersByTime(150);

    expect(behind).toBeLessThan(words.length);
    expect(shown(root)).toBeGreaterThanOrEqual(50 * words.length - 1);
  });

  it('is there at once when the page is hidden', () => {
    const { wire, root } = opened({ live: LIVE });
    wire.patch({ op: 'text', text: words });

    hide();
    wire.patch({ op: 'text', text: words });
    jest.advanceTimersByTime(20);

    expect(shown(root)).toBeGreaterThanOrEqual(2 * words.length - 1);
  });

  it('is known to its last word when the turn ends', () => {
    const { wire, root } = opened({ live: LIVE });
    wire.patch({ op: 'text', text: 'All of it.' });

    wire.set({ live: null });

    expect(status(root)).toBe('assistant: All of it.');
  });

  it('is there at once for whoever prefers that nothing moves', () => {
    globalThis.matchMedia = jest.fn(() => ({ matches: false }) as MediaQueryList);
    const { wire, root } = opened({ live: LIVE });

    wire.patch({ op: 'text', text: words });
    jest.advanceTimersByTime(50);

    expect(globalThis.matchMedia).toHaveBeenCalledWith('(prefers-reduced-motion: no-preference)');
    expect(shown(root)).toBeGreaterThanOrEqual(words.length - 1);
  });

  function hide(): void {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }
});

describe('what a person can do', () => {
  it('stops the chat once, keeps the focus on the button, and can be told again after a while', () => {
    const { wire, root } = opened();
    const stop = labelled(root, 'Stop');
    stop.focus();

    stop.click();
    stop.click();
    const pressed = [wire.count('stop'), stop.getAttribute('aria-disabled'), stop.textContent];
    jest.advanceTimersByTime(3000);
    stop.click();

    expect(pressed).toEqual([1, 'true', 'Stopping…']);
    expect(wire.count('stop')).toBe(2);
    expect(document.activeElement).toBe(stop);
  });

  it('offers to interrupt code only while code runs, and to stop only while a chat goes on', () => {
    const { wire, root } = opened({ activity: activity('code', { what: 'python', elapsed: 1 }) });
    const interrupt = labelled(root, 'Interrupt code');
    const stop = labelled(root, 'Stop');
    const running = [interrupt.hidden, stop.hidden];
    interrupt.click();

    wire.set({ activity: activity('model') });
    const waiting = [interrupt.hidden, stop.hidden];
    wire.set({ activity: null, is_going_on: false });

    expect([running, waiting]).toEqual([
      [false, false],
      [true, false]
    ]);
    expect([interrupt.hidden, stop.hidden]).toEqual([true, true]);
    expect(wire.count('interrupt')).toBe(1);
  });

  it('keeps what is half typed, and the focus, whatever comes meanwhile', () => {
    const { wire, root } = opened({ questions: [question()] });
    const typed = field(root);
    typed.focus();
    type(typed, 'half a sen');

    wire.patch({ op: 'item', item: message(1, 'one') });
    wire.state({ items: [message(1, 'one')], live: LIVE, questions: [question({ remaining: 20 })] });

    expect(field(root)).toBe(typed);
    expect(typed.value).toBe('half a sen');
    expect(document.activeElement).toBe(typed);
  });

  it('takes the focus for a question, and gives it back when it is answered', () => {
    const elsewhere = document.createElement('button');
    document.body.append(elsewhere);
    const { wire, root } = opened();
    elsewhere.focus();
    wire.set({ questions: [question()] });
    const asked = root.contains(document.activeElement);

    type(field(root), 'yes');
    press(field(root), 'Enter');

    expect(asked).toBe(true);
    expect(wire.sent.at(-1)).toMatchObject({
      t: 'answer',
      id: 'q1',
      answer: { action: 'reply', text: 'yes' }
    });
    expect(document.activeElement).toBe(elsewhere);
  });

  it('leaves the focus to who types elsewhere and says that somebody waits', () => {
    const elsewhere = document.createElement('textarea');
    document.body.append(elsewhere);
    const { wire, root } = opened();
    elsewhere.focus();

    wire.set({ questions: [question({ text: 'Well?' })] });

    expect(document.activeElement).toBe(elsewhere);
    expect(status(root)).toBe('user_proxy waits for you: Well?');
  });

  it('shows a prompt for every seat and goes on to the next one when one is answered', () => {
    const seats = [question({ id: 'q1', agent: 'ann' }), question({ id: 'q2', agent: 'bob' })];
    const { root } = opened({ questions: seats });
    const [first, second] = [...root.querySelectorAll('textarea')];

    first?.focus();
    type(first as HTMLTextAreaElement, 'yes');
    press(first as Element, 'Enter');

    expect(document.activeElement).toBe(second);
  });

  it('says that another window has answered, and takes the prompt away a little later', () => {
    const { wire, root } = opened({ questions: [question()] });

    wire.say({ t: 'closed', id: 'q1', by: 'another view' });
    wire.set({ questions: [] });
    const told = status(root);
    const isThere = field(root) !== null;
    jest.advanceTimersByTime(5000);

    expect([told, isThere]).toEqual(['Answered in another window.', true]);
    expect(field(root)).toBeNull();
  });

  it('says that the chat went on when a question goes and nobody has closed it', () => {
    const { wire, root } = opened({ questions: [question()] });

    wire.set({ questions: [] });
    jest.advanceTimersByTime(600);

    expect(status(root)).toBe('The chat went on without an answer.');
  });

  it.each([
    ['an approval', question({ kind: 'approval', empty: 'send' }), true],
    ['a classic prompt', question(), true],
    ['a choice that may end the chat', question({ kind: 'choice', choices: ['a'], empty: 'end' }), true],
    ['a question that takes any text', question({ empty: 'send' }), false]
  ])('has one way out of the chat at a time: %s', (_, asked, hasEnd) => {
    const { wire, root } = opened();
    const stop = labelled(root, 'Stop');

    wire.set({ questions: [asked] });
    const ends = [...root.querySelectorAll('.jp-agents-Prompt button')].filter(one =>
      /^(End|Stop) the chat$/.test(one.textContent ?? '')
    );
    const isHidden = stop.hidden;
    wire.set({ questions: [] });

    expect([isHidden, ends.length]).toEqual([hasEnd, hasEnd ? 1 : 0]);
    expect(stop.hidden).toBe(false);
  });

  it('offers to stop again while the kernel has not taken an answer', () => {
    const { wire, root } = opened({ questions: [question()] });

    labelled(root, 'Use auto-reply').click();
    wire.set({ activity: activity('model') });

    expect(labelled(root, 'Stop').hidden).toBe(false);
  });

  it('keeps keys from the shortcuts of the notebook, and gives it the focus on Escape', () => {
    const notebook = document.createElement('div');
    notebook.className = 'jp-Notebook';
    notebook.tabIndex = -1;
    const shortcuts: string[] = [];
    notebook.addEventListener('keydown', event => shortcuts.push(event.key));
    document.body.append(notebook);
    const { root } = opened();
    notebook.append(root);
    const stop = labelled(root, 'Stop');
    stop.focus();

    press(stop, 'd');
    press(stop, 'Escape');

    expect(shortcuts).toEqual([]);
    expect(root.getAttribute('data-lm-suppress-shortcuts')).toBe('true');
    expect(document.activeElement).toBe(notebook);
  });
});

describe('the end of a view', () => {
  it('holds the height of the output while the page swaps it, and lets it go, also when disposed', () => {
    const { wire, view, root } = opened();
    const area = document.createElement('div');
    area.className = 'jp-OutputArea';
    Object.defineProperty(area, 'offsetHeight', { value: 480 });
    document.body.append(area);
    area.append(root);

    wire.say({ t: 'leaving' });
    view.dispose();
    const held = area.style.minHeight;
    jest.advanceTimersByTime(1000);

    expect(held).toBe('480px');
    expect(area.style.minHeight).toBe('');
  });

  it('leaves nothing that runs', () => {
    const { view } = opened({
      live: LIVE,
      activity: activity('code', { elapsed: 3 }),
      questions: [question({ remaining: 30 })]
    });

    view.dispose();

    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a chat box', () => {
  it('has a composer that sends, and keeps it when the state changes', () => {
    const composer = { agents: ['assistant', 'critic'], is_busy: false };
    const { wire, root } = opened({ composer });
    const typed = field(root);
    type(typed, 'hello');

    wire.set({ composer: { ...composer, is_busy: true } });
    wire.set({ composer });
    press(field(root), 'Enter');

    expect(field(root)).toBe(typed);
    expect(wire.sent.at(-1)).toMatchObject({ t: 'say', to: 'assistant', text: 'hello' });
    expect(root.classList).toContain('jp-agents-mod-chatBox');
  });
});

describe('the line of what goes on', () => {
  function area(): { outputs: HTMLElement; wire: Wire; root: HTMLElement; view: LiveView } {
    const outputs = document.createElement('div');
    outputs.className = 'jp-OutputArea';
    document.body.append(outputs);
    const found = opened({ activity: activity('code', { elapsed: 1 }) });
    const output = document.createElement('div');
    output.append(found.root);
    outputs.append(output);
    found.wire.set({ activity: activity('code', { elapsed: 2 }) });
    return { outputs, ...found };
  }
  function printed(): HTMLElement {
    const output = document.createElement('div');
    output.className = 'jp-OutputArea-child';
    return output;
  }
  const bar = (): Element | null => document.querySelector('.jp-agents-LiveView-bar');

  it('goes to the end of the outputs when what code shows follows the view, with the focus', async () => {
    const { outputs, root, view } = area();
    outputs.append(document.createElement('svg')); // no output: a sign of the page
    await Promise.resolve();
    const [isWithin, stop] = [root.contains(bar()), labelled(document.body, 'Interrupt code')];
    stop.focus();

    outputs.append(printed());
    await Promise.resolve();

    expect([isWithin, bar() === outputs.lastElementChild]).toEqual([true, true]);
    expect(document.activeElement).toBe(stop);
    view.dispose();
    expect(bar()).toBeNull();
  });

  it('goes back into the view when nothing follows it any more', async () => {
    const { outputs, root } = area();
    const last = printed();
    outputs.append(last);
    await Promise.resolve();

    last.remove();
    await Promise.resolve();

    expect(root.contains(bar())).toBe(true);
    expect(outputs.className).toBe('jp-OutputArea');
  });

  it('stands beside that of another chat of the cell, and neither moves the other for ever', async () => {
    const first = area();
    const second = opened({});
    const output = printed();
    output.append(second.root);
    first.outputs.append(output);
    second.wire.set({ activity: activity('code', { elapsed: 2 }) });
    const added = jest.spyOn(first.outputs, 'insertBefore');

    first.outputs.append(printed());
    for (let turn = 0; turn < 50; turn++) {
      await Promise.resolve();
    }

    const last = [...first.outputs.children].slice(-2).map(one => one.className);
    expect(added.mock.calls.length).toBeLessThan(6);
    expect(last.every(one => one.includes('jp-agents-mod-docked'))).toBe(true);
    first.view.dispose();
    expect(first.outputs.classList.contains('jp-agents-Docking')).toBe(true); // the other one is still there
    second.view.dispose();
    expect(first.outputs.className).toBe('jp-OutputArea');
  });

  it('stands below those of chats that began before it, whichever is drawn first', async () => {
    const later = area();
    later.wire.set({ talk: 2 });
    const earlier = opened({ talk: 1 });
    const output = printed();
    output.append(earlier.root);
    later.outputs.append(output);
    await Promise.resolve();
    const order = (): string[] =>
      [
        ...later.outputs.querySelectorAll<HTMLElement>(':scope > .jp-agents-LiveView-bar .jp-agents-Talk')
      ].map(one => one.dataset['words'] ?? '');
    const alone = order();
    earlier.wire.set({ activity: activity('code', { elapsed: 2 }) });
    const both = order();

    later.outputs.append(printed());
    for (let turn = 0; turn < 5; turn++) {
      await Promise.resolve();
    }

    expect([alone, both, order()]).toEqual([['chat 2'], ['chat 1', 'chat 2'], ['chat 1', 'chat 2']]);
    expect(later.outputs.lastElementChild?.className).toContain('jp-agents-mod-docked');
  });

  it('says at once that a person is waited for', () => {
    const { wire, root } = opened({ activity: activity('model', { elapsed: 2 }) });

    wire.set({ activity: activity('person') });

    expect(root.querySelector('.jp-agents-Activity')?.textContent).toContain('waiting for you');
  });
});

test('the line with the buttons says of which chat of the cell they are', () => {
  const { wire, root } = opened({ talk: 1 });
  const bar = root.querySelector('.jp-agents-LiveView-bar');
  const words = (): unknown => bar?.querySelector<HTMLElement>('.jp-agents-Talk')?.dataset['words'];
  const first = words();

  wire.state({ talk: 2 });

  expect([first, words()]).toEqual(['chat 1', 'chat 2']);
  expect(bar?.classList).toContain('jp-agents-mod-furtherTalk');
});

test('a reply that is being written in a nested chat stands where its message will', () => {
  const { root } = opened({ live: { ...LIVE, depth: 2, label: 'facts' } });

  const message = root.querySelector<HTMLElement>('.jp-agents-Message');

  expect(message?.style.getPropertyValue('--jp-agents-depth')).toBe('2');
  expect(message?.querySelector('.jp-agents-ChatLabel')?.textContent).toBe('facts');
});
