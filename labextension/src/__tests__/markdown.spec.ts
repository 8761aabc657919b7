import { pythonIn, renderMarkdown, StreamingMarkdown } from '../view/markdown';
import { clean } from '../view/markdownParser';

interface ICase {
  readonly markdown: string;
  readonly html: string;
}

// Made, and held true, by tests/test_markdown.py.
const CASES = jest.requireActual<readonly ICase[]>('./markdown-cases.json');

const PIECES = [
  ...CASES.map(one => one.markdown),
  ...[
    '\n',
    '\n\n',
    ' ',
    '  \n',
    '    ',
    '\t',
    '> ',
    '- ',
    '* ',
    '1. ',
    '# ',
    '|',
    '\n|-|-|\n',
    '\n---\n',
    '\n===\n'
  ],
  ...[
    '```',
    '\n```\n',
    '\n```python\n',
    '\n~~~ x\n',
    '  - ```\n',
    '`',
    '``',
    '*',
    '**',
    '_',
    '~~',
    'a',
    ' b',
    'x_y_z'
  ],
  ...[
    '$',
    '$$',
    '\\',
    '\\(',
    '\\)',
    '[',
    ']',
    '(',
    ')',
    '![',
    '](',
    ']:',
    '<',
    '&lt;',
    '&',
    '\r\n',
    '\r',
    '\x1b[31m'
  ],
  ...[
    '\n[r]: http://a.test/\n',
    '[r]',
    '[s]',
    '\n[s]: http://b.test "t"\n',
    'def f(x):\n    return """\n',
    '"""',
    '\ud83d\ude00'
  ],
  ...['A sentence that ends here. ', 'Another one, with a comma; and more! ']
];

/** A sequence of numbers below 1 that is the same in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function documentFrom(random: () => number): string {
  const length = 1 + Math.floor(random() * (random() < 0.1 ? 150 : 25)); // some are long enough to be settled in parts
  return Array.from({ length }, () => PIECES[Math.floor(random() * PIECES.length)]).join('');
}

function splitsOf(text: string, random: () => number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const size = 1 + Math.floor(random() * (random() < 0.1 ? 400 : 12));
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}

let due: FrameRequestCallback | null = null;

beforeEach(() => {
  jest.spyOn(globalThis, 'requestAnimationFrame').mockImplementation(callback => {
    due = callback;
    return 1;
  });
  jest.spyOn(globalThis, 'cancelAnimationFrame').mockImplementation(() => (due = null));
  jest.spyOn(performance, 'now').mockReturnValue(0); // no redraw is put off
});

afterEach(() => jest.restoreAllMocks());

/** Let the page draw what has come. */
function frame(): void {
  const callback = due;
  due = null;
  callback?.(0);
}

function streamed(pieces: readonly string[]): HTMLElement {
  const drawn = new StreamingMarkdown();
  for (const piece of pieces) {
    drawn.append(piece);
    frame();
  }
  drawn.finish();
  return drawn.node;
}

/** Tags, their links and their words: what is the same in the static HTML and here. */
function outline(root: Element): string {
  const copy = root.cloneNode(true) as Element;
  copy.querySelectorAll('.jp-agents-Code button').forEach(node => node.remove());
  copy.querySelectorAll('.jp-agents-Tight').forEach(node => node.replaceWith(...node.childNodes));
  copy
    .querySelectorAll('div')
    .forEach(node => node.parentNode && node.querySelector('pre') && node.replaceWith(...node.childNodes));
  const words = [...copy.querySelectorAll('*')].map(
    node => `${node.tagName}${node.getAttribute('href') ?? ''}`
  );
  const named = words.filter(word => !['SMALL', 'DIV', 'SPAN', 'CODE'].includes(word));
  return `${named.join(' ')}\n${(copy.textContent ?? '').replace(/\s+/g, '')}`;
}

test.each(CASES.map(one => [one.markdown, one.html]))(
  'draws the same as the static HTML: %j',
  (markdown, html) => {
    const page = new DOMParser().parseFromString(`<div>${html}</div>`, 'text/html').body.firstElementChild;

    const drawn = renderMarkdown(markdown);

    expect(outline(drawn)).toBe(outline(page as Element));
  }
);

const TAGS =
  'p h3 h4 h5 h6 em strong s code pre a ul ol li blockquote hr br table thead tbody tr th td div span button';
const ATTRIBUTES = ['class', 'start', 'type', 'aria-label'];

test.each(CASES.map(one => [one.markdown]))('neither runs nor fetches anything: %j', markdown => {
  const nodes = [...renderMarkdown(markdown).querySelectorAll('*')];

  const tags = nodes.map(node => node.localName).filter(name => !TAGS.split(' ').includes(name));
  const links = nodes.filter(node => node.hasAttribute('href'));
  const attributes = nodes.filter(node => !links.includes(node)).flatMap(node => node.getAttributeNames());

  expect(tags).toEqual([]);
  expect(attributes.filter(name => !ATTRIBUTES.includes(name))).toEqual([]);
  expect(
    links.every(link => link.localName === 'a' && /^https?:/i.test(link.getAttribute('href') ?? ''))
  ).toBe(true);
  expect(links.every(link => link.getAttribute('rel') === 'noopener noreferrer')).toBe(true);
});

test('is the same however it was split when it has streamed', () => {
  for (let seed = 1; seed <= 600; seed++) {
    const random = randomFrom(seed);
    const text = documentFrom(random);

    const [whole, grown] = [renderMarkdown(text), streamed(splitsOf(text, random))];

    if (grown.outerHTML !== whole.outerHTML || !grown.isEqualNode(whole)) {
      throw new Error(`seed ${seed}: ${JSON.stringify(text)}\n${grown.outerHTML}\n${whole.outerHTML}`);
    }
  }
});

test('keeps what is drawn when more comes', () => {
  const drawn = new StreamingMarkdown();
  drawn.append('# Title\n\nFirst *paragraph*.\n\n```python\nx = 1\n```\n\nLast');
  drawn.finish();
  const before = [...drawn.node.children];

  drawn.append(' one.\n\nAnother.');
  drawn.finish();

  expect([...drawn.node.children].slice(0, 4)).toEqual(before);
  expect(drawn.node.children).toHaveLength(5);
});

test('draws each sentence a few times at most when a paragraph grows', () => {
  const made = new Set<Node>();
  const drawn = new StreamingMarkdown();

  for (let n = 0; n < 300; n++) {
    drawn.append(`Sentence ${n} has *some* words in it. `);
    frame();
    drawn.node.querySelectorAll('em').forEach(node => made.add(node));
  }

  expect(drawn.node.querySelectorAll('em')).toHaveLength(300);
  expect(made.size).toBeLessThan(300 * 14); // 45,150 if all were drawn each time
});

test('colours growing code group by group and once more when it is complete', () => {
  const drawn = new StreamingMarkdown();
  drawn.append('```python\n');

  for (let n = 0; n < 60; n++) {
    drawn.append(`x${n} = ${n} # set\n`);
    frame();
  }
  const coloured = [...drawn.node.querySelectorAll('code span.jp-agents-tok-number')];
  drawn.append('```\n');
  drawn.finish();

  expect(coloured.length).toBeGreaterThan(24);
  expect(drawn.node.querySelectorAll('span.jp-agents-tok-number')).toHaveLength(60);
  expect(drawn.node.querySelector('code')?.textContent?.split('\n')).toHaveLength(60);
});

test('colours code as soon as something follows it', () => {
  const drawn = new StreamingMarkdown();
  drawn.append('```python\nx = 1\n```\n');
  frame();
  const before = drawn.node.querySelectorAll('.jp-agents-tok-number').length;

  drawn.append('\nOnce');
  frame();

  expect([before, drawn.node.querySelectorAll('.jp-agents-tok-number').length]).toEqual([0, 1]);
});

test('a cell at the head of a table is no heading when it says nothing', () => {
  const drawn = renderMarkdown('| | price |\n|-|-:|\n| mean | 54.86 |');

  expect([...drawn.querySelectorAll('thead tr > *')].map(cell => cell.localName)).toEqual(['td', 'th']);
});

test('starts anew when it is reset', () => {
  const drawn = new StreamingMarkdown();
  drawn.append('one');
  drawn.finish();

  drawn.reset('**two**');
  drawn.finish();

  expect(drawn.node.innerHTML).toBe('<p><strong>two</strong></p>');
});

test.each([
  ['$a_b$ and $c_d$', '$a_b$ and $c_d$'],
  ['\\(a*b*c\\)', '\\(a*b*c\\)'],
  ['$$\nx_1 *y*\n$$', '$$\nx_1 *y*\n$$']
])('keeps a formula in one piece: %j', (markdown, text) => {
  const paragraph = renderMarkdown(markdown).firstElementChild;

  expect(paragraph?.childNodes).toHaveLength(1);
  expect(paragraph?.textContent).toBe(text);
});

test('shows text as it is when it is enormous', () => {
  const drawn = renderMarkdown('*a* '.repeat(100_000));

  expect(drawn.querySelectorAll('em')).toHaveLength(0);
  expect(drawn.querySelectorAll('pre')).toHaveLength(1);
});

test('gives the Python code and no other', () => {
  const code = pythonIn('```python\na = 1\n```\n- x\n  ```py\n  b\n  ```\n\n```sh\nls\n```\n\n```\nc\n```');

  expect(code).toBe('a = 1\n\nb');
});

test.each([
  ['\x1b[31mred\x1b[0m\x07', 'red'],
  ['a\r\nb\rc', 'a\nb\nc'],
  ['lone \ud800 surrogate, \ud83d\ude00 pair', 'lone \ufffd surrogate, \ud83d\ude00 pair']
])('leaves out what no page can show: %j', (text, shown) => {
  expect(clean(text)).toBe(shown);
});
