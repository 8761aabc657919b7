/** The messages of a chat on the page, from the bundles in which they are saved. */

import { readableArguments } from './arguments';
import { h } from './dom';
import { drawEdits } from './edits';
import { beginning, fold } from './fold';
import { CodeBlock } from './highlight';
import type { IHost } from './host';
import { LongText } from './longText';
import { renderMarkdown } from './markdown';
import { hasMath } from './markdownParser';
import { type ICall, type IMessage, METADATA, readFigures, readMessage } from './message';
import { drawChat, indent, openMessage } from './messageFrame';
import { drawActions, drawBadges, drawFigures } from './messageHeader';
import { drawOutput, textOf } from './outputs';
import { picturesOf } from './pictures';
import { MESSAGE_MIME, type IBundle } from './protocol';
import { drawAllChanges, drawExit, drawResult, openResult } from './result';
import { markMessage } from './standing';
import { translations } from './strings';
import { drawTraceback, readTraceback } from './traceback';
import { list, record } from './values';

const LONG_SPEECH = 100_000; // characters: what is longer is folded
const PRINTED = ['application/vnd.jupyter.stdout', 'application/vnd.jupyter.stderr'];
const FENCE = /^ {0,3}(?:`{3}|~{3})/m;

/** What a bundle of `jupyter_agents` shows. */
export function drawMessage(bundle: IBundle, host: IHost): HTMLElement {
  const message = readMessage(bundle.data);
  switch (message.kind) {
    case 'message':
    case 'failure':
      return drawOne(message, bundle, host);
    case 'messages':
      return drawMessages(message, bundle, host);
    case 'error':
      return drawTraceback(readTraceback(bundle.data) || message.text || textOf(bundle.data['text/plain']));
    case 'note':
    case 'end':
      return drawLine(message, bundle);
    default:
      return drawUnknown(bundle, host);
  }
}

function drawOne(message: IMessage, bundle: IBundle, host: IHost): HTMLElement {
  const node = message.exit ? drawExit(message, message.exit, bundle, host) : drawSaid(message, bundle, host);
  markMessage(node, bundle);
  return node;
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
    : drawJoinedOutput(item, host);
}

/** The same as while it was live: see `liveOutput.ts`. */
function drawJoinedOutput(item: IBundle, host: IHost): HTMLElement {
  const drawn = drawUnknown(item, host);
  if (!PRINTED.some(type => type in item.data)) {
    return drawn;
  }
  const { bar } = new LongText(drawn);
  return h('div', { class: 'jp-agents-Output' }, drawn, bar);
}

function drawSaid(message: IMessage, bundle: IBundle, host: IHost): HTMLElement {
  const figures = readFigures(bundle.metadata);
  const open = message.results.length ? openResult : openMessage;
  const badges = drawBadges(message, figures);
  const frame = open({ ...message, badges }, drawFigures(figures), drawActions(message, host));
  frame.body.append(
    ...(message.results.length ? drawResults(message) : drawSpeech(message, host)),
    ...drawAllChanges(message, figures, host),
    ...drawEdits(message),
    ...message.calls.map(drawCall),
    ...drawRemark(message)
  );
  return frame.node;
}

function drawResults({ results, pictures }: IMessage): HTMLElement[] {
  return results.flatMap((one, at) => [drawResult(one), ...picturesOf(pictures, at, results.length)]);
}

function drawSpeech(message: IMessage, host: IHost): Node[] {
  const shown = picturesOf(message.pictures, 0, 1);
  return message.text.trim() || !shown.length ? [...drawText(message, host), ...shown] : shown;
}

function drawText({ text, origin, calls }: IMessage, host: IHost): Node[] {
  if (!text.trim()) {
    return calls.length ? [] : [h('p', { class: 'jp-agents-Empty' }, translations().__('empty reply'))];
  }
  const drawn = renderMarkdown(text);
  drawn.classList.toggle('jp-agents-mod-lines', origin === 'human'); // a person who ends a line means it
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

function drawRemark(message: IMessage): HTMLElement[] {
  const { __ } = translations();
  if (message.isLive) {
    return []; // the place that it has on the page says that it is under way, or was
  }
  const hasCode = message.calls.length > 0 || FENCE.test(message.text);
  const remarks: Record<string, string> = {
    length: hasCode
      ? __('Cut off at the token limit; nothing in it was run')
      : __('Cut off at the token limit'),
    content_filter: hasCode
      ? __('Stopped by the content filter; nothing in it was run')
      : __('Stopped by the content filter'),
    interrupted: hasCode
      ? __('Interrupted before its end; nothing in it was run')
      : __('Interrupted before its end')
  };
  const remark = remarks[message.kind === 'failure' ? 'interrupted' : message.finishReason];
  return remark ? [h('div', { class: 'jp-agents-Remark' }, remark)] : [];
}

/** Why a chat ended, in one sentence. */
function ending({ endedBy: by, endedByPerson: person }: IMessage, detail: string): string {
  const { __ } = translations();
  if (person) {
    return detail ? __('%1 ended the chat: %2.', person, detail) : __('%1 ended the chat.', person);
  }
  switch (by) {
    case 'stop':
      return !detail || detail === 'stopped by the user'
        ? __('Stopped by the user.')
        : __('Stopped: %1.', detail);
    case 'interrupt':
      return detail ? __('Interrupted: %1.', detail) : __('Interrupted.');
    case 'error':
      return detail ? __('The chat failed. %1.', detail.replace(/\.$/, '')) : __('The chat failed.');
    default:
      return __('The chat ended (%1).', detail && detail !== by ? `${by}: ${detail}` : by);
  }
}

/** A quiet line that nobody in the chat said. */
function drawLine(message: IMessage, bundle: IBundle): HTMLElement {
  const said = message.text || (message.kind === 'end' ? '' : textOf(bundle.data['text/plain']));
  const text = message.kind === 'end' ? ending(message, said) : said;
  const level = message.level === 'warning' ? 'warning' : 'info';
  const words = text.split(/`([^`\n]+)`/).map((part, at) => (at % 2 ? h('code', {}, part) : part));
  const chat = drawChat(message);
  const line = h('span', {}, ...chat, ...words);
  const node = h('div', { class: `jp-agents-Note jp-agents-Note-${level}`, role: 'note' }, line);
  node.classList.toggle('jp-agents-mod-furtherTalk', message.talk > 1);
  indent(node, message.depth);
  return node;
}
