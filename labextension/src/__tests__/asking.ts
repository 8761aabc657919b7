/** What the tests of prompts share: a question, wires that remember, and keys. */

import type { ILookRequest, IPromptWires, ISeen } from '../view/prompt';
import type { IAnswer, IQuestion } from '../view/protocol';

export const CLASSIC =
  "Provide feedback to assistant. Press enter to skip and use auto-reply, or type 'exit' to end the conversation: ";

export function question(values: Partial<IQuestion> = {}): IQuestion {
  return {
    id: 'q1',
    kind: 'text',
    text: CLASSIC,
    agent: 'user_proxy',
    sender: 'assistant',
    choices: [],
    code: '',
    language: 'python',
    facts: null,
    otherwise: '',
    remaining: null,
    empty: 'auto',
    ...values
  };
}

/** The kernel at the other end: it keeps the answers and knows three variables. */
export class Kernel implements IPromptWires {
  readonly answers: IAnswer[] = [];
  readonly looks: ILookRequest[] = [];
  left = 0;
  isSilent = false;

  answer(answer: IAnswer): void {
    this.answers.push(answer);
  }

  look(request: ILookRequest): Promise<ISeen> {
    this.looks.push(request);
    if (this.isSilent) {
      return new Promise(() => undefined);
    }
    const names = ['df', 'df_clean', 'total']
      .filter(name => name.startsWith(request.prefix ?? ' '))
      .map(name => ({ name, kind: 'DataFrame' }));
    return Promise.resolve({ names, text: `${request.text} + ${request.attached.join()}` });
  }

  leave(): void {
    this.left += 1;
  }
}

/** Press a key; whether its default was left to the browser. */
export function press(node: Element, key: string, more: KeyboardEventInit = {}): boolean {
  return node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
}

export function type(field: HTMLTextAreaElement | HTMLInputElement, text: string): void {
  field.value = text;
  field.setSelectionRange(text.length, text.length);
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

export function labelled(root: ParentNode, label: string): HTMLButtonElement {
  const found = [...root.querySelectorAll('button')].find(node => node.textContent?.startsWith(label));
  if (found === undefined) {
    throw new Error(`no button ${label}`);
  }
  return found;
}

export function field(root: ParentNode): HTMLTextAreaElement {
  return root.querySelector('textarea') as HTMLTextAreaElement;
}

/** Let promises and short timers run. */
export async function settle(milliseconds = 0): Promise<void> {
  await jest.advanceTimersByTimeAsync(milliseconds);
}
