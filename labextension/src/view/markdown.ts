/**
 * Markdown that others wrote, as nodes in which nothing runs and nothing is fetched.
 *
 * The dialect is that of `jupyter_agents/display/markdown.py`: no raw HTML, links to http and https only, an image is its
 * description and address, math stays as it is written. Nodes are made from the parser's tokens, never from HTML.
 * Text that streams is drawn once: see `StreamingMarkdown`.
 */

import MarkdownIt from 'markdown-it';

import { h } from './dom';
import { CodeBlock, isPython } from './highlight';

type Token = ReturnType<MarkdownIt['parse']>[number];
type InlineRule = Parameters<MarkdownIt['inline']['ruler']['push']>[1];
type Attributes = Readonly<Record<string, string>>;
type References = Record<string, unknown>;

/** Characters beyond which text is shown as it is, and those of one paragraph: parsers can be made to take seconds. */
const MAX_TEXT = 256 * 1024;
const MAX_PARAGRAPH = 64 * 1024;

const SETTLE_AFTER = 400; // characters of a growing paragraph that are drawn anew each time
const SETTLE_ANYWAY = 2000; // and beyond which its beginning is taken as it stands

const CHEAP = 4; // milliseconds of a frame

const CONTROLS = /\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g; // eslint-disable-line no-control-regex
const UNFINISHED = /(?:\r|\x1b(?:\[[0-?]{0,32}[ -/]{0,32})?|[\ud800-\udbff])$/; // eslint-disable-line no-control-regex
const MATH =
  /\$\$[^]{1,2000}?\$\$|\$(?![\s$])[^]{1,300}?(?<![\s\\])\$(?!\d)|\\\([^]{1,300}?\\\)|\\\[[^]{1,2000}?\\\]/y;
const SENTENCE = /[.!?:;,]\s+|\n/g;
const MARKER = /[*_~`[\]<$\\]/; // may turn out to open something

/** `text` without what no page can show: colours of a terminal, control characters, lone surrogates. */
export function clean(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(CONTROLS, '');
}

/** Whether there may be a formula in it. */
export function hasMath(text: string): boolean {
  return /\$|\\[([]/.test(text);
}

/** Markdown as nodes. */
export function renderMarkdown(text: string): HTMLElement {
  const drawn = new StreamingMarkdown();
  drawn.append(text);
  drawn.finish();
  return drawn.node;
}

/** The Python code in it, block after block. */
export function pythonIn(text: string): string {
  const code: string[] = [];
  const gather = (block: IBlock): void => {
    if (block.tag === 'code-block' && isPython(block.language)) code.push(block.text ?? '');
    block.children.forEach(gather);
  };
  parseBlocks(clean(text), {}).blocks.forEach(gather);
  return code.join('\n\n');
}

// -- The parser ------------------------------------------------------------------------------------------------

const keepMath: InlineRule = (state, silent) => {
  MATH.lastIndex = state.pos;
  const found = '$\\'.includes(state.src.charAt(state.pos)) ? MATH.exec(state.src) : null;
  if (!found || MATH.lastIndex > state.posMax) {
    return false;
  }
  if (!silent) {
    state.push('text', '', 0).content = found[0];
  }
  state.pos += found[0].length;
  return true;
};

const parser = new MarkdownIt('commonmark', { html: false }).enable(['table', 'strikethrough']);
parser.validateLink = url => /^https?:\/\//i.test(url);
parser.inline.ruler.before('escape', 'math', keepMath);

/** A block: an element that holds blocks, or (`text`) the source of what is in it. */
interface IBlock {
  readonly tag: string;
  readonly attributes: Attributes;
  readonly children: readonly IBlock[];
  readonly text: string | null;
  readonly language: string;
  /** The same for blocks that look the same. */
  readonly signature: string;
}

interface IParsed {
  readonly blocks: readonly IBlock[];
  readonly references: References;
  /** The line where each block begins. */
  readonly lines: readonly number[];
}

function parseBlocks(text: string, known: References): IParsed {
  if (text.length > MAX_TEXT) {
    return { blocks: [leaf('code-block', text.trimEnd())], references: known, lines: [0] };
  }
  const [env, tokens] = [{ references: { ...known } }, [] as Token[]];
  parser.block.parse(text, parser, env, tokens);
  const opened = tokens.filter(token => token.level === 0 && token.nesting >= 0);
  const lines = opened.map(token => token.map?.[0] ?? 0);
  return { blocks: treeOf(tokens), references: env.references, lines };
}

function treeOf(tokens: readonly Token[]): IBlock[] {
  const stack: { token: Token | null; children: IBlock[] }[] = [{ token: null, children: [] }];
  for (const token of tokens) {
    const top = stack.at(-1);
    if (token.nesting === 1) {
      stack.push({ token, children: [] });
    } else if (token.nesting === 0) {
      top?.children.push(leafOf(token));
    } else if (top?.token) {
      stack.pop();
      stack.at(-1)?.children.push(...closed(top.token, top.children));
    }
  }
  return stack[0]?.children ?? [];
}

/** The paragraphs of a tight list have no element of their own. */
function closed(token: Token, children: IBlock[]): IBlock[] {
  const text = children.length === 1 ? children[0] : undefined;
  if (text?.tag === 'span' && !token.hidden) {
    return [leaf(tagOf(token, text.text ?? ''), text.text ?? '', '', attributesOf(token))];
  }
  return token.hidden ? children : [box(tagOf(token), attributesOf(token), children)];
}

function leafOf(token: Token): IBlock {
  if (token.type === 'fence' || token.type === 'code_block') {
    return leaf('code-block', token.content.trimEnd(), token.info.trim().split(' ', 1)[0]);
  }
  return token.type === 'inline'
    ? leaf('span', token.content, '', { class: 'jp-agents-Tight' })
    : leaf(token.tag, '');
}

function leaf(tag: string, text: string, language = '', attributes: Attributes = {}): IBlock {
  return { tag, attributes, children: [], text, language, signature: sign(tag, attributes, language, text) };
}

function box(tag: string, attributes: Attributes, children: readonly IBlock[]): IBlock {
  const inside = children.map(child => child.signature).join('\x02');
  return {
    tag,
    attributes,
    children,
    text: null,
    language: '',
    signature: sign(tag, attributes, '', inside)
  };
}

function sign(tag: string, attributes: Attributes, language: string, inside: string): string {
  return `${tag}\x01${JSON.stringify(attributes)}${language}\x01${inside}\x03`; // none of these is in clean text
}

/**
 * Headings go two levels down: the notebook's own stand above what is said in an output. A cell at the head of a table
 * that says nothing is the head of nothing.
 */
function tagOf(token: Token, text?: string): string {
  if (token.type === 'heading_open') {
    return `h${Math.min(Number(token.tag.charAt(1)) + 2, 6)}`;
  }
  return token.tag === 'th' && text === '' ? 'td' : token.tag;
}

function attributesOf(token: Token): Attributes {
  const found: Record<string, string> = {};
  const [start, style] = [token.attrGet('start'), token.attrGet('style')];
  if (start !== null) found['start'] = String(start);
  if (style !== null && /^text-align:(left|center|right)$/.test(style))
    found['class'] = `jp-agents-${style.slice(11)}`;
  return found;
}

// -- What is within a paragraph ---------------------------------------------------------------------------------

function parseInline(text: string, references: References): Token[] {
  const tokens: Token[] = [];
  if (text.length > MAX_PARAGRAPH) {
    const whole = new parser.core.State('', parser, {}).Token;
    return [Object.assign(new whole('text', '', 0), { content: text })];
  }
  parser.inline.parse(text, parser, { references }, tokens);
  return tokens;
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

/**
 * The text of a paragraph, a heading or a cell of a table, which may grow. When it is long, sentences that are whole
 * are drawn once: what they hold can hardly change any more, and `complete` sees to the rest.
 */
class Prose {
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

// -- Blocks on the page -----------------------------------------------------------------------------------------

/** A block on the page, which becomes what a later parse says of it while it stays where it is. */
class Drawn {
  readonly node: HTMLElement;
  block: IBlock | null = null;
  private readonly _code: CodeBlock | null;
  private readonly _prose: Prose | null;
  private readonly _children: Drawn[] = [];

  constructor(
    readonly tag: string,
    private readonly _attributes: Attributes
  ) {
    this._code = tag === 'code-block' ? new CodeBlock() : null;
    this.node = this._code?.node ?? h(tag as 'div', _attributes);
    this._prose = this._code || tag === 'hr' ? null : new Prose(this.node);
  }

  suits(block: IBlock): boolean {
    const isLeaf = this.block === null || (this.block.text === null) === (block.text === null);
    return (
      isLeaf &&
      block.tag === this.tag &&
      JSON.stringify(block.attributes) === JSON.stringify(this._attributes)
    );
  }

  set(block: IBlock, references: References): void {
    if (this.block?.signature === block.signature) {
      return;
    }
    this.block = block;
    if (block.text === null) {
      reconcile(this.node, this._children, block.children, references);
    } else if (this._code) {
      this._code.set(block.text, block.language);
    } else {
      this._prose?.set(block.text, references);
    }
  }

  /** Colour the code that it is, once something follows it: what the block holds is there. */
  colour(): void {
    this._code?.complete();
  }

  complete(references: References): void {
    this.colour();
    this._children.forEach(child => child.complete(references));
    if (this.block?.text) {
      this._prose?.complete(references);
    }
  }
}

/** Make what is drawn in `node`, from its child number `from` on, the same as `blocks`; what is the same stays. */
function reconcile(
  node: HTMLElement,
  drawn: Drawn[],
  blocks: readonly IBlock[],
  references: References
): void {
  blocks.forEach((block, at) => {
    const old = drawn[at];
    if (!old?.suits(block)) {
      const made = new Drawn(block.tag, block.attributes);
      if (old) old.node.replaceWith(made.node);
      else node.append(made.node);
      drawn[at] = made;
    }
    drawn[at]?.set(block, references);
  });
  drawn.splice(blocks.length).forEach(old => old.node.remove());
}

/**
 * Markdown that grows.
 *
 * Blocks that can no longer change are parsed and drawn once; the open ones after them once per frame, and in them only
 * what has changed. `finish` parses the whole once more and mends what only the whole can tell (a reference that was
 * defined later, a string in code that was open for long): the result is what `renderMarkdown` gives for the whole.
 */
export class StreamingMarkdown {
  readonly node = h('div', { class: 'jp-agents-Markdown jp-RenderedHTMLCommon jp-RenderedMarkdown' });
  private _raw = '';
  private _held = '';
  private _text = '';
  private _open = 0;
  private _drawn: Drawn[] = [];
  private _closed = 0;
  private _references: References = {};
  private _frame = 0;
  private _next = 0;

  /** `onclosed` is called with each block that will hardly change any more (mathematics can be set in it). */
  constructor(private readonly _onclosed: ((node: HTMLElement) => void) | null = null) {}

  append(text: string): void {
    this._raw += text;
    const all = this._held + text;
    this._held = UNFINISHED.exec(all)?.[0] ?? '';
    this._text += clean(all.slice(0, all.length - this._held.length));
    this._frame ||= requestAnimationFrame(this._tick);
  }

  reset(text: string): void {
    this._raw = this._held = this._text = '';
    this._restart();
    this.append(text);
  }

  /** Nothing more will come: draw all that there is. */
  finish(): void {
    cancelAnimationFrame(this._frame);
    this._frame = 0;
    this._held = '';
    this._text = clean(this._raw);
    const { blocks, references } = parseBlocks(this._text, {});
    reconcile(this.node, this._drawn, blocks, references);
    this._drawn.forEach(block => block.complete(references));
    this._drawn.slice(this._closed).forEach(block => this._onclosed?.(block.node));
    this._closed = this._drawn.length;
    this._open = this._text.length;
  }

  /** A redraw that takes long (a list of hundreds of lines) waits until it has had a quarter of the time at most. */
  private readonly _tick = (): void => {
    const started = performance.now();
    this._frame = started < this._next ? requestAnimationFrame(this._tick) : 0;
    if (!this._frame) {
      this._draw();
      const ended = performance.now();
      this._next = ended - started > CHEAP ? ended + 3 * (ended - started) : 0;
    }
  };

  private _draw(): void {
    if (this._text.length > MAX_TEXT && this._open) {
      this._restart();
    }
    const open = this._text.slice(this._open);
    const parsed = parseBlocks(open, this._references);
    const rest = this._drawn.splice(this._closed);
    reconcile(this.node, rest, parsed.blocks, parsed.references);
    rest.slice(0, -1).forEach(block => block.colour());
    this._drawn.push(...rest);
    this._close(open, parsed);
  }

  /** Put away the blocks that what follows them has closed. */
  private _close(open: string, parsed: IParsed): void {
    const starts = lineStarts(open);
    const count = parsed.lines.filter(line => line + 2 < starts.length).length - 1;
    if (count < 1) {
      return;
    }
    const end = starts[parsed.lines[count] ?? 0] ?? 0;
    this._references = parseBlocks(open.slice(0, end), this._references).references;
    this._drawn.slice(this._closed, this._closed + count).forEach(block => this._finish(block));
    this._closed += count;
    this._open += end;
  }

  private _finish(block: Drawn): void {
    block.complete(this._references);
    this._onclosed?.(block.node);
  }

  private _restart(): void {
    this.node.replaceChildren();
    this._drawn = [];
    this._open = this._closed = 0;
    this._references = {};
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    starts.push(at + 1);
  }
  return starts;
}
