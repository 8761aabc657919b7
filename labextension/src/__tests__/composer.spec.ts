import axe from 'axe-core';

import { addresseeOf, createComposer, type IComposerView } from '../view/composer';
import { field, Kernel, labelled, press, settle, type } from './asking';

let kernel: Kernel;
let said: (readonly [string, string, readonly string[]])[];
let composer: IComposerView;

function open(is_busy = false, agents = ['assistant', 'coder']): HTMLTextAreaElement {
  composer = createComposer(
    { agents, is_busy },
    {},
    {
      say: (to, text, attached) => said.push([to, text, attached]),
      look: request => kernel.look(request)
    }
  );
  document.body.append(composer.node);
  composer.focus();
  return field(composer.node);
}

async function write(text: string): Promise<void> {
  type(field(composer.node), text);
  await settle();
}

const options = (): (string | null)[] =>
  [...composer.node.querySelectorAll('.jp-agents-Option-name')].map(node => node.textContent);
const addressee = (): string | undefined => composer.node.querySelector('select')?.value;

beforeEach(() => {
  jest.useFakeTimers();
  kernel = new Kernel();
  said = [];
});

afterEach(() => {
  composer.dispose();
  document.body.replaceChildren();
  jest.useRealTimers();
});

test('Enter sends to the first agent, and the box is empty again', async () => {
  const box = open();
  await write('Hello');

  press(box, 'Enter');

  expect(said).toEqual([['assistant', 'Hello', []]]);
  expect(box.value).toBe('');
});

test('a name at the beginning addresses, and is not sent', async () => {
  const box = open();
  await write('@coder, please plot it');

  expect(addressee()).toBe('coder');
  press(box, 'Enter');

  expect(said).toEqual([['coder', 'please plot it', []]]);
});

test('a name that is chosen from the list addresses', async () => {
  const box = open();
  await write('@co');
  expect(options()).toEqual(['coder']);

  press(box, 'Tab');
  expect([box.value, addressee()]).toEqual(['', 'coder']);
  await write('hi');
  press(box, 'Enter');

  expect(said).toEqual([['coder', 'hi', []]]);
});

test('agents and variables complete, and the kernel is asked for the letters there are', async () => {
  open(false, ['assistant', 'dfa']);

  await write('look at @df');

  expect(options()).toEqual(['dfa', 'df', 'df_clean']);
  expect(kernel.looks.at(-1)).toEqual({ prefix: 'df', text: '', attached: [] });
});

test('the list is a listbox of which the field names the active option', async () => {
  const box = open();
  await write('@df');
  const active = (): string | undefined => {
    const id = box.getAttribute('aria-activedescendant') ?? '';
    return document.getElementById(id)?.querySelector('.jp-agents-Option-name')?.textContent ?? undefined;
  };

  const seen = ['ArrowDown', 'ArrowDown', 'ArrowUp'].map(key => {
    press(box, key);
    return active();
  });

  expect(seen).toEqual(['df_clean', 'df', 'df_clean']);
  expect(composer.node.querySelectorAll('[role=listbox] [aria-selected=true]')).toHaveLength(1);
});

test('Escape closes the list, which stays closed for that word', async () => {
  const box = open();
  await write('@d');

  press(box, 'Escape');
  await write('@df');
  expect(options()).toEqual([]);
  await write('@df and @t');

  expect(options()).toEqual(['total']);
});

test('an answer that comes too late does not open the list', async () => {
  const answers: ((value: { names: { name: string; kind: string }[]; text: string }) => void)[] = [];
  open();
  jest.spyOn(kernel, 'look').mockImplementation(() => new Promise(resolve => answers.push(resolve)));
  await write('@d');
  await write('no mention any more');

  answers[0]?.({ names: [{ name: 'df', kind: 'DataFrame' }], text: '' });
  await settle();

  expect(options()).toEqual([]);
});

test.each(['me@df', 'x @', 'a @ b'])('in %j, a list opens for a mention only', async text => {
  open();

  await write(text);

  expect(options().length > 0).toBe(text.endsWith(' @'));
});

test('a busy chat keeps the text and says why it cannot be sent', async () => {
  const box = open(true);
  await write('next question');

  press(box, 'Enter');
  expect(said).toEqual([]);
  expect(composer.node.querySelector('[role=status]')?.textContent).toContain('A reply is under way');
  composer.update({ agents: ['assistant', 'coder'], is_busy: false });
  press(box, 'Enter');

  expect(said).toEqual([['assistant', 'next question', []]]);
});

test('an update keeps the addressee who was chosen, while there is one', async () => {
  const box = open();
  await write('@coder ');

  composer.update({ agents: ['assistant', 'coder', 'critic'], is_busy: false });
  expect(addressee()).toBe('coder');
  composer.update({ agents: ['assistant'], is_busy: false });

  expect([addressee(), box.value]).toEqual(['assistant', '@coder ']);
});

test('values are on show before they are sent for the first time', async () => {
  const box = open();
  await write('@tot');
  press(box, 'Enter');
  await settle();

  expect(composer.node.querySelector('pre')?.textContent).toBe('`total` + total');
  press(box, 'Enter');

  expect(said).toEqual([['assistant', '`total`', ['total']]]);
  expect(composer.node.querySelector('.jp-agents-Attached')?.textContent).toBe('');
});

test('the preview follows what is written, after a pause', async () => {
  open();
  composer.node.querySelector('summary')?.click();
  await settle();
  const before = kernel.looks.length;

  for (const text of ['a', 'ab', 'abc']) {
    await write(text);
  }
  await settle(400);

  expect(kernel.looks.length - before).toBe(1);
  expect(composer.node.querySelector('pre')?.textContent).toBe('abc + ');
});

test('nothing is sent when there is nothing', () => {
  press(open(), 'Enter');

  expect(said).toEqual([]);
  expect(labelled(composer.node, 'Send').disabled).toBe(true);
});

test.each([
  ['@data scientist go', 'data scientist'],
  ['@data go', 'data'],
  ['@database', null],
  ['hi @data', null]
])('%j is addressed to %p', (text, agent) => {
  expect(addresseeOf(text, ['data', 'data scientist'])).toBe(agent);
});

test('axe finds nothing, with the list open', async () => {
  open();
  await write('@d');
  jest.useRealTimers();

  const { violations } = await axe.run(composer.node, {
    rules: {
      region: { enabled: false },
      'color-contrast': { enabled: false },
      'label-content-name-mismatch': { enabled: false }
    }
  });

  expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
});

test('a variable that is typed in full is attached, and the name of an agent is not', async () => {
  const box = open(false, ['assistant', 'total']);
  await write('What is in @df? Ask @total.');
  press(box, 'Enter');
  await settle(10);
  press(box, 'Enter');
  await settle();

  expect(said).toEqual([['assistant', 'What is in @df? Ask @total.', ['df']]]);
});

test('Escape leaves the box the second time when something stands in it', async () => {
  const box = open();
  const heard: boolean[] = [];
  document.body.addEventListener('keydown', event => heard.push(event.defaultPrevented), { once: false });
  await write('half');

  press(box, 'Escape');
  press(box, 'Escape');

  expect(heard).toEqual([false]);
});
