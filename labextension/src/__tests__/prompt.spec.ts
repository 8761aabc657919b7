import axe from 'axe-core';

import { createPrompt, type IPrompt } from '../view/prompt';
import type { IQuestion } from '../view/protocol';
import { field, Kernel, labelled, press, question, settle, type } from './asking';

let kernel: Kernel;
let prompt: IPrompt;

function ask(values: Partial<IQuestion> = {}): IPrompt {
  prompt = createPrompt(question(values), {}, kernel);
  document.body.append(prompt.node);
  prompt.focus();
  return prompt;
}

function spoken(): string {
  return [...prompt.node.querySelectorAll('[role=status]')].map(node => node.textContent).join('');
}

beforeEach(() => {
  jest.useFakeTimers();
  kernel = new Kernel();
});

afterEach(() => {
  prompt.dispose();
  document.body.replaceChildren();
  jest.useRealTimers();
});

describe('a text prompt', () => {
  test('the classic sentence is a short title', () => {
    ask();

    expect(prompt.node.textContent).toContain('Your reply to assistant');
    expect(prompt.node.textContent).not.toContain('Provide feedback');
  });

  test('the text of a user is shown as it is', () => {
    ask({ text: 'Which file?\n<b>x</b>' });

    expect(prompt.node.querySelector('.jp-agents-Prompt-title')?.textContent).toBe('Which file?\n<b>x</b>');
  });

  test('Enter sends, and Shift+Enter does not', () => {
    ask();
    type(field(prompt.node), 'two\nlines');

    press(field(prompt.node), 'Enter', { shiftKey: true });
    expect(kernel.answers).toEqual([]);
    press(field(prompt.node), 'Enter');

    expect(kernel.answers).toEqual([{ action: 'reply', text: 'two\nlines' }]);
  });

  test.each([{ isComposing: true }, { keyCode: 229 }, { repeat: true }])(
    'Enter with %p is not an answer',
    more => {
      ask();
      type(field(prompt.node), 'か');

      press(field(prompt.node), 'Enter', more);

      expect(kernel.answers).toEqual([]);
    }
  );

  test('Enter on an empty field skips', async () => {
    ask();
    await settle(500);

    press(field(prompt.node), 'Enter');

    expect(kernel.answers).toEqual([{ action: 'reply', text: '' }]);
  });

  test('Enter on an empty field that has just got the focus was meant for something else', async () => {
    ask();
    await settle(2000);
    (document.activeElement as HTMLElement).blur();
    prompt.focus();

    press(field(prompt.node), 'Enter');

    expect(kernel.answers).toEqual([]);
  });

  test.each([
    ['auto', ['Reply', 'Use auto-reply', 'Attach a variable', 'End the chat']],
    ['end', ['Reply', 'Attach a variable', 'End the chat']],
    ['send', ['Send', 'Attach a variable']]
  ] as const)('the buttons of %s are the answers it has', (empty, labels) => {
    ask({ empty });

    const shown = [...prompt.node.querySelectorAll('button')].map(node => node.textContent);

    expect(shown).toEqual(labels);
  });

  test('the buttons give the three classic answers', () => {
    const given = ['Use auto-reply', 'End the chat'].map(label => {
      labelled(ask().node, label).click();
      prompt.dispose();
      return kernel.answers.at(-1)?.text;
    });

    expect(given).toEqual(['', 'exit']);
  });

  test('it is answered once, and everything is disabled at once', () => {
    ask();
    type(field(prompt.node), 'yes');

    press(field(prompt.node), 'Enter');
    press(field(prompt.node), 'Enter');
    labelled(prompt.node, 'End the chat').click();

    expect(kernel.answers).toHaveLength(1);
    expect(prompt.node.querySelectorAll('button:enabled, textarea:enabled')).toHaveLength(0);
    expect(prompt.node.contains(document.activeElement)).toBe(true);
  });

  test('it can be sent again when the kernel gives no sign, and not before', async () => {
    ask();
    type(field(prompt.node), 'yes');
    press(field(prompt.node), 'Enter');

    expect(() => labelled(prompt.node, 'Send again')).toThrow();
    await settle(5000);
    labelled(prompt.node, 'Send again').click();

    expect(kernel.answers).toEqual([
      { action: 'reply', text: 'yes' },
      { action: 'reply', text: 'yes' }
    ]);
  });

  test('halves of characters are sent as U+FFFD', () => {
    ask();
    type(field(prompt.node), 'a\ud800b \udc00 😀');

    press(field(prompt.node), 'Enter');

    expect(kernel.answers[0]?.text).toBe('a\ufffdb \ufffd 😀');
  });

  test('a megabyte is sent whole', () => {
    ask();
    const text = 'x'.repeat(1_000_000);
    type(field(prompt.node), text);

    press(field(prompt.node), 'Enter');

    expect(kernel.answers[0]?.text).toHaveLength(1_000_000);
  });

  test('an update keeps what was typed', () => {
    ask({ remaining: 50 });
    type(field(prompt.node), 'half a sent');

    prompt.update(question({ remaining: 40, sender: 'critic', text: '' }));

    expect(field(prompt.node).value).toBe('half a sent');
    expect(prompt.node.textContent).toContain('Your reply to critic');
  });

  test('the arrow keys bring back what the same seat wrote, and then the draft', async () => {
    const seat = { agent: 'historian' };
    for (const text of ['first', 'second']) {
      ask(seat);
      type(field(prompt.node), text);
      press(field(prompt.node), 'Enter');
      prompt.dispose();
    }
    ask(seat);
    type(field(prompt.node), 'draft');
    const seen: string[] = [];

    for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowDown', 'ArrowDown', 'ArrowDown']) {
      press(field(prompt.node), key);
      await settle(20);
      seen.push(field(prompt.node).value);
    }

    expect(seen).toEqual(['second', 'first', 'first', 'second', 'draft', 'draft']);
  });

  test('another seat does not see it', async () => {
    ask({ agent: 'one' });
    type(field(prompt.node), 'private');
    press(field(prompt.node), 'Enter');
    prompt.dispose();
    ask({ agent: 'two' });

    press(field(prompt.node), 'ArrowUp');
    await settle(20);

    expect(field(prompt.node).value).toBe('');
  });

  test('Escape leaves a field in which something stands the second time only', () => {
    ask();
    type(field(prompt.node), 'half a thou');

    const left = ['Escape', 'g', 'Escape', 'Escape'].map(key => {
      press(field(prompt.node), key);
      return kernel.left;
    });

    expect(left).toEqual([0, 0, 0, 1]);
    expect(spoken()).toContain('Escape once more leaves the field');
  });

  test('keys do not reach the notebook, and Escape leaves', () => {
    const heard: string[] = [];
    const listener = (event: KeyboardEvent): unknown => heard.push(event.key);
    document.addEventListener('keydown', listener);
    ask();

    press(field(prompt.node), 'd');
    press(field(prompt.node), 'Escape');
    document.removeEventListener('keydown', listener);

    expect(heard).toEqual([]);
    expect(kernel.left).toBe(1);
  });
});

describe('the countdown', () => {
  test('it says what happens then', async () => {
    ask({ remaining: 90, otherwise: 'exit' });

    expect(prompt.node.querySelector('[role=timer]')?.textContent).toBe('In 1:30: the chat ends');
    await settle(31_100);

    expect(prompt.node.querySelector('[role=timer]')?.textContent).toBe('In 59 s: the chat ends');
  });

  test('it is announced at its start, at 30 s and at 10 s only', async () => {
    ask({ remaining: 60 });
    const said = new Set<string>();

    for (let second = 0; second < 58; second++) {
      said.add(spoken());
      await settle(1000);
    }

    expect([...said]).toEqual([
      'In 1:00: the automatic reply is used',
      'In 30 s: the automatic reply is used',
      'In 10 s: the automatic reply is used'
    ]);
  });

  test('a figure that the kernel repeats does not wind it back', async () => {
    ask({ remaining: 60 });
    await settle(20_000);

    prompt.update(question({ remaining: 60 }));

    expect(prompt.node.querySelector('[role=timer]')?.textContent).toContain('In 40 s');
  });

  test('no timer is left after dispose', () => {
    ask({ remaining: 60 });
    type(field(prompt.node), 'x');

    prompt.dispose();

    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a closed prompt', () => {
  test('a question that is over is a line, and keeps what was written', () => {
    ask();
    prompt.closed('other');
    const unwritten = field(prompt.node).hidden;
    prompt.dispose();
    prompt.node.remove();
    ask();
    type(field(prompt.node), 'half a sentence');

    prompt.closed('nobody');

    expect(unwritten).toBe(true);
    expect(field(prompt.node).hidden).toBe(false);
  });

  test.each([
    ['me', 'Answered.'],
    ['other', 'Answered in another window.'],
    ['nobody', 'No answer is needed any more']
  ] as const)('by %s', (by, text) => {
    ask();

    prompt.closed(by);

    expect(spoken()).toContain(text);
    expect(prompt.node.querySelectorAll('button:enabled, textarea:enabled')).toHaveLength(0);
  });

  test('by nobody in time says what happened', async () => {
    ask({ remaining: 5 });
    await settle(5100);

    prompt.closed('nobody');

    expect(spoken()).toContain('The time was up: the automatic reply is used.');
  });
});

describe('attached variables', () => {
  async function attach(): Promise<void> {
    type(field(prompt.node), 'Look at @to');
    await settle();
    press(field(prompt.node), 'Enter');
    await settle();
  }

  test('a mention attaches, and the values are on show before they are sent', async () => {
    ask();

    await attach();

    expect(field(prompt.node).value).toBe('Look at `total` ');
    expect(prompt.node.querySelector('details')?.open).toBe(true);
    expect(prompt.node.querySelector('pre')?.textContent).toBe('Look at `total`  + total');
    press(field(prompt.node), 'Enter');
    expect(kernel.answers).toEqual([{ action: 'reply', text: 'Look at `total` ', attached: ['total'] }]);
  });

  test('a name that is typed in full is attached, as if it were chosen', async () => {
    ask();
    type(field(prompt.node), 'look at @df, ');
    await settle();
    const chips = [...prompt.node.querySelectorAll('.jp-agents-Attached-name code')].map(
      node => node.textContent
    );
    await settle(10);

    press(field(prompt.node), 'Enter');
    await settle();

    expect(chips).toEqual(['df']);
    expect(kernel.answers).toEqual([{ action: 'reply', text: 'look at @df, ', attached: ['df'] }]);
  });

  test('a name at the end is attached when it is sent, and on show first', async () => {
    ask();
    type(field(prompt.node), 'what is @total');
    await settle();
    press(field(prompt.node), 'Escape');

    press(field(prompt.node), 'Enter');
    await settle(10);
    const before = kernel.answers.length;
    press(field(prompt.node), 'Enter');
    await settle();

    expect(before).toBe(0);
    expect(kernel.answers).toEqual([{ action: 'reply', text: 'what is @total', attached: ['total'] }]);
  });

  test.each(['write to @nobody', 'me@df.org', '@df.shape is it'])('%j stays text', async text => {
    ask();
    type(field(prompt.node), text);
    await settle();
    press(field(prompt.node), 'Escape');

    press(field(prompt.node), 'Enter');
    await settle(10);

    expect(kernel.answers).toEqual([{ action: 'reply', text }]);
  });

  test('what was attached as it was typed goes with the word, and stays away when it is removed', async () => {
    ask();
    const names = (): number => prompt.node.querySelectorAll('.jp-agents-Attached-name').length;
    type(field(prompt.node), '@df is it');
    await settle();
    const attached = names();
    type(field(prompt.node), '@d is it');
    await settle();
    const gone = names();
    type(field(prompt.node), '@df is it');
    await settle();
    prompt.node.querySelector<HTMLButtonElement>('.jp-agents-mod-remove')?.click();
    type(field(prompt.node), '@df is it!');
    await settle();

    expect([attached, gone, names()]).toEqual([1, 0, 0]);
  });

  test('a name that a busy kernel does not know goes as text when it is sent again', async () => {
    kernel.isSilent = true;
    ask();
    type(field(prompt.node), 'look at @df');

    press(field(prompt.node), 'Enter');
    await settle(2000);
    const [before, said] = [kernel.answers.length, spoken()];
    press(field(prompt.node), 'Enter');

    expect(before).toBe(0);
    expect(said).toContain('The kernel is busy');
    expect(kernel.answers).toEqual([{ action: 'reply', text: 'look at @df' }]);
  });

  test('nothing is sent before the values are there, nor for ever waited for', async () => {
    ask();
    type(field(prompt.node), '@to');
    await settle();
    kernel.isSilent = true;
    press(field(prompt.node), 'Enter');

    press(field(prompt.node), 'Enter');
    expect(kernel.answers).toEqual([]);
    await settle(3000);
    press(field(prompt.node), 'Enter');

    expect(kernel.answers).toEqual([{ action: 'reply', text: '`total` ', attached: ['total'] }]);
  });

  test('a chip is removed', async () => {
    ask();
    await attach();

    const remove = prompt.node.querySelector<HTMLButtonElement>('[aria-label="Remove total"]');
    remove?.click();
    press(field(prompt.node), 'Enter');

    expect(kernel.answers).toEqual([{ action: 'reply', text: 'Look at `total` ' }]);
  });

  test('the button finds one by its name', async () => {
    ask();
    labelled(prompt.node, 'Attach a variable').click();
    const input = prompt.node.querySelector<HTMLInputElement>('input[role=combobox]') as HTMLInputElement;
    type(input, 'df_');
    await settle();

    press(input, 'Enter');
    await settle();

    expect(prompt.node.querySelector('.jp-agents-Attached')?.textContent).toContain('df_clean');
    expect(document.activeElement).toBe(field(prompt.node));
  });
});

describe('a choice', () => {
  const choices = ['Linear', 'Forest', 'Boosting', 'Bagging'];
  const focused = (): string | null =>
    document.activeElement?.querySelector('.jp-agents-Choice-text')?.textContent ?? null;

  test.each([
    [0, false],
    [500, true]
  ])('after %i ms, Enter is an answer: %p', async (wait, isAnswer) => {
    ask({ kind: 'choice', choices });
    await settle(wait);

    const isLeftToTheButton = press(document.activeElement as Element, 'Enter');

    expect(isLeftToTheButton).toBe(isAnswer);
  });

  test('a click is the answer', () => {
    ask({ kind: 'choice', choices });

    [...prompt.node.querySelectorAll<HTMLButtonElement>('.jp-agents-Choice')][1]?.click();

    expect(kernel.answers).toEqual([{ action: 'reply', text: 'Forest' }]);
  });

  test.each([
    [['ArrowDown'], 'Forest'],
    [['ArrowUp'], 'Bagging'],
    [['End', 'ArrowDown'], 'Linear'],
    [['3'], 'Boosting'],
    [['9'], 'Linear'],
    [['b'], 'Boosting'],
    [['b', 'a'], 'Bagging']
  ])('%p goes to %s and answers nothing', (keys, choice) => {
    ask({ kind: 'choice', choices });

    keys.forEach(key => press(document.activeElement as Element, key));

    expect(focused()).toBe(choice);
    expect(kernel.answers).toEqual([]);
  });

  test('the default has the focus and is marked when there is a time', () => {
    ask({ kind: 'choice', choices, otherwise: 'Boosting', remaining: 9 });

    expect(focused()).toBe('Boosting');
    expect(document.activeElement?.textContent).toContain('when the time is up');
  });

  test('the word that ends a chat of a group is told in plain words, and given as it is', () => {
    ask({ kind: 'choice', text: "Who speaks next? 'exit' ends the chat.", choices: ['Anna', 'exit'] });
    const end = [...prompt.node.querySelectorAll<HTMLButtonElement>('.jp-agents-Choice')][1];

    end?.click();

    expect(prompt.node.querySelector('.jp-agents-Prompt-title')?.textContent).toBe('Who speaks next?');
    expect(end?.querySelector('.jp-agents-Choice-text')?.textContent).toBe('End the chat');
    expect(kernel.answers).toEqual([{ action: 'reply', text: 'exit' }]);
  });

  test('a choice can end the chat where the classic prompt could', () => {
    ask({ kind: 'choice', choices });

    labelled(prompt.node, 'End the chat').click();

    expect(kernel.answers).toEqual([{ action: 'stop', text: '' }]);
  });
});

test.each([
  {},
  { kind: 'choice', choices: ['a', 'b'], remaining: 9 },
  { kind: 'approval', code: 'x = 1\n' }
] as const)('axe finds nothing in %j', async values => {
  ask({ ...values });
  jest.useRealTimers();

  const { violations } = await axe.run(prompt.node, {
    rules: {
      region: { enabled: false },
      'color-contrast': { enabled: false },
      'label-content-name-mismatch': { enabled: false }
    }
  });

  expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
});
