import { readableArguments } from '../view/arguments';

const LONG = `{"words":[${'"0123456789",'.repeat(6)}"end"],"empty":{},"none":[],"n":9007199254740993}`;

test.each([
  ['{"a":1}', '{"a": 1}'],
  ['{"cell": "x = 1\\nx", "n": 2, "of": {"a": [1, "{"]}}', 'cell:\nx = 1\nx\nn: 2\nof: {"a": [1, "{"]}'],
  ['{"a": ', '{"a": '],
  ['['.repeat(100_000), '['.repeat(100_000)],
  ['['.repeat(1000) + ']'.repeat(1000), '['.repeat(1000) + ']'.repeat(1000)],
  ['9007199254740993', '9007199254740993'],
  ['{"x": 1.0, "y": 1e400}', '{"x": 1.0, "y": 1e400}'],
  ['"\\u00e9"', '"é"'],
  ['', ''],
  ['{}', '{}']
])('makes %j readable', (source, readable) => {
  expect(readableArguments(source)).toBe(readable);
});

test('sets out what is longer than a line', () => {
  const readable = readableArguments(LONG);

  expect(readable).toBe(
    `{\n  "words": [\n${'    "0123456789",\n'.repeat(6)}    "end"\n  ],\n  "empty": {},\n  "none": [],\n  "n": 9007199254740993\n}`
  );
});
