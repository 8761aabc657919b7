/**
 * Markdown that others wrote, taken apart: blocks, and the tokens within a paragraph.
 *
 * The dialect is that of `jupyter_agents/display/markdown.py`: no raw HTML, links to http and https only, an image is its
 * description and address, math stays as it is written.
 */

import MarkdownIt from 'markdown-it';

export type Token = ReturnType<MarkdownIt['parse']>[number];
export type Attributes = Readonly<Record<string, string>>;
export type References = Record<string, unknown>;
type InlineRule = Parameters<MarkdownIt['inline']['ruler']['push']>[1];

/** Characters beyond which text is shown as it is, and those of one paragraph: parsers can be made to take seconds. */
export const MAX_TEXT = 256 * 1024;
export const MAX_PARAGRAPH = 64 * 1024;

const CONTROLS = /\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g; // eslint-disable-line no-control-regex
const MATH =
  /\$\$[^]{1,2000}?\$\$|\$(?![\s$])[^]{1,300}?(?<![\s\\])\$(?!\d)|\\\([^]{1,300}?\\\)|\\\[[^]{1,2000}?\\\]/y;

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
export interface IBlock {
  readonly tag: string;
  readonly attributes: Attributes;
  readonly children: readonly IBlock[];
  readonly text: string | null;
  readonly language: string;
  /** The same for blocks that look the same. */
  readonly signature: string;
}

export interface IParsed {
  readonly blocks: readonly IBlock[];
  readonly references: References;
  /** The line where each block begins. */
  readonly lines: readonly number[];
}

/** The blocks of a text. `known` are the references that were defined before it. */
export function parseBlocks(text: string, known: References): IParsed {
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

/** What is in the text of one block. */
export function parseInline(text: string, references: References): Token[] {
  const tokens: Token[] = [];
  if (text.length > MAX_PARAGRAPH) {
    const whole = new parser.core.State('', parser, {}).Token;
    return [Object.assign(new whole('text', '', 0), { content: text })];
  }
  parser.inline.parse(text, parser, { references }, tokens);
  return tokens;
}
