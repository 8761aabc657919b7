/** What is long is folded: its beginning stands there, and its size is said. */

import { grouped } from './clock';
import { h } from './dom';
import { translations } from './strings';

const PREVIEW = 120; // characters

/** Something that is folded away; `text`, where it is given, is what the size of is said. */
export function fold(label: string, text: string, content: Node): HTMLElement {
  const { _n } = translations();
  const size = text
    ? h(
        'span',
        { class: 'jp-agents-Fold-size' },
        _n('%2 character', '%2 characters', text.length, grouped(text.length))
      )
    : null;
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
