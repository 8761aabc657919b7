import type { IHost } from '../view/host';
import { drawMessage } from '../view/messageView';
import { MESSAGE_MIME, type IBundle, type IUndone } from '../view/protocol';

const CHANGES = {
  added: [{ name: 'total', kind: 'int' }],
  rebound: [{ name: 'df', kind: 'DataFrame 700 × 3', before: 'DataFrame 703 × 3' }],
  changed: [{ name: 'rows', kind: 'list, 2 items', before: 'list, 1 item' }],
  deleted: [{ name: 'tmp', before: 'int' }],
  more: 2
};
const DONE: IUndone = { restored: ['total', 'df'], left: { rows: 'it was changed in place' }, reason: '' };
let ids = 0;

/** An id that no test before has undone: what was undone on a page is remembered. */
function freshBlock(): string {
  return `abc123-0f-${++ids}`;
}

function result(changes: unknown, figures: Record<string, unknown> = {}): IBundle {
  const text = 'exitcode: 0 (execution succeeded)\nCode output: ';
  const found = { schema: 1, kind: 'message', sender: 'user', origin: 'code', text, changes };
  return { data: { [MESSAGE_MIME]: found }, metadata: { jupyter_agents: figures } };
}

function drawn(host: IHost, block = freshBlock(), changes: unknown = [CHANGES]): HTMLElement {
  const node = drawMessage(result(changes, { blocks: [block] }), host);
  document.body.replaceChildren(node);
  return node;
}

function line(node: HTMLElement): string {
  return node.querySelector('.jp-agents-Changes-names')?.textContent ?? '';
}

function undoButton(node: HTMLElement): HTMLButtonElement | null {
  return node.querySelector<HTMLButtonElement>('.jp-agents-Changes button:not([hidden])');
}

function status(node: HTMLElement): string {
  return node.querySelector('.jp-agents-Changes [role=status]')?.textContent ?? '';
}

/** Until all that is due has happened. */
async function settled(): Promise<void> {
  for (let n = 0; n < 5; n++) {
    await Promise.resolve();
  }
}

test('a result says what its block has changed', () => {
  const node = drawn({});

  expect(line(node)).toBe(
    'set total (int), df (DataFrame 703 × 3 → 700 × 3) · changed rows (list, 1 item → 2 items) · deleted tmp · 2 more'
  );
});

test('there is no line where nothing was changed', () => {
  expect(drawMessage(result(undefined), {}).querySelector('.jp-agents-Changes')).toBeNull();
});

test('a line says that changes are not known when another cell ran beside the block', () => {
  const node = drawMessage(result(undefined, { is_change_unknown: true }), {});

  expect(node.querySelector('.jp-agents-Changes')?.textContent).toContain('another cell ran beside it');
});

test.each([null, 1, 'x', [null], [{ added: 1 }], [{ added: [1, { name: {} }], more: -1 }]])(
  'whatever is in the file is drawn: %j',
  changes => {
    expect(() => drawn({ undo: () => Promise.resolve(DONE) }, freshBlock(), changes)).not.toThrow();
  }
);

test('there is no button where the page cannot reach a kernel', () => {
  expect(undoButton(drawn({}))).toBeNull();
});

test.each(["x'); import os #", 'abc', 'abc-1\n', 'ABC-1', '-1', 'abc-1-2-3-4', `${'a'.repeat(65)}-1`])(
  'an id that is none never gets to the kernel: %j',
  block => {
    expect(undoButton(drawn({ undo: () => Promise.resolve(DONE) }, block))).toBeNull();
  }
);

test('undo says what is as before and what is not', async () => {
  const undo = jest.fn(() => Promise.resolve(DONE));
  const block = freshBlock();
  const node = drawn({ undo }, block);

  undoButton(node)?.click();
  await settled();

  expect(undo).toHaveBeenCalledWith(block, expect.any(HTMLElement));
  expect(status(node)).toBe('Undone: total, df as before. Left as it is: rows (it was changed in place).');
  expect(undoButton(node)).toBeNull();
});

test('the button names what it undoes', () => {
  const node = drawn({ undo: () => Promise.resolve(DONE) });

  expect(undoButton(node)?.getAttribute('aria-label')).toBe('Undo: total, df, tmp');
});

test('it stays undone when the line is drawn anew', async () => {
  const block = freshBlock();
  const host = { undo: () => Promise.resolve(DONE) };
  undoButton(drawn(host, block))?.click();
  await settled();

  const again = drawn(host, block);

  expect(status(again)).toContain('Undone: total, df');
  expect(undoButton(again)).toBeNull();
});

test.each([
  ['This block has been undone already.', 'This block has been undone already.'],
  ['Nothing is kept of a block with this id.', 'Nothing is kept of this block any more.']
])('the button is of no use any more when the kernel says: %s', async (reason, said) => {
  const node = drawn({ undo: () => Promise.resolve({ restored: [], left: {}, reason }) });

  undoButton(node)?.click();
  await settled();

  expect(status(node)).toBe(said);
  expect(undoButton(node)?.disabled).toBe(true);
});

test('it can be tried again when a block runs now', async () => {
  const reason = 'A block is running. Undo when it has ended.';
  const node = drawn({ undo: () => Promise.resolve({ restored: [], left: {}, reason }) });

  undoButton(node)?.click();
  await settled();

  expect(status(node)).toBe(reason);
  expect(undoButton(node)?.disabled).toBe(false);
});

test('it can be tried again when the kernel has not answered', async () => {
  const node = drawn({ undo: () => Promise.reject(new Error('no answer')) });

  undoButton(node)?.click();
  await settled();

  expect(status(node)).toContain('The kernel has not answered');
  expect(undoButton(node)?.disabled).toBe(false);
});

test('the button is there only while the kernel knows the block', async () => {
  let tell: (canUndo: boolean) => void = () => undefined;
  const host: IHost = {
    undo: () => Promise.resolve(DONE),
    watchUndo: (_block, _near, told) => {
      tell = told;
    }
  };
  const node = drawn(host);
  await settled();
  expect(undoButton(node)).toBeNull();

  tell(false);
  expect(undoButton(node)).toBeNull();
  expect(status(node)).toBe('');

  tell(true);
  expect(undoButton(node)?.disabled).toBe(false);

  tell(false);
  expect(undoButton(node)?.disabled).toBe(true);
  expect(status(node)).toBe('The kernel does not know this block any more.');
});
