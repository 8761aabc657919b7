/** Which of a cell's outputs are of blocks that agents ran: told by the outputs of ours between which they stand. */

import { MESSAGE_MIME } from './protocol';
import { list, record, records, word } from './values';

/** What an output is to those around it. All but `shown` are ours; `shown` is what code has put there. */
export interface IStanding {
  readonly role: 'said' | 'result' | 'end' | 'note' | 'shown';
  /** A live view stands in it, or stood in it when the kernel went. */
  readonly isLive: boolean;
}

/** Whether the output in this place is of a block that agents ran. */
export function isOfBlock(outputs: readonly IStanding[], at: number): boolean {
  if (outputs[at]?.role !== 'shown' || outputs[at].isLive) {
    return false;
  }
  const before = outputs.slice(0, at);
  const next = outputs.slice(at + 1).find(({ role }) => role !== 'shown' && role !== 'note');
  switch (next?.role) {
    case undefined:
      return before.some(({ isLive }) => isLive);
    case 'end':
      return before.some(({ role }) => role === 'said' || role === 'result');
    default:
      return next?.role === 'result';
  }
}

/** The standing of an output, from its data. A traceback of ours is one of the things that code shows. */
export function standingOf(data: Readonly<Record<string, unknown>>): IStanding {
  const found = record(data[MESSAGE_MIME]);
  const isLive = word(record(found['live'])['model_id']) !== '';
  return { role: roleOf(found), isLive };
}

function roleOf(message: Readonly<Record<string, unknown>>): IStanding['role'] {
  const kind = word(message['kind']);
  switch (kind) {
    case 'message':
      return isResult(message) ? 'result' : 'said';
    case 'messages':
      return isResult(firstOf(message)) ? 'result' : 'said';
    case 'failure':
      return 'said';
    case 'note':
    case 'end':
      return kind;
    default:
      return 'shown';
  }
}

/** Messages that share an output go on where the outputs before it have ended. */
function firstOf(messages: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return record(records(messages['items']).find(item => word(item['kind']) !== 'note'));
}

function isResult(message: Readonly<Record<string, unknown>>): boolean {
  return list(message['results']).length > 0 || ['code', 'tool'].includes(word(message['origin']));
}
