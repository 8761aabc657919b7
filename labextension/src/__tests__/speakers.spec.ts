import { COLOURS, drawChip, initialsOf, speakerClass } from '../view/speakers';

beforeEach(() => Reflect.deleteProperty(globalThis, Symbol.for('jupyter-agents:initials')));

test.each([
  ['assistant', 'AS'],
  ['user_proxy', 'UP'],
  ['PlotMaker', 'PM'],
  ['data engineer', 'DE'],
  ['assistant#2', 'A2'],
  ['x', 'X'],
  ['HTTPClient', 'HC'],
  ['  ', '?'],
  ['', '?'],
  ['★', '★']
])('gives %j the initials %j when it is alone', (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});

test('gives other initials when they are taken, and the same ones again', () => {
  const names = ['assistant', 'ASSistant', 'aspen', 'astronomer', 'a', 'A', 'assistant'];

  const given = names.map(initialsOf);

  expect(new Set(given.slice(0, 6)).size).toBe(6);
  expect(given[6]).toBe(given[0]);
});

test('gives some initials when all are taken', () => {
  const given = Array.from({ length: 30 }, (_, n) => initialsOf('b'.repeat(n + 1)));

  expect(given.every(initials => /^B.?$/.test(initials))).toBe(true);
});

test.each([
  [0, 'jp-agents-Speaker-0'],
  [7, 'jp-agents-Speaker-7'],
  [8, 'jp-agents-Speaker-0'],
  [-1, 'jp-agents-Speaker-0'],
  [NaN, 'jp-agents-Speaker-0'],
  [1.5, 'jp-agents-Speaker-0']
])('gives ordinal %d the class %s', (colour, name) => {
  expect(speakerClass(colour)).toBe(name);
});

test('a chip is not read out, the name beside it is', () => {
  expect(drawChip('critic').getAttribute('aria-hidden')).toBe('true');
});

// -- Colours ---------------------------------------------------------------------------------------------------

const { readFileSync } = jest.requireActual<{ readFileSync(path: string, encoding: string): string }>(
  'node:fs'
);
const SHEET = readFileSync('style/agents.css', 'utf8');
const ON_LIGHT = [...SHEET.matchAll(/var\(--jp-agents-colour-\d, (#\w{6})\)/g)].map(found => found[1] ?? '');
const ON_DARK = [...SHEET.matchAll(/--jp-agents-colour-\d: (#\w{6});/g)].map(found => found[1] ?? '');

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** As WCAG 2 has it: 4.5 is asked for between text and its ground. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test('has a colour for every ordinal on light and on dark pages', () => {
  expect(new Set(ON_LIGHT).size).toBe(COLOURS);
  expect(new Set(ON_DARK).size).toBe(COLOURS);
});

test.each(ON_LIGHT)('the initials are legible on %s, and it on a light page', colour => {
  expect(contrast(colour, '#ffffff')).toBeGreaterThanOrEqual(4.5);
});

test.each(ON_DARK)('the initials are legible on %s, and it on a dark page', colour => {
  expect(contrast(colour, '#111111')).toBeGreaterThanOrEqual(4.5);
  expect(contrast(colour, '#212121')).toBeGreaterThanOrEqual(4.5);
});
