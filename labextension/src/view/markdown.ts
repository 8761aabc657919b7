/**
 * Markdown that others wrote, as nodes in which nothing runs and nothing is fetched: they are made from the parser's tokens,
 * never from HTML. Text that streams is drawn once: see `StreamingMarkdown`.
 */

import { h } from './dom';
import { CodeBlock, isPython } from './highlight';
import {
  type Attributes,
  clean,
  type IBlock,
  type IParsed,
  MAX_TEXT,
  parseBlocks,
  type References
} from './markdownParser';
import { Prose } from './prose';

const CHEAP = 4; // milliseconds of a frame
const UNFINISHED = /(?:\r|\x1b(?:\[[0-?]{0,32}[ -/]{0,32})?|[\ud800-\udbff])$/; // eslint-disable-line no-control-regex

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
