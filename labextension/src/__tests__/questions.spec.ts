import { Connection, type IWire } from '../view/connection';
import type { IHost } from '../view/host';
import { Questions } from '../view/questions';
import { Feed } from '../view/feed';
import { labelled, question, type } from './asking';

const WIRE: IWire = { send: () => undefined, listen: () => () => undefined };

/** The questions of a view whose place is that many pixels below the window, until it is followed. */
function place(below: number, follow: (questions: Questions) => void): Questions {
  const questions: Questions = new Questions(
    new Connection(WIRE),
    {} as unknown as IHost,
    () => undefined,
    () => follow(questions)
  );
  move(questions, window.innerHeight + below);
  document.body.append(questions.node);
  return questions;
}

function move(questions: Questions, top: number): void {
  questions.node.getBoundingClientRect = () => ({ top, bottom: top + 100 }) as DOMRect;
}

afterEach(() => document.body.replaceChildren());

it('gives a question the focus that comes on the screen by being followed', () => {
  const questions = place(10, at => move(at, 200));

  questions.show([question()]);

  expect(questions.node.contains(document.activeElement)).toBe(true);
  questions.dispose();
});

it('leaves the focus where it is when the reader does not follow', () => {
  const questions = place(10, () => undefined);

  questions.show([question()]);

  expect(questions.node.contains(document.activeElement)).toBe(false);
  questions.dispose();
});

// -- What was written to a question that others closed ------------------------------------------------------------

function write(questions: Questions, text: string): void {
  const area = [...questions.node.querySelectorAll('textarea')].at(-1) as HTMLTextAreaElement;
  type(area, text);
}

function open(questions: Questions): string[] {
  return [...questions.node.querySelectorAll<HTMLTextAreaElement>('textarea:enabled')].map(one => one.value);
}

function shared(feed = new Feed(WIRE)): Questions {
  const questions = new Questions(new Connection(WIRE, feed), {} as unknown as IHost, () => undefined);
  document.body.append(questions.node);
  return questions;
}

it.each(['other', 'nobody'] as const)(
  'goes on to the next question of the seat when %s closed the last',
  by => {
    const questions = shared();
    questions.show([question()]);
    write(questions, 'my draft');

    questions.closed('q1', by);
    questions.show([question({ id: 'q2' })]);

    expect(open(questions)).toEqual(['my draft']);
    questions.dispose();
  }
);

it('goes on as well when the next question is there before the last is closed', () => {
  const questions = shared();
  questions.show([question()]);
  write(questions, 'my draft');

  questions.show([question({ id: 'q2' })]);
  questions.closed('q1', 'other');

  expect(open(questions)).toEqual(['my draft']);
  questions.dispose();
});

it('goes on in another view of the page', () => {
  const feed = new Feed(WIRE);
  const first = shared(feed);
  first.show([question()]);
  write(first, 'my draft');
  first.dispose();

  const second = shared(feed);
  second.show([question({ id: 'q2' })]);

  expect(open(second)).toEqual(['my draft']);
  second.dispose();
});

it('is not for another seat, and stands there until it is dismissed', () => {
  jest.useFakeTimers();
  const questions = shared();
  questions.show([question()]);
  write(questions, 'my draft');
  questions.closed('q1', 'other');
  questions.show([question({ id: 'q2', agent: 'somebody else' })]);
  jest.advanceTimersByTime(60_000);
  const left = questions.node.querySelector<HTMLTextAreaElement>('textarea:disabled')?.value;

  labelled(questions.node, 'Dismiss').click();

  expect([left, open(questions)]).toEqual(['my draft', ['']]);
  expect(questions.node.querySelectorAll('.jp-agents-Prompt')).toHaveLength(1);
  questions.dispose();
  jest.useRealTimers();
});

it('is gone when it was sent', () => {
  const questions = shared();
  questions.show([question()]);
  write(questions, 'my answer');
  labelled(questions.node, 'Reply').click();

  questions.closed('q1', 'me');
  questions.show([question({ id: 'q2' })]);

  expect(open(questions)).toEqual(['']);
  questions.dispose();
});
