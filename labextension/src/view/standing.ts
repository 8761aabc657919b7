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

/** The items that do not stand above `node` in its cell. What comes before one that does stands there as well. */
export function withoutStanding(items: readonly IItem[], node: Element): readonly IItem[] {
  const area = node.closest('.jp-OutputArea');
  if (!area || items.length === 0) {
    return items;
  }
  const above = new Set(
    [...area.querySelectorAll('.jp-agents-Message')]
      .filter(one => node.compareDocumentPosition(one) === Node.DOCUMENT_POSITION_PRECEDING)
      .map(one => (one as unknown as Record<symbol, unknown>)[KEY])
      .filter(Boolean)
  );
  return items.slice(items.map(({ bundle }) => above.has(keyOf(bundle))).lastIndexOf(true) + 1);
}

/** A message has a number in its chat, and chats have numbers in a log: another log may have the same. */
function keyOf({ data }: IBundle): string {
  const said = record(data[MESSAGE_MIME]);
  const number = said['id'];
  return typeof number === 'number'
    ? JSON.stringify([said['chat'], number, said['sender'], said['recipient'], data['text/plain']])
    : '';
}
