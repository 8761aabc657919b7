/** What a kernel can undo, and having it done: requests that leave no trace in the history of the notebook. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';

import type { IUndone } from './view/protocol';

const UNDONE_MIME = 'application/vnd.jupyter-agents.undone+json';
/** Gives nothing where the package has not been used: asking must not load it. */
const UNDOABLE =
  "getattr(__import__('sys').modules.get('jupyter_agents.executors.undo'), 'undoable', tuple)()";
const ID = /'([0-9a-z-]+)'/g;
const LOST: readonly Kernel.Status[] = ['restarting', 'autorestarting', 'terminating', 'dead'];

type Reply = KernelMessage.IExecuteReplyMsg['content'];
type Tell = (canUndo: boolean) => void;

const ofSessions = new WeakMap<ISessionContext, KernelBlocks>();

/** The blocks that the kernel of a notebook can undo. */
export class KernelBlocks {
  /** The one of this notebook. */
  static of(session: ISessionContext): KernelBlocks {
    const known = ofSessions.get(session) ?? new KernelBlocks(session);
    ofSessions.set(session, known);
    return known;
  }

  private known: Promise<ReadonlySet<string>> | null = null;
  private readonly watchers = new Set<Tell>();

  private constructor(private readonly session: ISessionContext) {
    session.statusChanged.connect((_, status) => LOST.includes(status) && this.forget());
    session.kernelChanged.connect(() => this.forget());
  }

  /** Say whether the kernel can undo a block, and when it no longer can, until the function given back is called. */
  watch(block: string, tell: Tell): () => void {
    this.watchers.add(tell);
    void this.knows(block).then(canUndo => this.watchers.has(tell) && tell(canUndo));
    return () => this.watchers.delete(tell);
  }

  async undo(block: string): Promise<IUndone> {
    const data = await this.evaluate(`__import__('jupyter_agents').undo('${block}')`);
    const undone = data?.[UNDONE_MIME];
    if (!isUndone(undone)) {
      throw new Error('The kernel has not answered.');
    }
    return undone;
  }

  /** A block that was run after the kernel was asked is not in its answer. */
  private async knows(block: string): Promise<boolean> {
    const asked = this.known;
    if (asked && (await asked).has(block)) {
      return true;
    }
    if (asked === this.known) {
      this.known = this.ask();
    }
    return (await (this.known ?? this.ask())).has(block);
  }

  private async ask(): Promise<ReadonlySet<string>> {
    const text = (await this.evaluate(UNDOABLE).catch(() => null))?.['text/plain'];
    return new Set(typeof text === 'string' ? [...text.matchAll(ID)].map(found => found[1] ?? '') : []);
  }

  private forget(): void {
    this.known = null;
    this.watchers.forEach(tell => tell(false));
  }

  /** The value of an expression as outputs show it; `null` when there is none. A busy kernel answers when it is idle. */
  private async evaluate(expression: string): Promise<Readonly<Record<string, unknown>> | null> {
    const kernel = this.session.session?.kernel;
    if (!kernel) {
      return null;
    }
    const content = await answer(kernel, expression);
    const expressions = content.status === 'ok' ? content.user_expressions : null;
    const found = expressions?.['found'] as { data?: Record<string, unknown> } | undefined;
    return found?.data ?? null;
  }
}

/** Requests that wait behind a cell which fails or is interrupted are dropped with it. */
async function answer(kernel: Kernel.IKernelConnection, expression: string, tries = 3): Promise<Reply> {
  const { content } = await kernel.requestExecute({
    code: '', // no code at all: a block that runs meanwhile is not taken to run beside a cell
    silent: true,
    store_history: false,
    stop_on_error: false,
    user_expressions: { found: expression }
  }).done;
  return content.status === 'aborted' && tries > 1 ? answer(kernel, expression, tries - 1) : content;
}

function isUndone(value: unknown): value is IUndone {
  return typeof value === 'object' && value !== null && 'restored' in value && Array.isArray(value.restored);
}
