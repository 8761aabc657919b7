/** The messages of a chat as they are saved: what the bundles of `jupyter_agents/display/bundle.py` say. */

import { type IBlockChanges, readChanges } from './changes';
import { type IPicture, readPictures } from './pictures';
import { textOf } from './outputs';
import { MESSAGE_MIME, type IBundle } from './protocol';
import { amount, count, line, list, record, records, word } from './values';

export const METADATA = 'jupyter_agents';
const CODE_RESULT = /^exitcode: (-?\d+) \(execution (succeeded|failed)\)\nCode output: ?\n?([^]*)$/;

export interface ICall {
  readonly name: string;
  readonly arguments: string;
}

export interface IDecision {
  readonly action: string;
  readonly text: string;
}

/** What code gave: `null` where it was not run. */
export interface IExit {
  readonly code: number | null;
  readonly failed: boolean;
  readonly output: string;
}

/** What a bundle says. Whatever is missing or malformed in it is empty here. */
export interface IMessage {
  readonly kind: string;
  readonly sender: string;
  readonly recipient: string;
  readonly origin: string;
  readonly depth: number;
  readonly colour: number;
  /** The colour of who wrote the code whose result this is. */
  readonly authorColour: number | null;
  /** What its chat is called where others go on beside it. */
  readonly label: string;
  /** Which chat of the cell it belongs to. */
  readonly talk: number;
  /** Its recipient is the manager of a group, which everybody hears. */
  readonly toGroup: boolean;
  readonly text: string;
  readonly calls: readonly ICall[];
  readonly results: readonly ICall[];
  readonly pictures: readonly IPicture[];
  readonly decisions: readonly IDecision[];
  readonly exit: IExit | null;
  readonly finishReason: string;
  readonly level: string;
  readonly endedBy: string;
  /** Who has ended the chat, where a person did. */
  readonly endedByPerson: string;
  /** What the blocks have changed that were run for it. */
  readonly changes: readonly IBlockChanges[];
  /** Of joined messages. */
  readonly items: readonly IBundle[];
  /** It was saved while a live view stood in its place. */
  readonly isLive: boolean;
}

/** What differs from run to run. */
export interface IFigures {
  readonly seconds: number | null;
  readonly read: number | null;
  readonly written: number | null;
  /** US dollars. */
  readonly cost: number | null;
  readonly isEstimated: boolean;
  readonly model: string;
  readonly replayed: boolean;
  readonly cached: boolean;
  /** The ids by which the blocks are undone whose changes the message names, in their order. */
  readonly blocks: readonly string[];
  readonly isChangeUnknown: boolean;
}

/** The message in the data of an output. Total: it never throws, whatever is in the file. */
export function readMessage(data: unknown): IMessage {
  const forms = record(data);
  const found = record(forms[MESSAGE_MIME]);
  const text = exactText(forms, found);
  return {
    kind: word(found['kind']),
    sender: line(found['sender']),
    recipient: line(found['recipient']),
    origin: word(found['origin']),
    depth: count(found['depth']) ?? 0,
    colour: count(found['colour']) ?? 0,
    authorColour: count(found['author_colour']),
    label: line(found['label']),
    talk: count(found['talk']) ?? 1,
    toGroup: found['to_group'] === true,
    text,
    calls: records(found['calls']).map(call => ({
      name: word(call['name']),
      arguments: word(call['arguments'])
    })),
    results: readResults(found, text),
    pictures: readPictures(found['images'], textOf(forms['text/html'])),
    decisions: records(found['decisions']).map(one => ({
      action: word(one['action']),
      text: word(one['text'])
    })),
    exit: readExit(found, text),
    finishReason: word(found['finish_reason']),
    level: word(found['level']),
    endedBy: word(found['ended_by']),
    endedByPerson: line(found['person']),
    changes: readChanges(found['changes']),
    items: records(found['items']).map(readItem),
    isLive: word(record(found['live'])['model_id']) !== ''
  };
}

/** The figures in the metadata of an output. */
export function readFigures(metadata: unknown): IFigures {
  const found = record(record(metadata)[METADATA]);
  const usage = record(found['usage']);
  return {
    seconds: amount(found['seconds']),
    read: count(usage['prompt_tokens']),
    written: count(usage['completion_tokens']),
    cost: amount(found['cost']),
    isEstimated: usage['estimated'] === true,
    model: word(found['model']),
    replayed: found['replayed'] === true,
    cached: found['cached'] === true,
    blocks: list(found['blocks']).map(word),
    isChangeUnknown: found['is_change_unknown'] === true
  };
}

/** The text as it was said: in the JSON where it says it, else the Markdown after the line that names the speaker. */
function exactText(
  forms: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>
): string {
  if (found['text'] !== undefined && found['text'] !== null) {
    return word(found['text']);
  }
  const markdown = textOf(forms['text/markdown']);
  const at = markdown.indexOf('\n\n');
  return at < 0 ? '' : markdown.slice(at + 2);
}

/** Several results stand in the text one after the other, a blank line between; `lines` says how long each is. */
function readResults(found: Readonly<Record<string, unknown>>, text: string): ICall[] {
  const names = list(found['results']).map(word);
  const lengths = list(found['lines']).map(count);
  if (names.length < 2 || lengths.length !== names.length) {
    return names.length ? [{ name: [...new Set(names)].filter(Boolean).join(', '), arguments: text }] : [];
  }
  const lines = text.split('\n');
  return names.map((name, at) => {
    const content = lines.splice(0, lengths[at] ?? 0).join('\n');
    lines.shift();
    return { name, arguments: content };
  });
}

function readExit(found: Readonly<Record<string, unknown>>, text: string): IExit | null {
  const parts = found['origin'] === 'code' ? CODE_RESULT.exec(text) : null;
  if (!parts) {
    return null;
  }
  const code = found['not_run'] === true ? null : Number(parts[1]);
  return { code, failed: parts[2] === 'failed', output: trimLines(parts[3] ?? '') };
}

/** Within joined messages an output of code is itself, everything else the JSON of a bundle. */
function readItem(item: Readonly<Record<string, unknown>>): IBundle {
  const isOutput = item['kind'] === 'output';
  return {
    data: isOutput ? record(item['data']) : { [MESSAGE_MIME]: item },
    metadata: record(item['metadata'])
  };
}

function trimLines(text: string): string {
  return text.replace(/^\n+|\n+$/g, '');
}
