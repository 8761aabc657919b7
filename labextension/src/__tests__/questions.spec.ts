import { Connection, type IWire } from '../view/connection';
import type { IHost } from '../view/host';
import { Questions } from '../view/questions';
import { question } from './asking';

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
