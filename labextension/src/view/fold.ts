/** What is long is folded: its beginning stands there, and its size is said. */

import { h } from './dom';
import { sizeOf } from './longText';

const PREVIEW = 120; // characters

/** Something that is folded away; `text`, where it is given, is what the size of is said. */
export function fold(label: string, text: string, content: Node): HTMLElement {
  const size = text ? h('span', { class: 'jp-agents-Fold-size' }, sizeOf(text)) : null;
  const summary = h('summary', {}, h('span', { class: 'jp-agents-Fold-label' }, label), size);
  return h('details', { class: 'jp-agents-Fold' }, summary, content);
}

/** The beginning of a text, in one line. */
export function beginning(text: string): string {
  const words = text
    .slice(0, 2 * PREVIEW)
    .split(/\s+/)
    .filter(Boolean)
    .join(' ');
  return words.length > PREVIEW || text.length > 2 * PREVIEW
    ? `${words.slice(0, PREVIEW).trimEnd()}…`
    : words;
}
