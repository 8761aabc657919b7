/** Draws what a chat saved, and its live view in the same place while the turn is under way. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';

import { BlockOutputs } from './blockOutputs';
import { type IPage, LabHost } from './labHost';
import { LiveSlot, type SlotState } from './liveSlot';
import { h } from './view/dom';
import { drawMessage } from './view/messageView';
import { type IBundle, MESSAGE_MIME } from './view/protocol';
import { translations } from './view/strings';

/** The schema of the JSON that this front end knows. */
const SCHEMA = 1;
/** How long the place of an output keeps its height after a change, in milliseconds. */
const HOLD = 1000;

export class MessageRenderer extends Panel implements IRenderMime.IRenderer {
  private readonly host: LabHost;
  private readonly still = new Widget();
  private bundle: IBundle = { data: {}, metadata: {} };
  private isTrusted = false;
  private slot: LiveSlot | null = null;
  private lostModel = '';

  constructor(
    private readonly options: IRenderMime.IRendererOptions,
    private readonly page: IPage
  ) {
    super();
    this.host = new LabHost(options, page, () => this.isTrusted);
    this.addClass('jp-agents-Slot');
    this.still.addClass('jp-agents-Slot-still');
    this.addWidget(this.still);
  }

  /** Called again, by JupyterLab, whenever the data of the output change. A live view stays as it is. */
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.bundle = { data: model.data, metadata: model.metadata };
    this.isTrusted = model.trusted;
    if (this.slot && this.slot.modelId !== this.liveModel) {
      keepPlace(this.node, () => this.endSlot());
    } else if (this.slot?.state !== 'live') {
      this.draw();
    }
    this.beginSlot();
    return Promise.resolve();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.slot?.dispose();
      this.host.clear();
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.host.forward(message);
    this.host.typesetWaiting();
    this.beginSlot();
    BlockOutputs.watch(this);
  }

  protected override onBeforeDetach(message: Message): void {
    this.host.forward(message);
    super.onBeforeDetach(message);
  }

  /** The id of the live view's model; none where nothing may run that the page has not been trusted with. */
  private get liveModel(): string {
    return this.isTrusted ? liveModelId(this.bundle) : '';
  }

  private beginSlot(): void {
    const model = this.liveModel;
    const notebook = this.page.findNotebook(this.node, this.options.resolver);
    if (this.slot || !model || model === this.lostModel || !notebook) {
      return;
    }
    this.slot = new LiveSlot(model, notebook);
    this.slot.changed.connect(this.onSlot);
    this.addWidget(this.slot.widget);
  }

  private readonly onSlot = (_: LiveSlot, state: SlotState): void => {
    if (state === 'live') {
      keepPlace(this.node, () => this.clear());
    } else if (state === 'lost') {
      this.lostModel = this.slot?.modelId ?? '';
      keepPlace(this.node, () => this.endSlot());
    } else {
      keepPlace(this.node, () => this.draw());
    }
  };

  private endSlot(): void {
    this.slot?.dispose();
    this.slot = null;
    this.draw();
  }

  private clear(): void {
    this.host.clear();
    this.still.node.replaceChildren();
  }

  private draw(): void {
    this.clear();
    this.still.node.append(this.drawBundle());
    if (this.isUnderWayNoMore) {
      const line = h('p', { class: 'jp-agents-Slot-remark', role: 'note' }, remark(liveKind(this.bundle)));
      this.still.node.append(line);
    }
    if (this.isAttached) {
      this.host.typesetWaiting();
    }
  }

  /** Whether the data say that the turn is under way, and it is not. */
  private get isUnderWayNoMore(): boolean {
    const model = liveModelId(this.bundle);
    const isGone = !this.isTrusted || model === this.lostModel || this.slot?.state === 'absent';
    return model !== '' && isGone;
  }

  private drawBundle(): HTMLElement {
    const message = this.bundle.data[MESSAGE_MIME];
    if (isRecord(message) && message.schema === SCHEMA) {
      return drawMessage(this.bundle, this.host);
    }
    return this.drawOtherForms();
  }

  /** What a newer version has written, as far as it can be shown: the output holds the same in other forms. */
  private drawOtherForms(): HTMLElement {
    const { data, metadata } = this.bundle;
    const forms = ['text/html', 'text/markdown', 'text/plain'].filter(type => type in data);
    const known = Object.fromEntries(forms.map(type => [type, data[type]]));
    return this.host.renderOutput({ data: known, metadata }, false) ?? h('div');
  }
}

/** The id of the model that shows the turn of this output live, or nothing. */
export function liveModelId(bundle: IBundle): string {
  const message = bundle.data[MESSAGE_MIME];
  const live = isRecord(message) ? message.live : null;
  return isRecord(live) && typeof live.model_id === 'string' ? live.model_id : '';
}

/**
 * Change what an element shows without moving what is around it: it keeps its height for a moment, until what follows
 * it has come, and what a person reads below it stays where it is.
 */
export function keepPlace(node: HTMLElement, change: () => void): void {
  const height = heightOf(node);
  if (height === 0) {
    change();
    return;
  }
  keepScrolled(node, () => {
    node.style.minHeight = `${height}px`;
    change();
  });
  window.setTimeout(() => keepScrolled(node, () => node.style.removeProperty('min-height')), HOLD);
}

/** How high an element is. That of a message which has not been in sight yet is a guess otherwise (see `slot.css`). */
function heightOf(node: HTMLElement): number {
  node.classList.add('jp-agents-mod-measured');
  const height = node.offsetHeight;
  node.classList.remove('jp-agents-mod-measured');
  return height;
}

/** Notebooks do without the browser's own anchoring of scrolled content. */
function keepScrolled(node: HTMLElement, change: () => void): void {
  const scroller = scrollerOf(node);
  const before = node.getBoundingClientRect();
  change();
  if (scroller && before.bottom <= scroller.getBoundingClientRect().top) {
    scroller.scrollTop += node.getBoundingClientRect().height - before.height;
  }
}

function scrollerOf(node: HTMLElement): HTMLElement | null {
  for (let one = node.parentElement; one; one = one.parentElement) {
    if (one.scrollHeight > one.clientHeight && /auto|scroll/.test(getComputedStyle(one).overflowY)) {
      return one;
    }
  }
  return null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands in the place: a turn (by default), a chat box, a form. */
function liveKind(bundle: IBundle): string {
  const saved = bundle.data[MESSAGE_MIME] as { live?: { kind?: unknown } } | undefined;
  return String(saved?.live?.kind ?? 'turn');
}

function remark(kind: string): string {
  const t = translations();
  return kind === 'turn'
    ? t.__('This turn was still under way when it was last heard of.')
    : t.__('Run the cell to go on here.');
}
