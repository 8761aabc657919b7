import { remarksOn, visible } from '../view/characters';
import { countLines, drawExact } from '../view/exact';

function lines(code: string, language = 'python'): string[] {
  return [...drawExact(code, language).children].map(line => line.textContent ?? '');
}

function chips(code: string): (readonly [string | null, string | null])[] {
  const drawn = drawExact(code, 'python').querySelectorAll('.jp-agents-Exact-hidden');
  return [...drawn].map(chip => [chip.textContent, chip.getAttribute('title')] as const);
}

test.each(['', 'x = 1', 'x = 1\n', 'a\n\n\nb', 'def f():\n\treturn "ä 😀"\n', 'if x:\n    pass  # done'])(
  'the text of %j is the text itself',
  code => {
    expect(drawExact(code, 'python').textContent).toBe(code);
    expect(lines(code)).toHaveLength(countLines(code));
  }
);

test('colours are as the highlighter has them', () => {
  const drawn = drawExact('import os\nx = "a\nb"\n', 'python');

  expect([...drawn.querySelectorAll('.jp-agents-tok-keyword')].map(node => node.textContent)).toEqual([
    'import'
  ]);
});

test('a token over several lines is coloured in each of them', () => {
  const drawn = drawExact('x = """one\ntwo\nthree"""\n', 'python');

  const strings = [...drawn.children].map(line => line.querySelector('.jp-agents-tok-string')?.textContent);

  expect(strings).toEqual(['"""one', 'two', 'three"""']);
});

test.each([
  ['\u202e', 'U+202E', 'RIGHT-TO-LEFT OVERRIDE'],
  ['\u2066', 'U+2066', 'LEFT-TO-RIGHT ISOLATE'],
  ['\u200b', 'U+200B', 'ZERO WIDTH SPACE'],
  ['\u00a0', 'U+00A0', 'NO-BREAK SPACE'],
  ['\u3164', 'U+3164', 'HANGUL FILLER'],
  ['\u0000', 'U+0000', 'NULL'],
  ['\u001b', 'U+001B', 'ESCAPE'],
  ['\u{e0041}', 'U+E0041', 'tag character'],
  ['\ufe0f', 'U+FE0F', 'variation selector'],
  ['\ue000', 'U+E000', 'private-use character'],
  ['\ud800', 'U+D800', 'half of a character'],
  ['\u20dd', 'U+20DD', 'enclosing mark']
])('%j is a chip %s', (character, label, name) => {
  expect(chips(`a = "${character}" # b`)).toEqual([[label, name]]);
  expect(remarksOn(`a${character}b`, 'python').join()).toContain(`${label} ${name}`);
});

test('nothing hidden is left in what is drawn', () => {
  const code = 'if x != "user\u202e \u2066# admin\u2069 \u2066":\n\tpass\u200b\ufeff\r\n';

  expect(drawExact(code, 'python').textContent).toBe(
    'if x != "userU+202E U+2066# adminU+2069 U+2066":\n\tpassU+200BU+FEFF\n'
  );
});

test('a carriage return ends a line, as it does for Python', () => {
  expect(lines('# safe\rimport os\r\nx\r\r\ny')).toEqual([
    '# safeU+000D',
    'import os\n',
    'xU+000D',
    '\n',
    'y'
  ]);
  expect(countLines('# safe\rimport os\r\nx\r\r\ny')).toBe(5);
});

test('many of one kind are counted', () => {
  expect(chips(`x${'\u200b'.repeat(5000)}y`)).toEqual([['U+200B × 5000', 'ZERO WIDTH SPACE']]);
});

test('a flood of different ones is written out, all of it, without an element for each', () => {
  const drawn = drawExact('\u200b\u200c'.repeat(5000), 'python');

  expect(drawn.querySelectorAll('.jp-agents-Exact-hidden')).toHaveLength(2000);
  expect(drawn.textContent?.match(/U\+200[BC]/g)).toHaveLength(10_000);
});

test('markup in code is text', () => {
  const drawn = drawExact('</code></pre><button>Run</button><img src=x>', 'html');

  expect(drawn.querySelector('button, img')).toBeNull();
  expect(drawn.textContent).toContain('<button>Run</button>');
});

test('a name in a sentence shows what it hides', () => {
  expect(visible('assis\u202etant')).toBe('assis⟨U+202E⟩tant');
});

test.each([
  ['p\u0430ypal = 1', 'mix alphabets', 'U+0430'],
  ['\u0441\u043e\u0440\u0443 = 1', 'look like Latin ones', 'U+0441'],
  ['\uff45val("2")', 'Python reads as others', 'is read as eval'],
  ['x = "\u05d0"', 'right to left', '']
])('%j has a remark', (code, what, example) => {
  const remarks = remarksOn(code, 'python').join(' ');

  expect(remarks).toContain(what);
  expect(remarks).toContain(example);
});

test.each([
  'x = 1',
  'Δx = σ_max * 2',
  'größe = "naïve café"',
  'имя = "Привет, мир"',
  'π = 3.14',
  'x\r\ny\r\n',
  '名前 = 1'
])('%j has none', code => {
  expect(remarksOn(code, 'python')).toEqual([]);
});

test('the time for a text grows as the text does', () => {
  const line = 'value = compute(1)  # a step of it\n';
  const time = (count: number): number => {
    const start = performance.now();
    expect(drawExact(line.repeat(count), 'sh').children).toHaveLength(count);
    return performance.now() - start;
  };
  time(1000); // the first one is slower

  expect(time(20_000)).toBeLessThan(100 * Math.max(time(2000), 10));
}, 30_000);

test.each([
  ['x = 1\n\n\n', 1],
  ['a\n\nb\r\n\r\n', 3],
  ['\n\n', 1],
  ['a\n  \n', 2]
])('empty lines at the end of %j are none', (code, count) => {
  expect(countLines(code)).toBe(count);
  expect(lines(code)).toHaveLength(count);
});
