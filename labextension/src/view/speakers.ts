/** Who speaks, told apart by name, initials and colour: never by colour alone. */

import { h } from './dom';

/** How many colours there are; the style sheet has them as `jp-agents-Speaker-0` and so on. */
export const COLOURS = 8;

const PLACE = Symbol.for('jupyter-agents:initials'); // shared by all bundles that draw on a page
const WORD = /\p{Lu}?\p{Ll}+|\p{Lu}+(?!\p{Ll})|\p{Lo}+|\p{N}+/gu;

/** The class that gives an element, and all that is in it, the colour of a speaker. */
export function speakerClass(colour: number): string {
  const ordinal = Number.isSafeInteger(colour) && colour >= 0 ? colour % COLOURS : 0;
  return `jp-agents-Speaker-${ordinal}`;
}

/**
 * One or two letters for a name, the same each time that it is asked for on a page. Two names have the same ones only
 * where all their letters are taken.
 */
export function initialsOf(name: string): string {
  const given = pageInitials();
  const found = given.get(name);
  if (found !== undefined) {
    return found;
  }
  const taken = new Set(given.values());
  const candidates = candidatesOf(name);
  const chosen = candidates.find(candidate => !taken.has(candidate)) ?? candidates[0] ?? '?';
  given.set(name, chosen);
  return chosen;
}

/** A chip with the initials of a speaker, beside the name: screen readers have the name already. */
export function drawChip(name: string): HTMLElement {
  return h('span', { class: 'jp-agents-Chip', 'aria-hidden': 'true' }, initialsOf(name));
}

function pageInitials(): Map<string, string> {
  const page = globalThis as unknown as Record<symbol, Map<string, string> | undefined>;
  return (page[PLACE] ??= new Map());
}

/** The best first: the initials of two words, the first two letters, then the first and any later letter or a digit. */
function candidatesOf(name: string): string[] {
  const words = name.match(WORD) ?? [];
  const letters = [...words.join('')].map(letter => letter.toUpperCase());
  const first = letters[0] ?? [...name.trim()][0];
  if (first === undefined) {
    return ['?'];
  }
  const second = words.length > 1 ? [...(words[1] ?? '')].slice(0, 1) : [];
  const later = [...second.map(letter => letter.toUpperCase()), ...letters.slice(1), ...'23456789'];
  return letters.length > 1
    ? later.map(letter => first + letter)
    : [first, ...later.map(letter => first + letter)];
}
