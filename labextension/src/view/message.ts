/**
 * The messages of a chat, as they are saved: from the bundles of `jupyter_agents/display/bundle.py` to the page.
 *
 * `openMessage` draws the frame of a message (who, to whom, where it stands) for the live view as well, so that nothing
 * moves when a live message becomes a saved one.
 */

import { readableArguments } from './arguments';
import { drawChanges, type IBlockChanges, readChanges } from './changes';
import { copyButton } from './copying';
import { button, h, type Child } from './dom';
import { CodeBlock, drawCode } from './highlight';
import type { IHost } from './host';
import { hasMath, pythonIn, renderMarkdown } from './markdown';
import { drawOutput, textOf } from './outputs';
import { MESSAGE_MIME, type IBundle } from './protocol';
import { drawChip, speakerClass } from './speakers';
import { translations } from './strings';
import { amount, count, line, list, record, records, word } from './values';

const METADATA = 'jupyter_agents';
const LONG_RESULT = 600; // characters: what is longer is folded
const LONG_SPEECH = 100_000;
const PREVIEW = 120;
const DEEPEST = 5;
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
  readonly text: string;
  readonly calls: readonly ICall[];
  readonly results: readonly ICall[];
  readonly decisions: readonly IDecision[];
  readonly exit: IExit | null;
  readonly finishReason: string;
  readonly level: string;
  readonly endedBy: string;
  /** What the blocks have changed that were run for it. */
  readonly changes: readonly IBlockChanges[];
  /** Of joined messages. */
  readonly items: readonly IBundle[];
}

/** What differs from run to run. */
export interface IFigures {
  readonly seconds: number | null;
  readonly read: number | null;
  readonly written: number | null;
  readonly model: string;
  readonly replayed: boolean;
  readonly cached: boolean;
  /** The ids by which the blocks are undone whose changes the message names, in their order. */
  readonly blocks: readonly string[];
  readonly isChangeUnknown: boolean;
}

// -- Reading ---------------------------------------------------------------------------------------------------

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
    text,
    calls: records(found['calls']).map(call => ({
      name: word(call['name']),
      arguments: word(call['arguments'])
    })),
    results: readResults(found, text),
    decisions: records(found['decisions']).map(one => ({
      action: word(one['action']),
      text: word(one['text'])
    })),
    exit: readExit(found, text),
    finishReason: word(found['finish_reason']),
    level: word(found['level']),
    endedBy: word(found['ended_by']),
    changes: readChanges(found['changes']),
    items: records(found['items']).map(readItem)
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

// -- The frame of a message ------------------------------------------------------------------------------------

/** Who speaks to whom, and where. */
export interface IHeading {
  readonly sender: string;
  readonly recipient: string;
  readonly colour: number;
  readonly depth?: number;
  /** What stands behind the names. */
  readonly badges?: readonly Child[];
}

export interface IMessageFrame {
  readonly node: HTMLElement;
  readonly header: HTMLElement;
  readonly body: HTMLElement;
}

/** The frame of a message. `side` stands at the end of the line of the names: figures, a clock, actions. */
export function openMessage(heading: IHeading, ...side: readonly Child[]): IMessageFrame {
  const { sender, recipient } = heading;
  const { __ } = translations();
  const name = recipient ? __('%1 to %2', sender, recipient) : sender;
  const to = recipient ? h('span', { class: 'jp-agents-Message-recipient' }, __('to %1', recipient)) : null;
  const names = h(
    'span',
    { class: 'jp-agents-Message-names' },
    h('b', {}, sender),
    to,
    ...(heading.badges ?? [])
  );
  const header = h('header', { class: 'jp-agents-Message-header' }, drawChip(sender), names, ...side);
  const body = h('div', { class: 'jp-agents-Message-body' });
  const node = h(
    'article',
    { class: `jp-agents-Message ${speakerClass(heading.colour)}`, 'aria-label': name },
    header,
    body
  );
  node.style.setProperty('--jp-agents-depth', String(Math.min(heading.depth ?? 0, DEEPEST)));
  return { node, header, body };
}

// -- Drawing ---------------------------------------------------------------------------------------------------

/** What a bundle of `jupyter_agents` shows. */
export function drawMessage(bundle: IBundle, host: IHost): HTMLElement {
  const message = readMessage(bundle.data);
  switch (message.kind) {
    case 'message':
    case 'failure':
      return message.exit ? drawExit(message, message.exit, bundle, host) : drawSaid(message, bundle, host);
    case 'messages':
      return drawMessages(message, bundle, host);
    case 'note':
    case 'end':
    case 'error':
      return drawLine(message, bundle);
    default:
      return drawUnknown(bundle, host);
  }
}

/** What a later version wrote, in its other forms: the page would come back here with our own type. */
function drawUnknown({ data, metadata }: IBundle, host: IHost): HTMLElement {
  const others = Object.entries(data).filter(([type]) => type !== MESSAGE_MIME);
  return drawOutput({ data: Object.fromEntries(others), metadata }, host);
}

function drawMessages(message: IMessage, bundle: IBundle, host: IHost): HTMLElement {
  const figures = list(record(bundle.metadata[METADATA])['items']);
  const drawn = message.items.map((item, at) => drawItem(item, figures[at], host));
  return h('div', { class: 'jp-agents-Messages' }, ...drawn);
}

/** Joined messages are not joined again: what says so could be nested without end. */
function drawItem(item: IBundle, figures: unknown, host: IHost): HTMLElement {
  const kind = readMessage(item.data).kind;
  return kind && kind !== 'messages'
    ? drawMessage({ data: item.data, metadata: { [METADATA]: figures } }, host)
    : drawUnknown(item, host);
}

function drawSaid(message: IMessage, bundle: IBundle, host: IHost): HTMLElement {
  const figures = readFigures(bundle.metadata);
  const open = message.results.length ? openResult : openMessage;
  const badges = drawBadges(message, figures);
  const frame = open({ ...message, badges }, drawFigures(figures), drawActions(message, host));
  frame.body.append(
    ...(message.results.length ? message.results.map(drawResult) : drawSpeech(message.text, host)),
    ...drawAllChanges(message, figures, host),
    ...drawEdits(message),
    ...message.calls.map(drawCall),
    ...drawRemark(message)
  );
  return frame.node;
}

function drawSpeech(text: string, host: IHost): Node[] {
  if (!text.trim()) {
    return [];
  }
  const drawn = renderMarkdown(text);
  if (hasMath(text)) {
    typesetOnPage(drawn, host);
  }
  return [text.length > LONG_SPEECH ? fold(beginning(text), text, drawn) : drawn];
}

/** Mathematics is set when the element is on the page and near what is in sight: a notebook may attach it much later. */
function typesetOnPage(node: HTMLElement, host: IHost): void {
  if (!host.typeset || typeof IntersectionObserver === 'undefined') {
    return;
  }
  const observer = new IntersectionObserver(
    entries => {
      if (entries.some(entry => entry.isIntersecting)) {
        observer.disconnect();
        host.typeset?.(node);
      }
    },
    { rootMargin: '1000px' }
  );
  observer.observe(node);
}

function drawCall(call: ICall): HTMLElement {
  const { __ } = translations();
  const block = new CodeBlock();
  block.set(readableArguments(call.arguments), '', __('calls %1', call.name));
  block.node.classList.add('jp-agents-Call');
  return block.node;
}

function drawResult(result: ICall): HTMLElement {
  const { __ } = translations();
  const label = result.name ? __('%1 returned', result.name) : __('result');
  if (result.arguments.length <= LONG_RESULT) {
    return drawCode(result.arguments, '', result.name ? label : '');
  }
  return fold(`${label}: ${beginning(result.arguments)}`, result.arguments, drawCode(result.arguments));
}

function drawEdits(message: IMessage): HTMLElement[] {
  const { __ } = translations();
  const isCall = message.results.length > 0;
  const label = isCall ? __('Called with') : __('The code as it ran');
  const edits = message.decisions.filter(one => one.action === 'edit');
  return edits.map(one => fold(label, '', drawCode(one.text, isCall ? '' : 'python')));
}

function drawAllChanges(message: IMessage, figures: IFigures, host: IHost): HTMLElement[] {
  const drawn = message.changes.map((one, at) => drawChanges(one, figures.blocks[at] ?? '', host));
  const unknown = translations().__('What it changed is not known: another cell ran beside it');
  return figures.isChangeUnknown ? [...drawn, h('div', { class: 'jp-agents-Changes' }, unknown)] : drawn;
}

function drawRemark(message: IMessage): HTMLElement[] {
  const { __ } = translations();
  const remarks: Record<string, string> = {
    length: __('Cut off at the token limit; nothing in it was run'),
    content_filter: __('Stopped by the content filter; nothing in it was run'),
    interrupted: __('Interrupted before its end; nothing in it was run')
  };
  const remark = remarks[message.kind === 'failure' ? 'interrupted' : message.finishReason];
  return remark ? [h('div', { class: 'jp-agents-Remark' }, remark)] : [];
}

/** A quiet line that nobody in the chat said. */
function drawLine(message: IMessage, bundle: IBundle): HTMLElement {
  const { __ } = translations();
  const said = message.text || (message.kind === 'end' ? '' : textOf(bundle.data['text/plain']));
  const why = said && said !== message.endedBy ? `${message.endedBy}: ${said}` : message.endedBy;
  const text = message.kind === 'end' ? __('The chat ended (%1).', why) : said;
  const level = message.kind === 'error' || message.level === 'warning' ? 'warning' : 'info';
  const words = text.split(/`([^`\n]+)`/).map((part, at) => (at % 2 ? h('code', {}, part) : part));
  return h('div', { class: `jp-agents-Note jp-agents-Note-${level}`, role: 'note' }, h('span', {}, ...words));
}

// -- The result of code ----------------------------------------------------------------------------------------

/** A result hangs on the message that it is of: same bar, a smaller head. */
function openResult(message: IMessage & IHeading, ...side: readonly Child[]): IMessageFrame {
  const frame = openMessage({ ...message, colour: message.authorColour ?? message.colour }, ...side);
  frame.node.classList.add('jp-agents-Message-result');
  return frame;
}

/** The result of code is one line, and its output is folded away: the code showed it on the page already. */
function drawExit(message: IMessage, exit: IExit, bundle: IBundle, host: IHost): HTMLElement {
  const figures = readFigures(bundle.metadata);
  const state = `jp-agents-Exit jp-agents-Exit-${exitState(exit)}`;
  const status = h('span', { class: state }, exitText(message, exit, figures));
  const badges = [status, ...drawBadges(message, figures)];
  const frame = openResult({ ...message, badges }, drawActions(message, host));
  frame.body.append(
    ...drawAllChanges(message, figures, host),
    ...drawEdits(message),
    ...drawExitOutput(exit)
  );
  return frame.node;
}

function exitState(exit: IExit): 'ok' | 'failed' | 'none' {
  return exit.code === null ? 'none' : exit.failed ? 'failed' : 'ok';
}

function exitText(message: IMessage, exit: IExit, figures: IFigures): string {
  const { __ } = translations();
  if (exit.code === null) {
    return notRun(message, exit);
  }
  const result = exit.failed ? __('exit code %1, failed', exit.code) : __('exit code %1', exit.code);
  return figures.seconds === null ? result : `${__('ran in %1', seconds(figures.seconds))} · ${result}`;
}

function notRun(message: IMessage, exit: IExit): string {
  const { __ } = translations();
  const rejection = message.decisions.filter(one => one.action === 'reject').at(-1);
  if (!rejection) {
    return exit.output ? __('not run: %1', beginning(exit.output)) : __('not run');
  }
  return rejection.text ? __('not run: rejected – %1', rejection.text) : __('not run: rejected');
}

function drawExitOutput(exit: IExit): HTMLElement[] {
  if (!exit.output || exit.code === null) {
    return [];
  }
  const last = exit.failed ? (exit.output.trimEnd().split('\n').at(-1) ?? '') : '';
  const label = last ? beginning(last) : translations().__('Output that the agents read');
  return [fold(label, exit.output, drawCode(exit.output))];
}

// -- What stands in the header ---------------------------------------------------------------------------------

function drawBadges(message: IMessage, figures: IFigures): HTMLElement[] {
  const { __ } = translations();
  const actions = new Set(message.decisions.map(one => one.action));
  const badges: [boolean, string, string][] = [
    [message.kind === 'failure' || message.finishReason === 'interrupted', 'interrupted', __('interrupted')],
    [actions.has('run'), 'approved', __('approved')],
    [actions.has('edit'), 'edited', __('edited')],
    [actions.has('reject'), 'rejected', __('rejected')],
    [actions.has('stop'), 'interrupted', __('stopped')],
    [figures.replayed, 'replayed', __('replayed')],
    [figures.cached, 'cached', __('cached')]
  ];
  return badges
    .filter(([isThere]) => isThere)
    .map(([, name, label]) => h('span', { class: `jp-agents-Badge jp-agents-Badge-${name}` }, label));
}

function drawFigures(figures: IFigures): HTMLElement | null {
  const { __, _n } = translations();
  const tokens = (figures.read ?? 0) + (figures.written ?? 0);
  const parts = [
    figures.seconds === null ? null : h('span', {}, seconds(figures.seconds)),
    tokens ? h('span', {}, _n('%2 token', '%2 tokens', tokens, number(tokens))) : null
  ].filter(part => part !== null);
  if (!parts.length) {
    return null;
  }
  const read = __('%1 tokens read, %2 written', number(figures.read ?? 0), number(figures.written ?? 0));
  const title = [figures.model, tokens ? read : ''].filter(Boolean).join(' · ');
  return h('span', { class: 'jp-agents-Message-figures', title: title || null }, ...parts);
}

function drawActions(message: IMessage, host: IHost): HTMLElement {
  const { __ } = translations();
  const actions = h('span', { class: 'jp-agents-Message-actions' });
  const code = message.exit || message.results.length ? '' : pythonIn(message.text);
  if (code && host.insertCell) {
    actions.append(
      button(__('Insert as cell below'), () => host.insertCell?.(actions, code), 'jp-agents-quiet')
    );
  }
  actions.append(copyButton(__('Copy the message of %1', message.sender), () => message.text));
  return actions;
}

// -- Words -----------------------------------------------------------------------------------------------------

function fold(label: string, text: string, content: Node): HTMLElement {
  const { _n } = translations();
  const size = text
    ? h(
        'span',
        { class: 'jp-agents-Fold-size' },
        _n('%2 character', '%2 characters', text.length, number(text.length))
      )
    : null;
  const summary = h('summary', {}, h('span', { class: 'jp-agents-Fold-label' }, label), size);
  return h('details', { class: 'jp-agents-Fold' }, summary, content);
}

function beginning(text: string): string {
  const words = text
    .slice(0, 2 * PREVIEW)
    .split(/\s+/)
    .filter(Boolean)
    .join(' ');
  return words.length > PREVIEW || text.length > 2 * PREVIEW
    ? `${words.slice(0, PREVIEW).trimEnd()}…`
    : words;
}

function number(value: number): string {
  return value.toLocaleString();
}

/** A time that a person reads: two digits that count. */
function seconds(value: number): string {
  const { __ } = translations();
  if (value < 60) {
    return __(
      '%1 s',
      value.toLocaleString(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
    );
  }
  return __('%1 min %2 s', Math.floor(value / 60), Math.floor(value % 60));
}
