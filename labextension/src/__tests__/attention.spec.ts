import {
  callToQuestions,
  giveBack,
  isTyping,
  markQuestion,
  PERSON_ANSWERED,
  PERSON_NEEDED
} from '../view/attention';
import type { IPersonNeeded } from '../view/attention';
import { question } from './asking';
import { Wire } from './wire';

function element(html: string): HTMLElement {
  const node = document.createElement('div');
  const [tag, ...attributes] = html.split(' ');
  const child = document.createElement(tag ?? 'div');
  attributes.forEach(one => child.setAttribute(one.split('=')[0] ?? '', one.split('=')[1] ?? ''));
  node.append(child);
  document.body.append(node);
  return child;
}

class Heard {
  readonly needed: IPersonNeeded[] = [];
  readonly answered: string[] = [];
  readonly #listeners: [string, (event: Event) => void][] = [
    [PERSON_NEEDED, event => this.needed.push((event as CustomEvent<IPersonNeeded>).detail)],
    [PERSON_ANSWERED, event => this.answered.push((event as CustomEvent<{ id: string }>).detail.id)]
  ];

  constructor() {
    this.#listeners.forEach(([name, listener]) => document.addEventListener(name, listener));
  }

  dispose(): void {
    this.#listeners.forEach(([name, listener]) => document.removeEventListener(name, listener));
  }
}

let heard: Heard;

beforeEach(() => {
  jest.useFakeTimers();
  // jsdom has no CSS namespace; the ids here need no escape.
  Object.assign(globalThis, { CSS: { escape: (text: string) => text } });
  heard = new Heard();
});

afterEach(() => {
  jest.useRealTimers();
  heard.dispose();
  document.body.replaceChildren();
});

it.each([
  ['input', true],
  ['textarea', true],
  ['div contenteditable=true tabindex=0', true],
  ['div class=cm-editor tabindex=0', true],
  ['button', false],
  ['div contenteditable=false tabindex=0', false]
])('knows whether somebody types who has the focus in %s', (html, expected) => {
  element(html).focus();

  expect(isTyping()).toBe(expected);
});

it('calls the person once to a question that has not got the focus', () => {
  const wire = new Wire();
  const end = callToQuestions(wire);
  wire.state({ questions: [question({ id: 'q7', text: 'Well?', agent: 'user' })] });
  wire.set({ questions: [question({ id: 'q7', text: 'Well?', agent: 'user' })] });

  jest.advanceTimersByTime(1000);

  expect(heard.needed).toMatchObject([{ id: 'q7', text: 'Well?', agent: 'user' }]);
  end();
});

it('calls with what the card says, not with the classic sentence about keys', () => {
  const wire = new Wire();
  const end = callToQuestions(wire);
  const classic =
    "Provide feedback to assistant. Press enter to skip and use auto-reply, or type 'exit' to end the conversation: ";
  wire.state({ questions: [question({ text: classic })] });

  jest.advanceTimersByTime(1000);

  expect(heard.needed[0]?.text).toBe('Your reply to assistant');
  end();
});

it('calls nobody to a question that has the focus', () => {
  const prompt = element('textarea');
  markQuestion(prompt, 'q7');
  const wire = new Wire();
  const end = callToQuestions(wire);
  wire.state({ questions: [question({ id: 'q7' })] });
  prompt.focus();

  jest.advanceTimersByTime(1000);

  expect(heard.needed).toEqual([]);
  end();
});

it('brings the question into view and asks it to take the focus when the call is taken', () => {
  const prompt = element('textarea');
  const taken: string[] = [];
  prompt.scrollIntoView = () => taken.push('in view');
  prompt.addEventListener('jp-agents:focus', () => taken.push('focus'));
  const wire = new Wire();
  const end = callToQuestions(wire);
  wire.state({ questions: [question({ id: 'q7' })] });
  jest.advanceTimersByTime(1000);

  const before = heard.needed[0]?.open();
  markQuestion(prompt, 'q7');
  const after = heard.needed[0]?.open();

  expect([before, after]).toEqual([false, true]);
  expect(taken).toEqual(['in view', 'focus']);
  end();
});

it.each([
  ['it is closed', (wire: Wire) => wire.say({ t: 'closed', id: 'q7', by: null })],
  ['it is gone', (wire: Wire) => wire.set({ questions: [] })]
])('says that nobody is needed any more when %s', (_, close) => {
  const wire = new Wire();
  const end = callToQuestions(wire);
  wire.state({ questions: [question({ id: 'q7' })] });
  jest.advanceTimersByTime(1000);

  close(wire);

  expect(heard.answered).toEqual(['q7']);
  end();
});

it('gives the focus to the notebook when what had it is gone', () => {
  const notebook = element('div class=jp-Notebook tabindex=-1');
  const prompt = document.createElement('textarea');
  const button = document.createElement('button');
  notebook.append(prompt, button);
  prompt.focus();

  giveBack(button, prompt);
  const first = document.activeElement;
  button.remove();
  giveBack(button, prompt);

  expect(first).toBe(button);
  expect(document.activeElement).toBe(notebook);
});
