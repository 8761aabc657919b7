/** Questions to a person: text, a choice, or leave to run code. */

import { ApprovalPrompt } from './approval';
import type { IPrompt, IPromptWires } from './card';
import { ChoicePrompt } from './choice';
import type { IHost } from './host';
import type { IQuestion } from './protocol';
import { ReplyPrompt } from './reply';

export type { ILookRequest, IPrompt, IPromptWires, ISeen } from './card';

/** A prompt for `question`; put its `node` on the page, then `focus()` it when the person is not typing elsewhere. */
export function createPrompt(question: IQuestion, _host: IHost, wires: IPromptWires): IPrompt {
  if (question.kind === 'approval') {
    return new ApprovalPrompt(question, wires);
  }
  return question.kind === 'choice' ? new ChoicePrompt(question, wires) : new ReplyPrompt(question, wires);
}
