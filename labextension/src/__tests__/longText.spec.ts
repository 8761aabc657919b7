import { LongText, sizeOf } from '../view/longText';

const LINE = 17;
const PLACE = 20 * LINE;

/** As many pixels as a browser gives a text; none are laid out here. */
function lay(node: HTMLElement): void {
  const height = (): number => LINE * (node.textContent ?? '').trimEnd().split('\n').length;
  const isOpen = (): boolean => node.classList.contains('jp-agents-mod-open');
  Object.defineProperty(node, 'scrollHeight', { get: height });
  Object.defineProperty(node, 'clientHeight', {
    get: () => (isOpen() ? height() : Math.min(height(), PLACE))
  });
}

function longText(lines: number): { text: LongText; place: HTMLElement; button: HTMLButtonElement } {
  const place = document.createElement('div');
  place.textContent = 'line\n'.repeat(lines);
  lay(place);
  const text = new LongText(place);
  document.body.replaceChildren(place, text.bar);
  text.look();
  return { text, place, button: text.bar.querySelector('button') as HTMLButtonElement };
}

const frame = (): Promise<void> => new Promise(done => setTimeout(done, 50));

it.each([
  ['x', '1 byte'],
  ['é\n', '3 bytes'],
  ['a\nb\n', '2 lines · 4 bytes'],
  ['line\n'.repeat(300), '300 lines · 1.5 kB'],
  ['x'.repeat(31) + '\n' + 'line of text that has its length'.repeat(1187) + '\ny', '3 lines · 38 kB'],
  ['line of text that has a length\n'.repeat(40_000), '40,000 lines · 1,240 kB']
])('the size of a text is said in lines and in bytes', (text, expected) => {
  expect(sizeOf(text)).toBe(expected);
});

test('a text that has a place says nothing of its size', () => {
  const { text, place } = longText(20);

  expect(text.bar.hidden).toBe(true);
  expect(place.classList).not.toContain('jp-agents-mod-cut');
});

test('a longer one says how long it is', () => {
  const { text, place, button } = longText(1204);

  expect(text.bar.hidden).toBe(false);
  expect(place.classList).toContain('jp-agents-mod-cut');
  expect(text.bar.textContent).toBe('1,204 lines · 6 kBShow all');
  expect(button.getAttribute('aria-label')).toBe('Show all of this output: 1,204 lines · 6 kB');
  expect(button.getAttribute('aria-controls')).toBe(place.id);
});

test('all of it is shown, and less of it again', () => {
  const { place, button } = longText(30);
  const states = [button.getAttribute('aria-expanded')];

  button.click();
  states.push(button.getAttribute('aria-expanded'), button.textContent);
  const isOpen = place.classList.contains('jp-agents-mod-open');
  button.click();

  expect(states).toEqual(['false', 'true', 'Show less']);
  expect(isOpen).toBe(true);
  expect(button.textContent).toBe('Show all');
  expect(place.classList).not.toContain('jp-agents-mod-open');
});

test('the size counts up while the text grows, whoever draws it', async () => {
  const { text, place } = longText(5);
  const before = text.bar.hidden;

  const drawn = document.createElement('pre');
  drawn.textContent = 'line\n'.repeat(21);
  place.replaceChildren(drawn);
  await frame();
  const first = text.bar.textContent;
  (drawn.firstChild as Text).appendData('line\n'.repeat(10));
  await frame();

  expect(before).toBe(true);
  expect([first, text.bar.textContent]).toEqual([
    '21 lines · 105 bytesShow all',
    '31 lines · 155 bytesShow all'
  ]);
});

test('nothing of it is left behind', async () => {
  const { text, place } = longText(30);

  text.dispose();
  place.append('more');
  await frame();

  expect(place.className).toBe('');
  expect(text.bar.isConnected).toBe(false);
});
