import { drawCode, GrowingCode, highlighted } from '../view/highlight';

const CODE =
  'import os\n\nclass A:\n    """Text."""\n    def f(self, x=1.5):  # why\n        return None if x else f"{x}"\n';

function classes(node: ParentNode): string[] {
  return [...node.querySelectorAll('span[class^="jp-agents-tok"]')].map(
    span => `${span.className.slice(14)}:${span.textContent}`
  );
}

test.each(['python', 'py', 'Python3', 'ipython'])('colours the code when its language is %s', language => {
  const found = classes(highlighted(CODE, language));

  expect(found).toEqual(
    expect.arrayContaining([
      'keyword:import',
      'def:A',
      'string:"""Text."""',
      'def:f',
      'number:1.5',
      'comment:# why',
      'atom:None'
    ])
  );
});

test.each(['', 'sh', 'json', 'pythonic'])('leaves the code as it is when its language is %j', language => {
  expect(classes(highlighted(CODE, language))).toEqual([]);
});

test.each(['python', ''])('shows exactly the code when its language is %j', language => {
  const code = `${CODE.repeat(40)}x = '''open\n<b>`;

  expect(drawCode(code, language).querySelector('code')?.textContent).toBe(code);
});

test.each([1, 7, 100, 5000])('is the same when it grew by %d characters at a time', size => {
  const code = `${CODE.repeat(30)}text = """\n${'a = 1\n'.repeat(60)}"""\n${CODE}`;
  const grown = new GrowingCode();
  for (let at = size; at < code.length + size; at += size) {
    grown.set(code.slice(0, at), 'python');
  }
  const whole = new GrowingCode();
  whole.set(code, 'python');

  grown.complete();
  whole.complete();

  expect(grown.node.outerHTML).toBe(whole.node.outerHTML);
  expect(grown.node.textContent).toBe(code);
});

test('goes on growing when it had been complete', () => {
  const grown = new GrowingCode();
  grown.set('a = 1\n', 'python');
  grown.complete();

  grown.set('a = 1\nb = 2', 'python');
  grown.complete();

  expect(grown.node.textContent).toBe('a = 1\nb = 2');
  expect(classes(grown.node)).toContain('number:2');
});

test('shows other code when it is not the same and more', () => {
  const grown = new GrowingCode();
  grown.set('one', 'python');

  grown.set('two', 'python');

  expect(grown.node.textContent).toBe('two');
});

test('does not colour code that is enormous', () => {
  expect(classes(highlighted('x = 1\n'.repeat(50_000), 'python'))).toEqual([]);
});
