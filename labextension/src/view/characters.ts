/**
 * Characters that a reader of code does not see, or takes for others: what they are called, and remarks on a text that
 * holds them. Trojan-source tricks (CVE-2021-42574, CVE-2021-42694) are made of these.
 */

import { translations } from './strings';

/** One character that shows nothing, or changes how others are shown; also spaces that are not the space. */
const HIDDEN =
  '(?![\\n\\t])(?:[\\p{C}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\p{Me}\\u2800]|(?! )\\p{Zs})';
const ONE_HIDDEN = new RegExp(HIDDEN, 'gu');
/** A line break (group 1), or one hidden character (group 2) as often as it stands there. */
export const SPECIAL = new RegExp(`(\\r\\n|\\n)|(${HIDDEN})(?:(?!\\r\\n)\\2)*`, 'gu');

const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;
const WORD = /[\p{L}\p{Nl}][\p{L}\p{M}\p{Nl}]*/gu;
const LATIN = /\p{Script=Latin}/u;
/** Letters of other alphabets that most fonts draw as they draw a Latin one (from the confusables of Unicode's UTS 39). */
const LOOKALIKE = /[авекмнорстухѕіјԛԝһԁӏАВЕЅІЈКМНОРСТУХԜҮӀοινυκχτρΑΒΕΖΗΙΚΜΝΟΡΤΥΧϲϳաոսցօհՕՍᎪᏟᎬᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ]/u;
const OTHER_ALPHABET = /\p{Script=Cyrillic}|\p{Script=Armenian}|\p{Script=Cherokee}/u;
const MOST_EXAMPLES = 5;

/* eslint-disable jupyter-agents/translated-words -- names of the Unicode standard, which has them in English */
const NAMES: Readonly<Record<string, string>> = {
  '0000': 'NULL',
  '0007': 'BELL',
  '0008': 'BACKSPACE',
  '000B': 'LINE TABULATION',
  '000C': 'FORM FEED',
  '000D': 'CARRIAGE RETURN',
  '001B': 'ESCAPE',
  '007F': 'DELETE',
  '0085': 'NEXT LINE',
  '00A0': 'NO-BREAK SPACE',
  '00AD': 'SOFT HYPHEN',
  '034F': 'COMBINING GRAPHEME JOINER',
  '061C': 'ARABIC LETTER MARK',
  '115F': 'HANGUL CHOSEONG FILLER',
  '1160': 'HANGUL JUNGSEONG FILLER',
  '180E': 'MONGOLIAN VOWEL SEPARATOR',
  '200B': 'ZERO WIDTH SPACE',
  '200C': 'ZERO WIDTH NON-JOINER',
  '200D': 'ZERO WIDTH JOINER',
  '200E': 'LEFT-TO-RIGHT MARK',
  '200F': 'RIGHT-TO-LEFT MARK',
  '2028': 'LINE SEPARATOR',
  '2029': 'PARAGRAPH SEPARATOR',
  '202A': 'LEFT-TO-RIGHT EMBEDDING',
  '202B': 'RIGHT-TO-LEFT EMBEDDING',
  '202C': 'POP DIRECTIONAL FORMATTING',
  '202D': 'LEFT-TO-RIGHT OVERRIDE',
  '202E': 'RIGHT-TO-LEFT OVERRIDE',
  '202F': 'NARROW NO-BREAK SPACE',
  '2060': 'WORD JOINER',
  '2066': 'LEFT-TO-RIGHT ISOLATE',
  '2067': 'RIGHT-TO-LEFT ISOLATE',
  '2068': 'FIRST STRONG ISOLATE',
  '2069': 'POP DIRECTIONAL ISOLATE',
  '2800': 'BRAILLE PATTERN BLANK',
  '3000': 'IDEOGRAPHIC SPACE',
  '3164': 'HANGUL FILLER',
  FEFF: 'ZERO WIDTH NO-BREAK SPACE',
  FFA0: 'HALFWIDTH HANGUL FILLER'
};
/* eslint-enable jupyter-agents/translated-words */

/** `U+202E`. */
export function codePoint(character: string): string {
  return `U+${hexOf(character)}`;
}

/** What a hidden character is called: by Unicode, or by its kind. */
export function nameOf(character: string): string {
  return NAMES[hexOf(character)] ?? kindOf(character);
}

/** A short text with its hidden characters written out: for names that stand in sentences of ours. */
export function visible(text: string): string {
  return text.replace(ONE_HIDDEN, character => `⟨${codePoint(character)}⟩`);
}

/** What a reader of `code` would not see by looking at it. */
export function remarksOn(code: string, language: string): readonly string[] {
  const words = unusualWords(code);
  const remarks = [
    hiddenRemark(code),
    mixedRemark(words),
    lookalikeRemark(words),
    /^i?py/i.test(language) ? normalisedRemark(words) : null,
    directionRemark(code)
  ];
  return remarks.filter(remark => remark !== null);
}

function hiddenRemark(code: string): string | null {
  const counts = new Map<string, number>();
  for (const [, , character] of code.matchAll(new RegExp(`(\\r\\n|\\n)|(${HIDDEN})`, 'gu'))) {
    if (character !== undefined) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
  }
  const told = [...counts].map(
    ([character, count]) => `${codePoint(character)} ${nameOf(character)}${count > 1 ? ` (× ${count})` : ''}`
  );
  return told.length === 0
    ? null
    : translations().__('Hidden characters, written out in frames: %1.', listed(told));
}

/** `pаypal`, whose second letter is Cyrillic. Greek letters in formulas (`Δx`) are common: only lookalikes count. */
function mixedRemark(words: readonly string[]): string | null {
  const mixed = words.filter(word => LATIN.test(word) && foreignLetter(word) !== null);
  const told = mixed.map(
    word => `${word} (${foreignLetter(word)} = ${codePoint(foreignLetter(word) ?? '')})`
  );
  return told.length === 0
    ? null
    : translations().__('Words that mix alphabets, so that they may pass for others: %1.', listed(told));
}

function lookalikeRemark(words: readonly string[]): string | null {
  const alike = words.filter(
    word => [...word].length > 1 && [...word].every(letter => LOOKALIKE.test(letter))
  );
  const told = alike.map(word => `${word} (${[...word].map(codePoint).slice(0, 3).join(' ')}…)`);
  return told.length === 0
    ? null
    : translations().__('Words whose letters all look like Latin ones and are not: %1.', listed(told));
}

/** Python compares names in their normal form NFKC: what looks like another name can be `eval`. */
function normalisedRemark(words: readonly string[]): string | null {
  const told = words
    .filter(
      word =>
        /^[\p{Script=Latin}]/u.test(word.normalize('NFKC')) &&
        word.normalize('NFKC') !== word.normalize('NFC')
    )
    .map(word => translations().__('%1 is read as %2', word, word.normalize('NFKC')));
  return told.length === 0 ? null : translations().__('Names that Python reads as others: %1.', listed(told));
}

function directionRemark(code: string): string | null {
  return RIGHT_TO_LEFT.test(code)
    ? translations().__(
        'Letters that are written from right to left stand here in the order in which they are read.'
      )
    : null;
}

/** The words that are not plain ASCII, each once. */
function unusualWords(code: string): readonly string[] {
  const words = new Set<string>();
  for (const [word] of code.matchAll(WORD)) {
    if (/[^\x20-\x7e]/.test(word)) {
      words.add(word.slice(0, 40));
    }
  }
  return [...words];
}

function foreignLetter(word: string): string | null {
  return [...word].find(letter => OTHER_ALPHABET.test(letter) || LOOKALIKE.test(letter)) ?? null;
}

function listed(items: readonly string[]): string {
  const shown = items.slice(0, MOST_EXAMPLES).join(', ');
  const more = items.length - MOST_EXAMPLES;
  return more > 0 ? translations().__('%1 and %2 more', shown, more) : shown;
}

function hexOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

function kindOf(character: string): string {
  const trans = translations();
  const kinds: readonly (readonly [RegExp, string])[] = [
    [/[\u{E0020}-\u{E007F}]/u, trans.__('tag character')],
    [/[\uFE00-\uFE0F\u{E0100}-\u{E01EF}]/u, trans.__('variation selector')],
    [/\p{Cc}/u, trans.__('control character')],
    [/\p{Cs}/u, trans.__('half of a character')],
    [/\p{Co}/u, trans.__('private-use character')],
    [/\p{Cn}/u, trans.__('unassigned character')],
    [/\p{Zs}/u, trans.__('space')],
    [/\p{Me}/u, trans.__('enclosing mark')]
  ];
  return kinds.find(([pattern]) => pattern.test(character))?.[1] ?? trans.__('invisible character');
}
