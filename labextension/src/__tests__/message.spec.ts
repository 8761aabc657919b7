import { readFigures, readMessage } from '../view/message';
import { openMessage } from '../view/messageFrame';
import { drawMessage } from '../view/messageView';
import { MESSAGE_MIME, type IBundle } from '../view/protocol';

const JUNK: readonly unknown[] = [
  null,
  undefined,
  0,
  -1,
  NaN,
  '',
  'x',
  true,
  [],
  [null],
  {},
  { a: 1 },
  [['x']],
  () => 1
];
const KINDS = ['message', 'note', 'end', 'failure', 'messages', 'error', 'output', 'unheard-of', ''];
const FIELDS = [
  'id',
  'chat',
  'sender',
  'recipient',
  'origin',
  'colour',
  'author_colour',
  'depth',
  'text',
  'calls',
  'results'
];
const MORE = ['lines', 'decisions', 'finish_reason', 'not_run', 'level', 'ended_by', 'items'];

function bundle(found: Record<string, unknown>, figures: Record<string, unknown> = {}, others = {}): IBundle {
  const data = {
    [MESSAGE_MIME]: { schema: 1, kind: 'message', sender: 'assistant', recipient: 'user', ...found },
    ...others
  };
  return { data, metadata: { jupyter_agents: figures } };
}

function result(code: number, output: string): string {
  return `exitcode: ${code} (execution ${code ? 'failed' : 'succeeded'})\nCode output: \n${output}`;
}

function words(node: Element | null | undefined): string {
  return (node?.textContent ?? '').replace(/\s+/g, ' ').trim();
}

function drawn(found: Record<string, unknown>, figures: Record<string, unknown> = {}): HTMLElement {
  return drawMessage(bundle(found, figures), {});
}

// -- Reading ---------------------------------------------------------------------------------------------------

test('takes the text from the JSON when it is there', () => {
  expect(readMessage({ [MESSAGE_MIME]: { text: 'said' }, 'text/markdown': '**a**\n\nother' }).text).toBe(
    'said'
  );
});

test.each([
  ['**a** to b\n\n# Said\n\nmore', '# Said\n\nmore'],
  [['**a** to b\n', '\n', 'said\n', 'more'], 'said\nmore'],
  ['no line that names', ''],
  [undefined, '']
])('takes the text from the Markdown %j when the JSON has none', (markdown, text) => {
  expect(readMessage({ [MESSAGE_MIME]: { kind: 'message' }, 'text/markdown': markdown }).text).toBe(text);
});

test('reads and draws whatever is in a file', () => {
  for (const kind of KINDS) {
    for (const junk of JUNK) {
      for (const field of [...FIELDS, ...MORE]) {
        const one = bundle(
          { kind, origin: 'code', text: result(0, ''), [field]: junk },
          { usage: junk, items: junk, seconds: junk }
        );

        expect(drawMessage(one, {})).toBeInstanceOf(HTMLElement);
      }
    }
  }
});

test.each(JUNK.map(junk => [junk]))('has empty values when the data is %p', junk => {
  const message = readMessage(junk);

  expect([message.kind, message.sender, message.text, message.depth, message.colour]).toEqual([
    '',
    '',
    '',
    0,
    0
  ]);
  expect(readMessage({ [MESSAGE_MIME]: junk }).calls).toEqual([]);
  expect(readFigures(junk).seconds).toBeNull();
});

test('tells several results apart by their lines', () => {
  const message = readMessage({
    [MESSAGE_MIME]: { results: ['add', 'plot'], lines: [2, 1], text: '3\n4\n\nx' }
  });

  expect(message.results).toEqual([
    { name: 'add', arguments: '3\n4' },
    { name: 'plot', arguments: 'x' }
  ]);
});

// -- Speech ----------------------------------------------------------------------------------------------------

test('is an article that says who speaks to whom', () => {
  const node = drawn({ text: '**Hi**', colour: 3 });

  expect(node.tagName).toBe('ARTICLE');
  expect(node.getAttribute('aria-label')).toBe('assistant to user');
  expect(node.classList).toContain('jp-agents-Speaker-3');
  expect(words(node.querySelector('header b'))).toBe('assistant');
  expect(node.querySelector('strong')?.textContent).toBe('Hi');
});

test('names are text when they look like markup', () => {
  const node = drawn({ sender: '<img src=x onerror=alert(1)>', recipient: '**b**', text: 'x' });

  expect(node.querySelector('img')).toBeNull();
  expect(words(node.querySelector('header b'))).toBe('<img src=x onerror=alert(1)>');
});

test('shows figures in digits of one width with what they are made of', () => {
  const usage = { prompt_tokens: 1204, completion_tokens: 186 };
  const figures = drawn({ text: 'x' }, { seconds: 2.418, usage, model: 'm' }).querySelector(
    '.jp-agents-Message-figures'
  );

  expect([...(figures?.children ?? [])].map(words)).toEqual(['2.4 s', '1,390 tokens']);
  expect(figures?.getAttribute('title')).toBe('m · 1,204 tokens read, 186 written');
});

test.each([
  [{ cost: 1.5 }, '$1.50'],
  [{ cost: 0 }, '$0.00'],
  [{ cost: 0.02 }, '$0.02'],
  [{ cost: 0.012345 }, '$0.0123'],
  [{ cost: 0.00000123456 }, '$0.00000123'],
  [{ cost: 0.02, usage: { prompt_tokens: 1, estimated: true } }, '≈ $0.02'],
  [{ cost: 'much' }, ''],
  [{ cost: null }, '']
])('says what it cost where that is known: %j', (metadata, said) => {
  const node = drawn({ text: 'x' }, { seconds: 1, ...metadata });

  const figures = [...(node.querySelector('.jp-agents-Message-figures')?.children ?? [])].map(words);
  expect(figures.filter(one => one.includes('$'))).toEqual(said ? [said] : []);
});

test.each([
  [{}, { replayed: true }, ['replayed']],
  [{}, { cached: true }, ['cached']],
  [{ decisions: [{ action: 'run' }, { action: 'edit', text: 'y' }] }, {}, ['approved', 'edited']],
  [{ decisions: [{ action: 'reject' }] }, {}, ['rejected']],
  [{ finish_reason: 'interrupted' }, {}, ['interrupted']],
  [{}, {}, []]
])('says quietly how it came about: %j %j', (found, figures, badges) => {
  const node = drawn({ text: 'x', ...found }, figures);

  expect([...node.querySelectorAll('.jp-agents-Badge')].map(words)).toEqual(badges);
});

test.each([
  [{ finish_reason: 'length' }, 'Cut off at the token limit'],
  [{ finish_reason: 'content_filter' }, 'Stopped by the content filter'],
  [{ kind: 'failure' }, 'Interrupted before its end']
])('says so when it is not whole, and of code that it was not run: %j', (found, remark) => {
  const [said, code] = ['half', 'half\n\n```python\nx = 1'].map(text => drawn({ text, ...found }));

  expect(words(said?.querySelector('.jp-agents-Remark'))).toBe(remark);
  expect(words(code?.querySelector('.jp-agents-Remark'))).toBe(`${remark}; nothing in it was run`);
});

test('a message that was saved half-way leaves it to its place to say so', () => {
  const node = drawn({ kind: 'failure', text: 'half', live: { model_id: 'm' } });

  expect(node.querySelector('.jp-agents-Remark')).toBeNull();
});

// -- Tracebacks ------------------------------------------------------------------------------------------------

const TRACEBACK = [
  '----\nKeyError   Traceback (most recent call last)',
  '----> 1 df["x"]',
  '',
  "KeyError: 'x'"
];

test('a traceback keeps its lines and its columns', () => {
  const node = drawn({ kind: 'error', ename: 'KeyError', evalue: "'x'", traceback: TRACEBACK });

  expect(node.querySelector('pre')?.textContent).toBe(TRACEBACK.join('\n'));
  expect(node.querySelector('.jp-agents-Note, details')).toBeNull();
});

test('the colours of a terminal in a traceback are left out', () => {
  const node = drawn({ kind: 'error', traceback: ['\x1b[31mKeyError\x1b[0m'] });

  expect(node.textContent).toBe('KeyError');
});

test('a long traceback is folded, and says what it ends with and how long it is', () => {
  const lines = [...Array.from({ length: 60 }, (_, n) => `line ${n}`), 'ValueError: no'];

  const node = drawn({ kind: 'error', traceback: lines });

  expect(words(node.querySelector('summary'))).toBe('ValueError: no61 lines · 484 bytes');
  expect(node.querySelector('details pre')?.textContent).toBe(lines.join('\n'));
});

test('an error without a traceback shows its text', () => {
  const one = bundle({ kind: 'error' }, {}, { 'text/plain': 'ValueError: no' });

  expect(drawMessage(one, {}).querySelector('pre')?.textContent).toBe('ValueError: no');
});

test('a traceback among joined messages is set too', () => {
  const node = drawn({ kind: 'messages', items: [{ kind: 'error', traceback: TRACEBACK }] });

  expect(node.querySelector('.jp-agents-Traceback pre')?.textContent).toBe(TRACEBACK.join('\n'));
});

test('what code has printed among joined messages keeps to its place', () => {
  const shown = [{ 'application/vnd.jupyter.stdout': 'line\n' }, { 'text/html': '<b>x</b>' }];
  const items = shown.map(data => ({ kind: 'output', data: { ...data, 'text/plain': 'line' } }));

  const node = drawn({ kind: 'messages', items });

  const [printed, table] = [...node.children];
  expect(printed?.querySelector('.jp-agents-LongText')?.textContent).toBe('line');
  expect(table?.querySelector('.jp-agents-LongText-bar')).toBeNull();
});

// -- What is not said, and how it is said ----------------------------------------------------------------------

test('an empty reply says that it is one', () => {
  expect(words(drawn({ text: ' ' }).querySelector('.jp-agents-Message-body'))).toBe('empty reply');
  expect(
    drawn({ text: '', calls: [{ name: 'f', arguments: '{}' }] }).querySelector('.jp-agents-Empty')
  ).toBeNull();
});

test.each([
  ['human', true],
  ['model', false]
])('the lines of a text by a %s are kept: %p', (origin, isKept) => {
  const text = drawn({ text: 'one\ntwo', origin }).querySelector('.jp-agents-Markdown');

  expect(text?.classList.contains('jp-agents-mod-lines')).toBe(isKept);
  expect(text?.querySelector('p')?.textContent).toBe('one\ntwo');
});

test('offers the code for a cell when there is Python and the page can', () => {
  const inserted: string[] = [];
  const insertCell = (_: HTMLElement, source: string): unknown => inserted.push(source);
  const named = (node: HTMLElement): string[] => [...node.querySelectorAll('header button')].map(words);
  const text = 'Run\n\n```python\nx = 1\n```\n\n```py\ny\n```';

  const node = drawMessage(bundle({ text }), { insertCell: (near, source) => void insertCell(near, source) });
  node.querySelector<HTMLButtonElement>('header button')?.click();

  expect(inserted).toEqual(['x = 1\n\ny']);
  expect(named(node)).toEqual(['Insert as cell below', 'Copy']);
  expect(named(drawMessage(bundle({ text: 'words' }), { insertCell }))).toEqual(['Copy']);
  expect(named(drawn({ text }))).toEqual(['Copy']);
});

test('has the mathematics set when it comes near what is in sight, and once', () => {
  const set: HTMLElement[] = [];
  const seen: ((entries: { isIntersecting: boolean }[]) => void)[] = [];
  const disconnect = jest.fn();
  const observer = jest.fn().mockImplementation(callback => {
    seen.push(callback);
    return { observe: jest.fn(), disconnect };
  });
  Object.assign(globalThis, { IntersectionObserver: observer });
  const host = { typeset: (node: HTMLElement) => void set.push(node) };

  drawMessage(bundle({ text: '$a_1$' }), host);
  drawMessage(bundle({ text: 'no formula' }), host);
  seen[0]?.([{ isIntersecting: false }]);
  const early = set.length;
  seen[0]?.([{ isIntersecting: true }]);
  Reflect.deleteProperty(globalThis, 'IntersectionObserver');

  expect(early).toBe(0);
  expect(set.map(words)).toEqual(['$a_1$']);
  expect(seen).toHaveLength(1);
  expect(disconnect).toHaveBeenCalledTimes(1);
});

test('is indented when its chat is nested', () => {
  expect(drawn({ text: 'x', depth: 2 }).style.getPropertyValue('--jp-agents-depth')).toBe('2');
  expect(drawn({ text: 'x', depth: 90 }).style.getPropertyValue('--jp-agents-depth')).toBe('5');
});

test('has the same frame when it is live', () => {
  const live = openMessage({ sender: 'assistant', recipient: 'user', colour: 1 });
  const saved = drawn({ colour: 1, text: 'x' });

  expect(live.node.className).toBe(saved.className);
  expect([...live.header.children].slice(0, 2).map(node => node.outerHTML)).toEqual(
    [...(saved.querySelector('header')?.children ?? [])].slice(0, 2).map(node => node.outerHTML)
  );
});

// -- Calls and results -----------------------------------------------------------------------------------------

test('shows calls and their arguments', () => {
  const node = drawn({ text: '', calls: [{ name: 'add', arguments: '{"a":1}' }] });

  expect(words(node.querySelector('.jp-agents-Code-label'))).toBe('calls add');
  expect(node.querySelector('code')?.textContent).toBe('{"a": 1}');
});

test('folds a result when it is long and says how long', () => {
  const node = drawn({ origin: 'tool', results: ['f'], text: 'x '.repeat(5000) });

  expect(node.querySelector('details')?.open).toBe(false);
  expect(words(node.querySelector('summary'))).toMatch(/^f returned: x x .*… ?10 kB$/);
});

test('a result has the colour of who made the call', () => {
  const node = drawn({ origin: 'tool', results: ['f'], text: 'x', colour: 0, author_colour: 4 });

  expect(node.classList).toContain('jp-agents-Speaker-4');
  expect(node.classList).toContain('jp-agents-Message-result');
});

test.each([
  [result(0, 'fine'), 'ran in 0.3 s · exit code 0', 'Output that the agents read'],
  [result(1, 'Traceback\n\nKeyError: 1\n'), 'ran in 0.3 s · exit code 1, failed', 'KeyError: 1']
])('a result of code is one line: %j', (text, line, label) => {
  const node = drawn({ origin: 'code', text, author_colour: 1 }, { seconds: 0.31 });

  expect(words(node.querySelector('.jp-agents-Exit'))).toBe(line);
  expect(words(node.querySelector('.jp-agents-Fold-label'))).toBe(label);
  expect(node.querySelector('details')?.open).toBe(false);
});

test.each([
  [[{ action: 'reject', text: 'use polars' }], 'not run: rejected – use polars'],
  [[{ action: 'reject' }], 'not run: rejected'],
  [[], 'not run: The user refused.']
])('says that nothing ran when nothing did: %j', (decisions, line) => {
  const node = drawn({ origin: 'code', text: result(1, 'The user refused.'), not_run: true, decisions });

  expect(words(node.querySelector('.jp-agents-Exit'))).toBe(line);
  expect(node.textContent).not.toContain('exit code');
});

test('shows the code as it ran when it was edited', () => {
  const node = drawn({ origin: 'code', text: result(0, ''), decisions: [{ action: 'edit', text: 'x = 2' }] });

  expect(node.querySelector('details code')?.textContent).toBe('x = 2');
});

test('a model cannot pass for code when it writes an exit code', () => {
  expect(drawn({ origin: 'model', text: result(0, 'fine') }).querySelector('.jp-agents-Exit')).toBeNull();
});

// -- Lines and joined messages ---------------------------------------------------------------------------------

test.each([
  [{ kind: 'note', text: 'Code is run <without> asking.' }, 'Code is run <without> asking.'],
  [{ kind: 'end', ended_by: 'turn limit', text: '30 turns' }, 'The chat ended (turn limit: 30 turns).'],
  [{ kind: 'end', ended_by: 'stop', text: 'stopped by the user' }, 'Stopped by the user.'],
  [{ kind: 'end', ended_by: 'stop', text: 'out of time' }, 'Stopped: out of time.'],
  [{ kind: 'end', ended_by: 'error', text: 'ModelError: No.' }, 'The chat failed. ModelError: No.'],
  [{ kind: 'end', ended_by: 'person', person: 'ann' }, 'ann ended the chat.'],
  [{ kind: 'end', ended_by: 'person', person: 'ann', text: 'no' }, 'ann ended the chat: no.'],
  [{ kind: 'end', ended_by: 'budget', text: 'budget' }, 'The chat ended (budget).'],
  [{ kind: 'end', ended_by: 'interrupt' }, 'Interrupted.']
])('is a quiet line: %j', (found, line) => {
  const node = drawn(found);

  expect(words(node)).toBe(line);
  expect(node.getAttribute('role')).toBe('note');
});

test('a note names code as code', () => {
  expect(drawn({ kind: 'note', text: '`_chat` has <them>' }).querySelector('code')?.textContent).toBe(
    '_chat'
  );
});

test('draws all that is joined, outputs of code included', () => {
  const items = [
    { kind: 'message', sender: 'a', recipient: 'b', text: 'first' },
    { kind: 'output', data: { 'text/plain': 'plain' }, metadata: {} },
    { kind: 'output', data: { 'image/png': 'iVBORw0KGgo=', 'text/plain': 'a figure' }, metadata: {} },
    { kind: 'message', sender: 'b', recipient: 'a', text: 'last' }
  ];

  const node = drawMessage(
    bundle({ kind: 'messages', items }, { items: [{ seconds: 1 }, {}, {}, { replayed: true }] }),
    {}
  );

  expect([...node.children].map(child => child.tagName)).toEqual(['ARTICLE', 'DIV', 'DIV', 'ARTICLE']);
  expect(node.querySelector('pre')?.textContent).toBe('plain');
  expect(node.querySelector('img')?.alt).toBe('a figure');
  expect(words(node.lastElementChild?.querySelector('.jp-agents-Badge'))).toBe('replayed');
  expect(words(node.firstElementChild)).toContain('1.0 s');
});

test('is drawn when messages are joined in joined messages without end', () => {
  let items: unknown[] = [];
  for (let n = 0; n < 20_000; n++) {
    items = [{ kind: 'messages', items }];
  }

  expect(drawn({ kind: 'messages', items })).toBeInstanceOf(HTMLElement);
});

test('outputs are drawn by the page when it can', () => {
  const asked: boolean[] = [];
  const renderOutput = (_: IBundle, trusted: boolean): HTMLElement => {
    asked.push(trusted);
    return document.createElement('table');
  };
  const items = [{ kind: 'output', data: { 'text/html': '<table>' }, metadata: {} }];

  const node = drawMessage(bundle({ kind: 'messages', items }), { renderOutput });

  expect(node.querySelector('table')).not.toBeNull();
  expect(asked).toEqual([false]);
});

test('shows the text of what a later version wrote without asking for our own type again', () => {
  const seen: string[][] = [];
  const renderOutput = (one: IBundle): null => {
    seen.push(Object.keys(one.data));
    return null;
  };

  const node = drawMessage(bundle({ kind: 'hologram' }, {}, { 'text/plain': 'in words' }), { renderOutput });

  expect(words(node)).toBe('in words');
  expect(seen).toEqual([['text/plain']]);
});

// -- Chats beside each other, groups, nested chats -----------------------------------------------------------------

test('names the chat of a message only where others go on beside it', () => {
  const alone = drawn({});
  const beside = drawn({ label: 'facts' });

  expect(alone.querySelector('.jp-agents-ChatLabel')).toBeNull();
  expect(words(beside.querySelector('.jp-agents-ChatLabel'))).toBe('facts');
});

test('has the number of its chat at hand, which is seen when the cell has several', () => {
  const [first, second] = [drawn({}), drawn({ talk: 2 })];

  const numbers = [first, second].map(node =>
    node.querySelector('.jp-agents-Talk')?.getAttribute('data-words')
  );

  expect(numbers).toEqual(['chat 1', 'chat 2']);
  expect(first.classList).not.toContain('jp-agents-mod-furtherTalk');
  expect(second.classList).toContain('jp-agents-mod-furtherTalk');
  expect(words(first)).not.toContain('chat 1');
});

test('leaves out the manager when it is said to a group', () => {
  const node = drawn({ sender: 'Planner', recipient: 'chat_manager', to_group: true });

  expect(node.getAttribute('aria-label')).toBe('Planner');
  expect(words(node)).not.toContain('chat_manager');
});

test('puts the notes of a nested chat as far in as its messages', () => {
  const [message, note] = [drawn({ depth: 2 }), drawn({ kind: 'end', ended_by: 'budget', depth: 2 })];

  const depths = [message, note].map(node => node.style.getPropertyValue('--jp-agents-depth'));

  expect(depths).toEqual(['2', '2']);
});

test('tells whose end it is when chats go on beside each other', () => {
  expect(words(drawn({ kind: 'end', ended_by: 'budget', label: 'facts' }))).toBe(
    'factsThe chat ended (budget).'
  );
});

// -- Images ----------------------------------------------------------------------------------------------------------

const DOT = 'data:image/png;base64,iVBORw0KGgo=';
const OTHER = 'data:image/png;base64,R0lGODlh';

function withImages(images: unknown, html: string, found: Record<string, unknown> = {}): HTMLElement {
  const others = { 'text/html': html };
  return drawMessage(
    bundle({ origin: 'tool', results: ['plot'], text: 'x', images, ...found }, {}, others),
    {}
  );
}

function shown(node: HTMLElement): [string, string][] {
  return [...node.querySelectorAll('img')].map(one => [one.getAttribute('src') ?? '', one.alt]);
}

test('shows the images that stand in the HTML, with their words', () => {
  const images = [
    { words: 'Image 1', result: 0, shown: true },
    { words: 'Image 2, not loaded', result: 0 },
    { words: 'Image 3', result: 0, shown: true }
  ];

  const node = withImages(images, `<img src='${DOT}' alt='a'><img src='${OTHER}' alt='b'>`);

  expect(shown(node)).toEqual([
    [DOT, 'Image 1'],
    [OTHER, 'Image 3']
  ]);
  expect(words(node.querySelector('.jp-agents-Picture-words'))).toBe('Image 2, not loaded');
});

test('shows an image under the result that it belongs to', () => {
  const images = [{ words: 'Of the first', result: 0, shown: true }];
  const found = { results: ['plot', 'count'], lines: [1, 1], text: 'drawn\n\n3' };

  const node = withImages(images, `<img src='${DOT}'>`, found);

  const order = [...node.querySelectorAll('.jp-agents-Code, img')].map(one => one.nodeName);
  expect(order).toEqual(['DIV', 'IMG', 'DIV']);
});

test('shows the images of joined messages, which have them beside the words', () => {
  const item = { schema: 1, kind: 'message', sender: 'a', origin: 'tool', results: ['plot'], text: 'x' };
  const images = [{ words: 'Image 1', result: 0, shown: true, url: DOT }];

  const node = drawn({ kind: 'messages', items: [{ ...item, images }] });

  expect(shown(node)).toEqual([[DOT, 'Image 1']]);
});

test.each([
  'https://example.com/a.png',
  'data:image/svg+xml;base64,PHN2Zz4=',
  'data:text/html;base64,PHN2Zz4=',
  'javascript:alert(1)',
  `${DOT}" onerror="x`
])('loads nothing but images that are in the message: %s', url => {
  const images = [{ words: 'Image 1', result: 0, shown: true }];

  const nodes = [
    withImages(images, `<img src="${url.replace(/"/g, '&quot;')}">`),
    withImages([{ ...images[0], url }], '')
  ];

  expect(nodes.flatMap(shown)).toEqual([]);
  expect(words(nodes[0])).toContain('Image 1');
});

test.each(JUNK.map(one => [one]))('bears whatever stands in place of images: %p', junk => {
  expect(shown(withImages(junk, ''))).toEqual([]);
  expect(shown(withImages([junk], `<img src='${DOT}'>`))).toEqual([]);
});
