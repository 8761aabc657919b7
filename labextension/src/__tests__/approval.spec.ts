import { createPrompt, type IPrompt } from '../view/prompt';
import type { IQuestion } from '../view/protocol';
import { field, Kernel, labelled, press, question, settle, type } from './asking';

const CODE = 'total = df.price.sum()\nprint(total)\n';
let kernel: Kernel;
let prompt: IPrompt;

function approval(values: Partial<IQuestion> = {}): IQuestion {
  return question({ kind: 'approval', text: '', code: CODE, ...values });
}

async function ask(values: Partial<IQuestion> = {}, wait = 500): Promise<void> {
  prompt = createPrompt(approval(values), {}, kernel);
  document.body.append(prompt.node);
  prompt.focus();
  await settle(wait);
}

const focused = (): Element => document.activeElement as Element;

beforeEach(() => {
  jest.useFakeTimers();
  kernel = new Kernel();
});

afterEach(() => {
  prompt.dispose();
  document.body.replaceChildren();
  jest.useRealTimers();
});

test('the focus goes to the code, and Enter or Space there runs nothing', async () => {
  await ask();

  [press(focused(), 'Enter'), press(focused(), ' '), press(focused(), 'y')].forEach(Boolean);

  expect(focused().textContent).toBe(CODE);
  expect(kernel.answers).toEqual([]);
});

test('a click runs', async () => {
  await ask();

  labelled(prompt.node, 'Run').click();

  expect(kernel.answers).toEqual([{ action: 'run', text: '' }]);
});

test.each([{ ctrlKey: true }, { metaKey: true }])('%j and Enter run', async more => {
  await ask();

  press(focused(), 'Enter', more);

  expect(kernel.answers).toEqual([{ action: 'run', text: '' }]);
});

test('a card that has just appeared runs nothing', async () => {
  await ask({}, 499);

  labelled(prompt.node, 'Run').click();
  press(focused(), 'Enter', { ctrlKey: true });
  expect(kernel.answers).toEqual([]);
  expect(labelled(prompt.node, 'Run').getAttribute('aria-disabled')).toBe('true');
  await settle(1);
  labelled(prompt.node, 'Run').click();

  expect(kernel.answers).toHaveLength(1);
});

test('a key that is held down runs nothing', async () => {
  await ask();

  press(focused(), 'Enter', { ctrlKey: true, repeat: true });

  expect(kernel.answers).toEqual([]);
});

test('another code in the same question waits again', async () => {
  await ask();

  prompt.update(approval({ code: 'import shutil\n' }));
  labelled(prompt.node, 'Run').click();

  expect(kernel.answers).toEqual([]);
  expect(prompt.node.textContent).toContain('import shutil');
});

test('the checkbox says always', async () => {
  await ask();
  prompt.node.querySelector<HTMLInputElement>('input[type=checkbox]')?.click();

  labelled(prompt.node, 'Run').click();

  expect(kernel.answers).toEqual([{ action: 'run', text: '', always: true }]);
});

test('edited code runs as it was edited', async () => {
  await ask();
  labelled(prompt.node, 'Edit').click();
  type(field(prompt.node), 'print(1)');
  await settle(500);

  expect(prompt.node.textContent).toContain('Edited');
  press(field(prompt.node), 'Enter', { ctrlKey: true });

  expect(kernel.answers).toEqual([{ action: 'edit', text: 'print(1)' }]);
});

test('code that was not changed in the editor runs as it was shown', async () => {
  await ask({ code: 'a\r\nb' });
  labelled(prompt.node, 'Edit').click();
  await settle(500);

  labelled(prompt.node, 'Run edited code').click();

  expect(kernel.answers).toEqual([{ action: 'run', text: '' }]);
});

test('a double click on Edit does not run', async () => {
  await ask();
  labelled(prompt.node, 'Edit').click();

  labelled(prompt.node, 'Run edited code').click();

  expect(kernel.answers).toEqual([]);
});

test('Cancel brings the code back', async () => {
  await ask();
  labelled(prompt.node, 'Edit').click();
  type(field(prompt.node), 'print(1)');

  labelled(prompt.node, 'Cancel').click();

  expect(focused().textContent).toBe(CODE);
});

test('Tab indents in the editor, and after Escape it leaves', async () => {
  await ask();
  labelled(prompt.node, 'Edit').click();
  field(prompt.node).setSelectionRange(0, 0);

  const leaves = ['Tab', 'Escape', 'Tab'].map(key => press(field(prompt.node), key));

  expect(leaves).toEqual([false, false, true]);
  expect(field(prompt.node).value).toBe(`    ${CODE}`);
  expect(kernel.left).toBe(0);
});

test('hidden characters that are pasted into the editor are told', async () => {
  await ask();
  labelled(prompt.node, 'Edit').click();

  type(field(prompt.node), 'x = 1 \u202e');

  expect(prompt.node.textContent).toContain('U+202E RIGHT-TO-LEFT OVERRIDE');
});

test('the reason of a rejection goes to the model', async () => {
  await ask();
  labelled(prompt.node, 'Reject').click();
  type(field(prompt.node), 'Not that file.\ud800');
  await settle(500);

  press(field(prompt.node), 'Enter');

  expect(kernel.answers).toEqual([{ action: 'reject', text: 'Not that file.\ufffd' }]);
});

test('Ctrl+Enter beside a reason does not run', async () => {
  await ask();
  labelled(prompt.node, 'Reject').click();
  await settle(500);

  press(field(prompt.node), 'Enter', { ctrlKey: true });

  expect(kernel.answers).toEqual([{ action: 'reject', text: '' }]);
});

test('Stop stops', async () => {
  await ask();

  labelled(prompt.node, 'Stop the chat').click();

  expect(kernel.answers).toEqual([{ action: 'stop', text: '' }]);
});

test.each(['Edit', 'Reject'])('the chat can be stopped after %s was pressed', async label => {
  await ask();
  labelled(prompt.node, label).click();

  labelled(prompt.node, 'Stop the chat').click();

  expect(kernel.answers).toEqual([{ action: 'stop', text: '' }]);
});

test('what is edited is compared with what was asked, when nothing is typed for a moment', async () => {
  await ask();
  labelled(prompt.node, 'Edit').click();
  type(field(prompt.node), CODE.replace('price', 'volume'));
  const before = prompt.node.querySelectorAll('del, ins').length;

  await settle(200);

  const lines = [...prompt.node.querySelectorAll('del, ins')].map(line => line.textContent);
  expect(before).toBe(0);
  expect(lines).toEqual(['total = df.price.sum()', 'total = df.volume.sum()']);
  expect(prompt.node.textContent).toContain('1 line added, 1 removed');
});

test('what is known of the code is told', async () => {
  await ask({
    sender: 'as\u202esistant',
    facts: { reads: ['df', 'x'], sets: ['total'], deletes: ['tmp'], notes: ['writes files'] }
  });

  const terms = [...prompt.node.querySelectorAll('dt, dd')].map(node => node.textContent);

  expect(terms).toEqual([
    'what it does',
    'writes files',
    'deletes',
    'tmp',
    'reads',
    'df, x',
    'sets',
    'total'
  ]);
  expect(prompt.node.textContent).toContain('written by as⟨U+202E⟩sistant · runs for user_proxy');
  expect(prompt.node.textContent).toContain('2 lines, 36 characters');
});

test('after the time it is rejected, for the reason that the kernel gives', async () => {
  await ask({ remaining: 20, otherwise: 'run' });

  expect(prompt.node.querySelector('[role=timer]')?.textContent).toBe('In 20 s: it is rejected');
});

test.each([
  ['', 'python', 'Run this Python code?'],
  ['Run this code?', 'sh', 'Run this Shell code?'],
  ['Run this code?', '', 'Run this code?'],
  ['Call this function?', 'json', 'Call this function?']
])('the question %j of %j is called %j', async (text, language, title) => {
  await ask({ text, language });

  expect(prompt.node.querySelector('.jp-agents-Prompt-title')?.textContent).toBe(title);
});

const CALL = { text: 'Call get_price?', language: 'json', code: '{\n  "of": "X"\n}' };

test('a call of a function is spoken of as one', async () => {
  await ask(CALL);

  const labels = [...prompt.node.querySelectorAll('button')].map(node => node.textContent);

  expect(labels).toEqual([
    'Copy',
    expect.stringMatching('^Call'),
    'Edit and call…',
    'Reject…',
    'Stop the chat'
  ]);
  expect(prompt.node.textContent).toContain('do not ask again for exactly this call');
});

test('a call is made with the arguments that were edited', async () => {
  await ask(CALL);
  labelled(prompt.node, 'Edit').click();
  type(field(prompt.node), '{"of": "Y"}');
  await settle(500);

  labelled(prompt.node, 'Call with edited arguments').click();

  expect(kernel.answers).toEqual([{ action: 'edit', text: '{"of": "Y"}' }]);
});

test.each(['{"of": ', '["X"]', 'null', ''])('%j is no text to call with', async text => {
  await ask(CALL);
  labelled(prompt.node, 'Edit').click();
  type(field(prompt.node), text);
  await settle(500);

  labelled(prompt.node, 'Call with edited arguments').click();

  expect(kernel.answers).toEqual([]);
  expect(prompt.node.querySelector('.jp-agents-Prompt-status')?.textContent).toContain('no arguments yet');
});

test('an answer of another window closes it for good', async () => {
  await ask();
  const run = labelled(prompt.node, 'Run');

  prompt.closed('other');
  run.click();
  press(prompt.node, 'Enter', { ctrlKey: true });
  await settle(10_000);

  expect(kernel.answers).toEqual([]);
  expect(prompt.node.querySelectorAll('button:enabled, input:enabled')).toHaveLength(0);
});
