import { drawMessage } from '../view/messageView';
import { MESSAGE_MIME, type IQuestion } from '../view/protocol';
import { ShownBelow } from '../view/shownBelow';
import { question } from './asking';

const CODE = 'total = 2\nprint(total)';

function message(text: string, more: Record<string, unknown> = {}): HTMLElement {
  const found = {
    schema: 1,
    kind: 'message',
    sender: 'assistant',
    recipient: 'user',
    origin: 'model',
    ...more
  };
  return drawMessage({ data: { [MESSAGE_MIME]: { ...found, text } }, metadata: {} }, {});
}

function block(code: string): string {
  return `Look:\n\n\`\`\`python\n${code}\n\`\`\`\n`;
}

function approval(code: string, more: Partial<IQuestion> = {}): IQuestion {
  return question({ kind: 'approval', code, ...more });
}

function below(...messages: HTMLElement[]): { messages: HTMLElement; folded: () => string[] } {
  const node = document.createElement('div');
  node.append(...messages);
  const folded = (): string[] =>
    [...node.querySelectorAll('.jp-agents-mod-shownBelow code')].map(code => code.textContent ?? '');
  return { messages: node, folded };
}

test('a block is folded while a question shows it, and says so', () => {
  const { messages, folded } = below(message(block(CODE)));
  const shown = new ShownBelow();

  shown.show(messages, [approval(`${CODE}\n`)]);

  expect(folded()).toEqual([CODE]);
  expect(messages.textContent).toContain('shown below');

  shown.show(messages, []);

  expect(folded()).toEqual([]);
  expect(messages.textContent).not.toContain('shown below');
});

test('only the block that is asked about is folded', () => {
  const { messages, folded } = below(message(block(CODE) + block('other = 3')));

  new ShownBelow().show(messages, [approval('other = 3')]);

  expect(folded()).toEqual(['other = 3']);
});

test.each([approval('total = 3'), question({ kind: 'text', code: CODE })])(
  'another text folds nothing',
  asked => {
    const { messages, folded } = below(message(block(CODE)));

    new ShownBelow().show(messages, [asked]);

    expect(folded()).toEqual([]);
  }
);

test('an earlier message stays as it is', () => {
  const { messages, folded } = below(message(block(CODE)), message('And now?'));

  new ShownBelow().show(messages, [approval(CODE)]);

  expect(folded()).toEqual([]);
});

test('a message that is drawn anew is folded again', () => {
  const { messages, folded } = below(message(block(CODE)));
  const shown = new ShownBelow();
  shown.show(messages, [approval(CODE)]);
  messages.replaceChildren(message(block(CODE)));

  shown.show(messages, [approval(CODE)]);
  shown.show(messages, [approval(CODE)]);

  expect(folded()).toEqual([CODE]);
  expect(messages.textContent?.match(/shown below/g)).toHaveLength(1);
});

test('the arguments of a call are the same in whatever way they are set out', () => {
  const { messages, folded } = below(
    message('', { calls: [{ name: 'add', arguments: '{"a": 1, "b": 2}' }] })
  );

  new ShownBelow().show(messages, [approval('{\n  "a": 1,\n  "b": 2\n}', { language: 'json' })]);

  expect(folded()).toHaveLength(1);
});
