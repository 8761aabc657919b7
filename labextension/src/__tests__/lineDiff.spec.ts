import { changedLines, countChanges, DiffFold, drawChangedLines, type IChangedLines } from '../view/lineDiff';

function changes(before: string, after: string): readonly IChangedLines[] {
  return changedLines(before, after) ?? [];
}

function lines(node: Element): string[] {
  return [...node.querySelectorAll('.jp-agents-Diff-line')].map(line => line.textContent ?? '');
}

const NUMBERED = Array.from({ length: 20 }, (_, n) => `line ${n}`);

test('a line that was changed goes and comes, with its neighbours', () => {
  const drawn = drawChangedLines(changes('a = 1\nb = 2\nprint(a)\n', 'a = 1\nb = 3\nprint(a)\n'));

  expect(lines(drawn)).toEqual(['\u00a0a = 1', '\u2212b = 2', '+b = 3', '\u00a0print(a)']);
  expect(drawn.querySelector('del')?.textContent).toBe('b = 2');
  expect(drawn.querySelector('ins')?.textContent).toBe('b = 3');
});

test.each([
  ['a\nb', 'a\r\nb\n'],
  ['', '']
])('%j and %j are the same lines', (before, after) => {
  expect(changedLines(before, after)).toEqual([]);
});

test.each([
  ['a', 'b', '1 line added, 1 removed'],
  ['a', 'a\nb\nc', '2 lines added'],
  ['a\nb', 'a', '1 line removed'],
  ['', 'a', '1 line added'],
  ['a', '', '1 line removed']
])('the changes from %j to %j are counted: %s', (before, after, told) => {
  expect(countChanges(changes(before, after))).toBe(told);
});

test('both texts can be read from the changes, whatever they are', () => {
  const [before, after] = [NUMBERED.join('\n'), [...NUMBERED.slice(5), '', 'new', 'line 3'].join('\n')];
  const found = changes(before, after);

  const without = (kind: string): string =>
    found.flatMap(one => (one.kind === kind ? [] : one.lines)).join('\n');

  expect(without('added')).toBe(before);
  expect(without('removed')).toBe(after);
});

test('what is far from a change is folded, and its size is said', () => {
  const after = [...NUMBERED];
  after[10] = 'another';

  const drawn = drawChangedLines(changes(NUMBERED.join('\n'), after.join('\n')));

  const folds = [...drawn.querySelectorAll('details')];
  expect(folds.map(fold => fold.querySelector('summary')?.textContent)).toEqual([
    '8 lines as before',
    '7 lines as before'
  ]);
  expect(folds.map(fold => fold.open)).toEqual([false, false]);
  expect(lines(drawn)).toHaveLength(21);
});

test('what shows nothing is written out', () => {
  const drawn = drawChangedLines(changes('a = 1', 'a = 1 \u202e# x'));

  expect(lines(drawn)[1]).toBe('+a = 1 ⟨U+202E⟩# x');
});

test('texts with nothing in common are not compared line by line', () => {
  const [before, after] = ['a', 'b'].map(letter => `${letter}\n${letter}x\n`.repeat(3000));

  const fold = new DiffFold();
  fold.show(before ?? '', after ?? '');

  expect(changedLines(before ?? '', after ?? '')).toBeNull();
  expect(fold.node.textContent).toBe('Nearly all of it is different');
});

test('a short comparison is open, a long one is folded, and what a person has chosen stays', () => {
  const fold = new DiffFold();
  const long = NUMBERED.map(line => `${line}!`).join('\n');

  fold.show('a', 'a');
  const hidden = fold.node.hidden;
  fold.show('a', 'b');
  const short = fold.node.open;
  fold.show(NUMBERED.join('\n'), long);
  const folded = fold.node.open;
  fold.node.querySelector('summary')?.click();
  fold.show(NUMBERED.join('\n'), `${long}!`);

  expect([hidden, short, folded, fold.node.open]).toEqual([true, true, false, true]);
});
