import type { IHost } from '../view/host';
import { LiveOutput } from '../view/liveOutput';
import { asTerminal } from '../view/terminal';
import { MESSAGE_MIME, type IBundle } from '../view/protocol';

const STDOUT = 'application/vnd.jupyter.stdout';

function bundle(data: Record<string, unknown>): IBundle {
  return { data, metadata: {} };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it.each([
  ['10%\r20%\r100%\ndone\n', '100%\ndone\n'],
  ['abc\rX', 'Xbc'],
  ['a line\r\nanother\r\n', 'a line\nanother\n'],
  ['\x1b[31mred\x1b[0m and \x1b]0;a title\x07plain', 'red and plain'],
  ['abd\bc', 'abc'],
  ['\b\bx', 'x']
])('leaves of %j what a terminal shows', (text, expected) => {
  expect(asTerminal(text)).toBe(expected);
});

it('lets a stream grow in the text node that is there', () => {
  const output = new LiveOutput(bundle({ [STDOUT]: 'one\n' }), {});
  const text = output.node.querySelector('pre')?.firstChild;

  output.update(bundle({ [STDOUT]: 'one\ntwo\n' }));

  expect(output.node.querySelector('pre')?.firstChild).toBe(text);
  expect(output.node.textContent).toBe('one\ntwo\n');
});

it('overwrites lines of a growing stream, also when a sequence comes in two pieces', () => {
  const output = new LiveOutput(bundle({ [STDOUT]: '10%\r' }), {});

  output.update(bundle({ [STDOUT]: '10%\r20%\x1b[3' }));
  output.update(bundle({ [STDOUT]: '10%\r20%\x1b[31m!' }));

  expect(output.node.textContent).toBe('20%!');
});

it('has the page draw a stream once it has settled, and not before', () => {
  const rendered: IBundle[] = [];
  const host: IHost = {
    renderOutput: drawn => {
      rendered.push(drawn);
      return document.createElement('section');
    }
  };
  const output = new LiveOutput(bundle({ [STDOUT]: 'one\n' }), host);
  jest.advanceTimersByTime(400);
  output.update(bundle({ [STDOUT]: 'one\ntwo\n' }));
  jest.advanceTimersByTime(400);
  const early = rendered.length;

  jest.advanceTimersByTime(200);

  expect(early).toBe(0);
  expect(rendered).toEqual([bundle({ [STDOUT]: 'one\ntwo\n' })]);
  expect(output.node.querySelector('section')).not.toBeNull();
});

it('shows markup as text where the page cannot draw outputs', () => {
  const output = new LiveOutput(
    bundle({ 'text/html': '<b>x</b>', 'text/plain': '<img src=x onerror=1>' }),
    {}
  );

  expect(output.node.textContent).toBe('<img src=x onerror=1>');
  expect(output.node.querySelector('img, b')).toBeNull();
});

it('keeps a stream within its place, and leaves other outputs as large as they are', () => {
  const stream = new LiveOutput(bundle({ [STDOUT]: 'line\n' }), {});
  const other = new LiveOutput(bundle({ 'text/plain': 'line' }), {});

  expect(stream.node.querySelector('.jp-agents-LongText + .jp-agents-LongText-bar')).not.toBeNull();
  expect(other.node.querySelector('.jp-agents-LongText')).toBeNull();
});

it('sets a traceback', () => {
  const error = { schema: 1, kind: 'error', traceback: ['  a', 'b'] };

  const { node } = new LiveOutput(bundle({ [MESSAGE_MIME]: error, 'text/plain': 'x' }), {});

  expect(node.querySelector('.jp-agents-Traceback pre')?.textContent).toBe('  a\nb');
});
