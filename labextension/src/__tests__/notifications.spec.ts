type Options = { actions: { callback: () => void }[] };
const emit = jest.fn<string, [string, string, Options]>(() => 'note-1');
const dismiss = jest.fn();
jest.mock('@jupyterlab/apputils', () => ({ Notification: { emit, dismiss } }), { virtual: true });

import { PersonNotifications } from '../notifications';
import { PERSON_ANSWERED, PERSON_NEEDED } from '../view/attention';

let notifications: PersonNotifications;
const reveal = jest.fn(() => Promise.resolve());
const open = jest.fn(() => true);

function need(text = 'May this run?', id = 'q1'): void {
  document.dispatchEvent(new CustomEvent(PERSON_NEEDED, { detail: { id, text, agent: 'user', open } }));
}

beforeEach(() => {
  jest.clearAllMocks();
  document.body.replaceChildren();
  window.CSS = { escape: (text: string) => text } as typeof CSS; // jsdom has none
  notifications = new PersonNotifications(reveal);
});

afterEach(() => notifications.dispose());

it('shows a question once', () => {
  need();
  need();

  expect(emit).toHaveBeenCalledTimes(1);
  expect(emit.mock.calls[0]?.[0]).toBe('user waits for you: May this run?');
});

it('dismisses it when it is answered, and no other', () => {
  need();

  document.dispatchEvent(new CustomEvent(PERSON_ANSWERED, { detail: { id: 'q2' } }));
  expect(dismiss).not.toHaveBeenCalled();

  document.dispatchEvent(new CustomEvent(PERSON_ANSWERED, { detail: { id: 'q1' } }));
  expect(dismiss).toHaveBeenCalledWith('note-1');
});

it('goes to the question: shows its cell first, then its prompt', async () => {
  need();

  emit.mock.calls[0]?.[2].actions[0]?.callback();
  expect(reveal).toHaveBeenCalledWith('q1');
  expect(open).not.toHaveBeenCalled();
  await Promise.resolve();

  expect(open).toHaveBeenCalledTimes(1);
});

it.each([
  ['in sight', 100, 0],
  ['below the window', 5000, 1]
])('looks whether the prompt is %s', (_, top, times) => {
  const prompt = document.createElement('section');
  prompt.setAttribute('data-jp-agents-question', 'q1');
  document.body.append(prompt);
  prompt.getBoundingClientRect = () => new DOMRect(0, top, 300, 200);
  document.elementFromPoint = () => prompt;

  need();

  expect(emit).toHaveBeenCalledTimes(times);
});

it('shows the beginning of a long question', () => {
  need(`one\n\n two ${'x'.repeat(1000)}`);

  expect(emit.mock.calls[0]?.[0]).toMatch(/^user waits for you: one two x{92}…$/);
});
