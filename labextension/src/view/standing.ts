/**
 * Which messages stand on the page already: a page that is loaded while a chat goes on has the outputs that were saved, and
 * a live view that gets earlier items must not show them a second time.
 */

import { MESSAGE_MIME, type IBundle, type IItem } from './protocol';
import { record } from './values';

/** Where an element keeps whose message it is: bundles of this package share no modules. */
const KEY = Symbol.for('jupyter-agents:message');

/** Remember of which message an element is drawn. */
export function markMessage(node: HTMLElement, bundle: IBundle): void {
  (node as unknown as Record<symbol, unknown>)[KEY] = keyOf(bundle);
}

/** Whether `count` items before the first one of `items` stand above `node` in its cell, as far as that can be told. */
export function areStanding(count: number, items: readonly IItem[], node: Element): boolean {
  const above = keysAbove(node);
  const numbers = new Set([...above].map(placeIn));
  const first = items.map(({ bundle }) => keyOf(bundle)).find(Boolean);
  const isNextAbove = first !== undefined && (above.has(first) || numbers.has(placeIn(first, -1)));
  return isNextAbove || (first === undefined && above.size >= count);
}

/** A message's chat and its number in it, or that of one so many after it. */
function placeIn(key: string, step = 0): string {
  const [chat, number] = JSON.parse(key) as [unknown, number];
  return JSON.stringify([chat, number + step]);
}

/** The items that do not stand above `node` in its cell. What comes before one that does stands there as well. */
export function withoutStanding(items: readonly IItem[], node: Element): readonly IItem[] {
  const above = items.length > 0 ? keysAbove(node) : new Set();
  return items.slice(items.map(({ bundle }) => above.has(keyOf(bundle))).lastIndexOf(true) + 1);
}

/** The messages above `node` in its cell. */
function keysAbove(node: Element): Set<string> {
  const area = node.closest('.jp-OutputArea');
  const messages = [...(area?.querySelectorAll('.jp-agents-Message') ?? [])];
  return new Set(
    messages
      .filter(one => node.compareDocumentPosition(one) === Node.DOCUMENT_POSITION_PRECEDING)
      .map(one => (one as unknown as Record<symbol, unknown>)[KEY])
      .filter((key): key is string => typeof key === 'string' && key !== '')
  );
}

/** A message has a number in its chat, and chats have numbers in a log: another log may have the same. */
function keyOf({ data }: IBundle): string {
  const said = record(data[MESSAGE_MIME]);
  const number = said['id'];
  return typeof number === 'number'
    ? JSON.stringify([said['chat'], number, said['sender'], said['recipient'], data['text/plain']])
    : '';
}
