/**
 * The live view of a turn, drawn by the notebook's manager of widgets.
 *
 * That manager may come late, or never; it may not know the model, or lose it. It writes its troubles into the element
 * that it draws in. So that element stays out of sight until it holds a view, and leaves the page with it.
 */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { type IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';
import { Panel } from '@lumino/widgets';

export const WIDGET_MIME = 'application/vnd.jupyter.widget-view+json';

/** How long a model may take to come, and the kernel to replace a view that has gone, in milliseconds. */
const PATIENCE = 3000;
/** How often to see whether the manager has come, in milliseconds. */
const INTERVAL = 250;
const LOST: readonly Kernel.Status[] = ['restarting', 'autorestarting', 'terminating', 'dead'];

/** `lost` is for ever; the others change into each other. `absent` is what `looking` becomes after a while. */
export type SlotState = 'looking' | 'live' | 'absent' | 'lost';

export class LiveSlot implements IDisposable {
  readonly widget = new Panel();
  private _state: SlotState = 'looking';
  private readonly _changed = new Signal<this, SlotState>(this);
  private readonly observer = new MutationObserver(() => this.look());
  private readonly session: ISessionContext;
  private readonly registry: IRenderMimeRegistry;
  private factory: IRenderMime.IRendererFactory | undefined;
  private renderer: IRenderMime.IRenderer | null = null;
  private patience = 0;
  private readonly clock: number;

  constructor(
    readonly modelId: string,
    notebook: NotebookPanel
  ) {
    this.session = notebook.sessionContext;
    this.registry = notebook.content.rendermime;
    this.widget.addClass('jp-agents-Slot-live');
    this.widget.addClass('jp-agents-mod-waiting');
    this.session.statusChanged.connect(this.onStatus);
    this.session.kernelChanged.connect(this.onKernel);
    this.patience = window.setTimeout(this.giveUp, PATIENCE);
    this.clock = window.setInterval(this.follow, INTERVAL);
    this.follow();
  }

  get state(): SlotState {
    return this._state;
  }

  get changed(): ISignal<this, SlotState> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this.widget.isDisposed;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    window.clearTimeout(this.patience);
    window.clearInterval(this.clock);
    this.observer.disconnect();
    this.session.statusChanged.disconnect(this.onStatus);
    this.session.kernelChanged.disconnect(this.onKernel);
    Signal.clearData(this);
    this.widget.dispose();
  }

  /**
   * Draw with the renderer of the moment. The manager gives a notebook its own when it gets to know it; the one from
   * before never learns of the manager, as it is not among the outputs of a cell.
   */
  private readonly follow = (): void => {
    const factory = this.registry.getFactory(WIDGET_MIME);
    if (!factory || factory === this.factory || this._state === 'live') {
      return;
    }
    this.factory = factory;
    this.renderer?.dispose();
    this.renderer = this.registry.createRenderer(WIDGET_MIME);
    this.widget.addWidget(this.renderer);
    this.observer.disconnect();
    this.observer.observe(this.renderer.node, { childList: true, attributeFilter: ['class'] });
    // A model of its own: the manager blanks the id in it when the view goes.
    const data = { [WIDGET_MIME]: { version_major: 2, version_minor: 0, model_id: this.modelId } };
    this.renderer.renderModel(new MimeModel({ data, trusted: true })).catch(this.giveUp);
  };

  /** A view is an element; what the manager says instead of one is text. A view that has gone is hidden or removed. */
  private look(): void {
    const isLive =
      this.renderer !== null && this.renderer.node.firstElementChild !== null && !this.renderer.isHidden;
    this.widget.toggleClass('jp-agents-mod-waiting', !isLive);
    if (isLive) {
      this.become('live');
    } else if (this._state === 'live') {
      this.become('looking');
      this.patience = window.setTimeout(this.giveUp, PATIENCE);
    }
  }

  private readonly giveUp = (): void => {
    if (this._state === 'looking') {
      this.become('absent');
    }
  };

  private readonly onStatus = (_: ISessionContext, status: Kernel.Status): void => {
    if (LOST.includes(status)) {
      this.become('lost');
    }
  };

  private readonly onKernel = (): void => {
    if (!this.session.session?.kernel) {
      this.become('lost');
    }
  };

  private become(state: SlotState): void {
    window.clearTimeout(this.patience);
    if (this._state === state || this._state === 'lost') {
      return;
    }
    this._state = state;
    this._changed.emit(state);
  }
}
