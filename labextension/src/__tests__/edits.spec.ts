import { drawMessage } from '../view/messageView';
import { MESSAGE_MIME } from '../view/protocol';

const ASKED = 'df = load()\nprint(df.mean())';
const RAN = 'df = load()\nprint(df.median())';

function draw(message: Record<string, unknown>): HTMLElement {
  const data = { [MESSAGE_MIME]: { schema: 1, kind: 'message', recipient: 'x', colour: 0, ...message } };
  return drawMessage({ data, metadata: {} }, {});
}

function said(text: string, more: Record<string, unknown> = {}): HTMLElement {
  return draw({ sender: 'assistant', text, ...more });
}

function result(edited: string): HTMLElement {
  const text = 'exitcode: 0 (execution succeeded)\nCode output: \n1\n';
  return draw({ sender: 'user', origin: 'code', text, decisions: [{ action: 'edit', text: edited }] });
}

/** Put outputs on the page, and unfold the edited code of the last. */
function unfolded(...outputs: readonly HTMLElement[]): HTMLElement {
  const area = document.createElement('div');
  area.className = 'jp-OutputArea';
  area.append(...outputs);
  document.body.replaceChildren(area);
  const fold = [...area.querySelectorAll('details')].find(one =>
    one.textContent?.includes('it ran')
  ) as HTMLElement & { open: boolean };
  fold.open = true;
  fold.dispatchEvent(new Event('toggle'));
  return fold;
}

function changed(node: Element): string[] {
  return [...node.querySelectorAll('del, ins')].map(line => line.textContent ?? '');
}

test('edited code is compared with that of the message above', () => {
  const fold = unfolded(said(`Look:\n\n\`\`\`python\n${ASKED}\n\`\`\``), result(RAN));

  expect(changed(fold)).toEqual(['print(df.mean())', 'print(df.median())']);
  expect(fold.textContent).toContain('What was edited: 1 line added, 1 removed');
  expect(fold.querySelector('.jp-agents-Code code')?.textContent).toBe(RAN);
});

test('of several blocks the one is compared that is most like what ran', () => {
  const blocks = ['x = 1', ASKED, 'y = 2'].map(one => `\`\`\`python\n${one}\n\`\`\``).join('\n\n');

  const fold = unfolded(said('```python\nolder\n```'), said(blocks), result(RAN));

  expect(changed(fold)).toEqual(['print(df.mean())', 'print(df.median())']);
});

test('without a message above, the code that ran stands there alone', () => {
  const fold = unfolded(result(RAN), said('```python\nlater\n```'));

  expect(changed(fold)).toEqual([]);
  expect(fold.querySelector('code')?.textContent).toBe(RAN);
});

test('edited arguments are compared with those of the call above', () => {
  const call = said('', { calls: [{ name: 'book', arguments: '{"to":"Oslo"}' }] });
  const answer = draw({
    sender: 'user',
    origin: 'tool',
    text: 'booked',
    results: ['book'],
    decisions: [{ action: 'edit', text: '{"to": "Rome"}' }]
  });
  document.body.replaceChildren(call, answer);
  const fold = answer.querySelector('details:last-of-type') as HTMLElement;

  fold.dispatchEvent(new Event('toggle'));

  expect(changed(fold)).toEqual(['{"to": "Oslo"}', '{"to": "Rome"}']);
});
