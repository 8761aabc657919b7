/** Where the person is: what may take the focus, where it goes back to, and how a person elsewhere is called. */

import type { IWire } from './connection';
import type { FromKernel, IQuestion } from './protocol';
import { titleOf } from './reply';

export const PERSON_NEEDED = 'jp-agents:person-needed';
export const PERSON_ANSWERED = 'jp-agents:person-answered';

/** What `jp-agents:person-needed` says. `jp-agents:person-answered` has the `id` alone. */
export interface IPersonNeeded {
  readonly id: string;
  readonly text: string;
  readonly agent: string;
  /** Bring the question into view and the focus into it. `false` where it is not on the page now. */
  open(): boolean;
}

const QUESTION = 'data-jp-agents-question';
const TYPING = 'input, textarea, select, [contenteditable]:not([contenteditable="false"]), .cm-editor';
/** The view needs a moment to draw a question and take the focus, which makes a call needless. In milliseconds. */
const A_MOMENT = 300;

/** Whether the focus is where somebody may be writing. */
export function isTyping(): boolean {
  return document.activeElement?.closest(TYPING) !== null && document.activeElement !== null;
}

/** Let `open` find the question in `node`. `focus` puts the focus into it. */
export function markQuestion(node: HTMLElement, id: string): void {
  node.setAttribute(QUESTION, id);
}

/** Give the focus to the notebook around, as Escape does everywhere in it. */
export function leaveToNotebook(from: HTMLElement): void {
  const notebook = from.closest<HTMLElement>('.jp-Notebook');
  if (notebook) {
    notebook.focus({ preventScroll: true });
  } else if (document.activeElement instanceof HTMLElement) {
    document.activeElement.blur();
  }
}

/** Give the focus back to where it was, or else to the notebook. */
export function giveBack(focus: Element | null, from: HTMLElement): void {
  const isThere = focus instanceof HTMLElement && focus.isConnected && focus !== document.body;
  if (isThere) {
    focus.focus({ preventScroll: true });
  }
  if (!isThere || document.activeElement !== focus) {
    leaveToNotebook(from);
  }
}

/**
 * Call the person to every question that has not got the focus, also where no view is on the page because its cell is
 * scrolled out of sight. Once for a page.
 */
export function callToQuestions(wire: IWire): () => void {
  const called = new Map<string, ReturnType<typeof setTimeout>>();
  const hangUp = wire.listen(message => {
    const questions = questionsIn(message);
    if (message.t === 'closed') {
      answered(called, message.id);
    } else if (questions) {
      follow(called, questions);
    }
  });
  return () => {
    hangUp();
    [...called.keys()].forEach(id => answered(called, id));
  };
}

/** All questions that are open, where a message says so. */
function questionsIn(message: FromKernel): readonly IQuestion[] | null {
  if (message.t === 'state') {
    return message.state.questions;
  }
  const ops = message.t === 'patch' ? message.ops : [];
  return ops.reduce<readonly IQuestion[] | null>(
    (found, op) => (op.op === 'set' && op.values.questions) || found,
    null
  );
}

function follow(called: Map<string, ReturnType<typeof setTimeout>>, questions: readonly IQuestion[]): void {
  const open = new Set(questions.map(({ id }) => id));
  [...called.keys()].filter(id => !open.has(id)).forEach(id => answered(called, id));
  for (const question of questions) {
    if (!called.has(question.id)) {
      called.set(
        question.id,
        setTimeout(() => call(question), A_MOMENT)
      );
    }
  }
}

function call(question: IQuestion): void {
  const { id, agent } = question;
  if (questionNode(id)?.contains(document.activeElement) && document.hasFocus()) {
    return;
  }
  const detail: IPersonNeeded = { id, text: titleOf(question), agent, open: () => open(id) };
  document.dispatchEvent(new CustomEvent(PERSON_NEEDED, { bubbles: true, detail }));
}

function answered(called: Map<string, ReturnType<typeof setTimeout>>, id: string): void {
  if (called.has(id)) {
    clearTimeout(called.get(id));
    called.delete(id);
    document.dispatchEvent(new CustomEvent(PERSON_ANSWERED, { bubbles: true, detail: { id } }));
  }
}

function questionNode(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[${QUESTION}="${CSS.escape(id)}"]`);
}

function open(id: string): boolean {
  const node = questionNode(id);
  node?.scrollIntoView({ block: 'center' });
  node?.dispatchEvent(new CustomEvent('jp-agents:focus'));
  return node !== null;
}
