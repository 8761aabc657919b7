/** Questions to a person in every kind and state, and the box of a chat. */

import { question } from '../../src/__tests__/asking';
import { createComposer } from '../../src/view/composer';
import { createPrompt, type ILookRequest, type IPrompt, type ISeen } from '../../src/view/prompt';
import type { IQuestion } from '../../src/view/protocol';
import type { IGalleryState } from '../page';

const CODE = `import pandas as pd

# total return of each stock since January
df = pd.read_csv("prices.csv", index_col=0)
returns = df.iloc[-1] / df.iloc[0] - 1
for name, value in returns.sort_values().items():
    print(f"{name:>6}  {value:8.2%}")
total = returns.sum()
del tmp
`;
const TRICKS = `access = "user"
if access != "user\u202e \u2066# Check if admin\u2069 \u2066":
    print("You are an admin.")${' '.repeat(300)}import os; os.remove("x")
p\u0430ypal = 1; \uff45val("2")
name = "\u05d0\u05d1\u05d2" + x  # ${'\u200b'.repeat(6)}
# safe comment\rimport shutil
${'\n'.repeat(30)}shutil.rmtree("/")
`;
const LONG = Array.from({ length: 60 }, (_, n) => `curl -s https://example.org/part/${n} >> all.csv`).join(
  '\n'
);
const FACTS = { reads: ['df', 'x'], sets: ['total', 'returns'], deletes: ['tmp'], notes: ['reads files'] };
const NAMES = [
  { name: 'df', kind: 'DataFrame 703 × 3' },
  { name: 'df_clean', kind: 'DataFrame 690 × 3' },
  { name: 'total', kind: 'float' }
];
const VALUE = '\n\n`df` (DataFrame 703 × 3):\n      price  volume\n0    12.50     100\n1    13.75     140';

export const states: readonly IGalleryState[] = [
  { name: 'prompt: reply', draw: () => [ask({ remaining: 95 }).node] },
  { name: 'prompt: reply with a variable', draw: () => [withVariable()] },
  { name: 'prompt: last word', draw: () => [ask({ empty: 'end' }).node] },
  { name: 'prompt: a question of a program', draw: () => [ask(OWN).node] },
  { name: 'prompt: choice', draw: () => [ask(CHOICE).node] },
  { name: 'prompt: approval', draw: () => [approval({ remaining: 180 }).node] },
  {
    name: 'prompt: approval of tricks',
    draw: () => [approval({ code: TRICKS, sender: 'assis\u202etant' }).node]
  },
  { name: 'prompt: approval of a long script', draw: () => [approval({ code: LONG, language: 'sh' }).node] },
  { name: 'prompt: approval of a call', draw: () => [approval(CALL).node] },
  { name: 'prompt: approval, editing', draw: () => [pressed(approval({}), 'Edit and run…', 'x = 1\n')] },
  {
    name: 'prompt: approval, rejecting',
    draw: () => [pressed(approval({}), 'Reject…', 'Use the file of 2023.')]
  },
  { name: 'prompt: sent', draw: () => [pressed(ask({}), 'Use auto-reply')] },
  { name: 'prompt: answered elsewhere', draw: () => [closed('other')] },
  { name: 'prompt: nobody answered', draw: () => [closed('nobody')] },
  { name: 'composer', draw: () => [composer(false, '')] },
  { name: 'composer: completion', draw: () => [composer(false, '@coder please look at @d')] },
  { name: 'composer: busy', draw: () => [composer(true, 'And the next question')] }
];

const OWN: Partial<IQuestion> = {
  text: 'Which of the two files holds the prices of 2024?\nThe name is enough.',
  empty: 'send',
  otherwise: 'prices.csv',
  remaining: 9
};
const CHOICE: Partial<IQuestion> = {
  kind: 'choice',
  text: 'Which model should be fitted?',
  choices: [
    'Linear regression',
    'Random forest',
    'Gradient boosting, with the settings of settings.json',
    'None'
  ],
  otherwise: 'Linear regression',
  remaining: 60
};

const CALL: Partial<IQuestion> = {
  text: 'Call book_flight?',
  code: '{\n  "from": "Vienna",\n  "to": "Oslo",\n  "day": "2026-03-01"\n}',
  language: 'json',
  facts: null
};

function ask(values: Partial<IQuestion>): IPrompt {
  return createPrompt(question(values), {}, { answer: () => undefined, leave: () => undefined, look });
}

function approval(values: Partial<IQuestion>): IPrompt {
  return ask({ kind: 'approval', text: 'Run this code?', code: CODE, facts: FACTS, ...values });
}

/** A prompt in which a button was pressed, and this was written then. */
function pressed(prompt: IPrompt, label: string, text = ''): HTMLElement {
  const button = [...prompt.node.querySelectorAll('button')].find(node => node.textContent === label);
  button?.click();
  write(prompt.node, text);
  return prompt.node;
}

function closed(by: 'other' | 'nobody'): HTMLElement {
  const prompt = ask({});
  prompt.closed(by);
  return prompt.node;
}

function withVariable(): HTMLElement {
  const prompt = ask({});
  write(prompt.node, 'Please use the adjusted prices of @df');
  setTimeout(() => key(prompt.node, 'Enter'), 50);
  return prompt.node;
}

function composer(is_busy: boolean, text: string): HTMLElement {
  const state = { agents: ['assistant', 'coder', 'critic'], is_busy };
  const { node } = createComposer(state, {}, { say: () => undefined, look });
  write(node, text);
  return node;
}

function write(root: HTMLElement, text: string): void {
  const field = root.querySelector('textarea');
  if (field !== null && text !== '') {
    field.setRangeText(text, 0, 0, 'end');
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

function key(root: HTMLElement, name: string): void {
  root.querySelector('textarea')?.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
}

async function look(request: ILookRequest): Promise<ISeen> {
  const prefix = request.prefix;
  const names = prefix === null ? [] : NAMES.filter(({ name }) => name.startsWith(prefix));
  return { names, text: request.text + (request.attached.length > 0 ? VALUE : '') };
}
