/** The text of one block of Markdown as nodes, while it grows. */

import { h } from './dom';
import { MAX_PARAGRAPH, parseInline, type References, type Token } from './markdownParser';

const SETTLE_AFTER = 400; // characters of a growing paragraph that are drawn anew each time
const SETTLE_ANYWAY = 2000; // and beyond which its beginning is taken as it stands
const SENTENCE = /[.!?:;,]\s+|\n/g;
const MARKER = /[*_~`[\]<$\\]/; // may turn out to open something

/**
 * The text of a paragraph, a heading or a cell of a table, which may grow. When it is long, sentences that are whole
 * are drawn once: what they hold can hardly change any more, and `complete` sees to the rest.
 */
export class Prose {
  private _text = '';
  private _settled = 0;
  private _kept = 0; // nodes of the settled text
  private _references: References = {};

  constructor(private readonly _node: HTMLElement) {}

  set(text: string, references: References): void {
    if (!text.startsWith(this._text) || text.length > MAX_PARAGRAPH) {
      this._settled = this._kept = 0;
    }
    this._text = text;
    this._references = references;
    this._drop();
    this._settle();
    this._node.append(drawInline(parseInline(text.slice(this._settled), references)));
  }

  /** Nothing more will come, and all references are known. */
  complete(references: References): void {
    const isSame =
      this._settled === 0 && (!this._text.includes('[') || isSameSet(references, this._references));
    if (isSame) {
      return;
    }
    const whole = h('div', {}, drawInline(parseInline(this._text, references)));
    this._node.normalize();
    if (whole.innerHTML !== this._node.innerHTML) {
      this._node.replaceChildren(...whole.childNodes);
    }
    this._settled = this._kept = 0;
    this._references = references;
  }

  private _drop(): void {
    while (this._node.childNodes.length > this._kept) {
      this._node.lastChild?.remove();
    }
  }

  private _settle(): void {
    const open = this._text.slice(this._settled);
    const end = open.length > SETTLE_AFTER && this._text.length <= MAX_PARAGRAPH ? lastSentence(open) : 0;
    const tokens = end ? parseInline(open.slice(0, end), this._references) : [];
    if (end && (open.length > SETTLE_ANYWAY || tokens.every(isSettled))) {
      this._node.append(drawInline(tokens));
      this._kept = this._node.childNodes.length;
      this._settled += end;
    }
  }
}

function isSettled(token: Token): boolean {
  return token.type !== 'text' || !MARKER.test(token.content);
}

/** Where the last whole sentence ends; without one, where the last word does. */
function lastSentence(text: string): number {
  const ends = [...text.matchAll(SENTENCE)]
    .map(found => found.index + found[0].length)
    .filter(end => end < text.length);
  return ends.at(-1) ?? (text.length > SETTLE_ANYWAY ? text.lastIndexOf(' ') + 1 || text.length - 1 : 0);
}

function isSameSet(one: References, other: References): boolean {
  return (
    Object.keys(one).length === Object.keys(other).length && JSON.stringify(one) === JSON.stringify(other)
  );
}

function drawInline(tokens: readonly Token[]): DocumentFragment {
  const fragment = document.createDocumentFragment();
  let at: Node = fragment;
  for (const token of tokens) {
    if (token.nesting === 1) {
      at = at.appendChild(inlineElement(token));
    } else if (token.nesting === -1) {
      at = at.parentNode ?? fragment;
    } else {
      append(at, drawToken(token));
    }
  }
  return fragment;
}

function inlineElement(token: Token): HTMLElement {
  if (token.type !== 'link_open') {
    return h(token.tag as 'em' | 'strong' | 's');
  }
  const address = token.attrGet('href');
  return h('a', address ? { href: address, rel: 'noopener noreferrer', target: '_blank' } : {});
}

function drawToken(token: Token): Node | string {
  switch (token.type) {
    case 'code_inline':
      return h('code', {}, token.content);
    case 'hardbreak':
      return h('br');
    case 'softbreak':
      return '\n';
    case 'image':
      return `[image: ${`${token.content} ${token.attrGet('src') ?? ''}`.trim()}]`;
    default:
      return token.content;
  }
}

/** Text goes to the text before it, so that a formula is in one node. */
function append(to: Node, made: Node | string): void {
  if (typeof made !== 'string') {
    to.appendChild(made);
  } else if (to.lastChild instanceof Text) {
    to.lastChild.appendData(made);
  } else if (made) {
    to.appendChild(document.createTextNode(made));
  }
}
