/** What JupyterLab does for the views of one output: its renderers, its mathematics, its cells. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import { type IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { PartialJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { type Message, MessageLoop } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

import { safeData, withoutDiagrams, withoutFetching } from './safe';
import { KernelBlocks } from './undo';
import type { IHost } from './view/host';
import type { IBundle, IUndone } from './view/protocol';

/** The page, as far as outputs need it. */
export interface IPage {
  readonly rendermime: IRenderMimeRegistry;
  /** The notebook that holds an element or uses this resolver of links; `null` outside of notebooks. */
  readonly findNotebook: (node: Node, resolver: IRenderMime.IResolver | null) => NotebookPanel | null;
}

export class LabHost implements IHost {
  private readonly rendered: Widget[] = [];
  private waiting: HTMLElement[] = [];
  private watched: (() => void)[] = [];

  constructor(
    private readonly options: IRenderMime.IRendererOptions,
    private readonly page: IPage,
    private readonly isTrusted: () => boolean
  ) {}

  /** Trust in an output never exceeds that in the output that holds it. */
  readonly renderOutput = (bundle: IBundle, trusted: boolean): HTMLElement | null => {
    const isTrusted = trusted && this.isTrusted();
    const rendermime = isTrusted ? this.ownRegistry() : this.safeRegistry();
    const data = isTrusted ? bundle.data : safeData(bundle.data);
    const type = rendermime.preferredMimeType(
      data as ReadonlyPartialJSONObject,
      isTrusted ? 'any' : 'ensure'
    );
    if (!type) {
      return null;
    }
    const renderer = rendermime.createRenderer(type);
    this.rendered.push(renderer);
    const metadata = bundle.metadata as PartialJSONObject;
    const model = new MimeModel({ data: data as PartialJSONObject, metadata, trusted: isTrusted });
    renderer.renderModel(model).catch((error: unknown) => {
      renderer.node.textContent = String(error);
    });
    return renderer.node;
  };

  readonly typeset = (node: HTMLElement): void => {
    if (node.isConnected) {
      void this.options.latexTypesetter?.typeset(node);
    } else {
      this.waiting.push(node);
    }
  };

  readonly insertCell = (near: HTMLElement, source: string): void => {
    const notebook = this.page.findNotebook(near, this.options.resolver)?.content;
    if (!notebook?.model) {
      return;
    }
    const index = notebook.widgets.findIndex(cell => cell.node.contains(near)) + 1;
    notebook.model.sharedModel.insertCell(index, { cell_type: 'code', source, metadata: { trusted: true } });
    notebook.activeCellIndex = index;
  };

  readonly undo = (block: string, near: HTMLElement): Promise<IUndone> =>
    this.blocksNear(near)?.undo(block) ?? Promise.reject(new Error('There is no kernel.'));

  readonly watchUndo = (block: string, near: HTMLElement, tell: (canUndo: boolean) => void): void => {
    const blocks = this.blocksNear(near);
    if (blocks) {
      this.watched.push(blocks.watch(block, tell));
    }
  };

  /** Tell what was rendered that it is on the page now, or about to leave it: JupyterLab's renderers wait for that. */
  forward(message: Message): void {
    this.rendered.filter(one => !one.isDisposed).forEach(one => MessageLoop.sendMessage(one, message));
  }

  /** Set the mathematics that could not be set before. */
  typesetWaiting(): void {
    const nodes = this.waiting;
    this.waiting = [];
    nodes.forEach(this.typeset);
  }

  /** Let go of what was rendered; its elements are removed. */
  clear(): void {
    this.waiting = [];
    this.watched.splice(0).forEach(end => end());
    this.rendered.splice(0).forEach(one => one.dispose());
  }

  private blocksNear(node: HTMLElement): KernelBlocks | null {
    const notebook = this.page.findNotebook(node, this.options.resolver);
    return notebook && KernelBlocks.of(notebook.sessionContext);
  }

  private ownRegistry(): IRenderMimeRegistry {
    const { resolver, linkHandler, sanitizer, latexTypesetter, markdownParser } = this.options;
    return this.page.rendermime.clone({
      resolver: resolver ?? undefined,
      linkHandler: linkHandler ?? undefined,
      latexTypesetter: latexTypesetter ?? undefined,
      markdownParser: markdownParser ?? undefined,
      sanitizer
    });
  }

  private safeRegistry(): IRenderMimeRegistry {
    const { markdownParser, sanitizer } = this.options;
    return this.ownRegistry().clone({
      sanitizer: withoutFetching(sanitizer),
      markdownParser: markdownParser ? withoutDiagrams(markdownParser) : undefined
    });
  }
}
