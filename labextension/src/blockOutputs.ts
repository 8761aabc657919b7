/**
 * What blocks of agents have printed, among the outputs of a cell: long text is kept within its place there.
 *
 * These outputs are the notebook's own, drawn by JupyterLab, and stay what they are in the file. Only those are taken
 * that are of a block: what follows them is the line that says how the block went, or they follow a turn that is still
 * under way. What a cell's own code prints before a chat or after it is left alone, as are all cells without a chat.
 */

import type { CodeCell } from '@jupyterlab/cells';
import type { Widget } from '@lumino/widgets';

import { isOfBlock, standingOf } from './view/blockOutput';
import { LongText } from './view/longText';

type OutputArea = CodeCell['outputArea'];

const PRINTED = ['application/vnd.jupyter.stdout', 'application/vnd.jupyter.stderr', 'text/plain'];
/** Between two messages of the kernel it may look as if an output were of no block. In milliseconds. */
const PATIENCE = 1000;

export class BlockOutputs {
  private readonly texts = new Map<Widget, LongText>();
  private timer = 0;

  private constructor(private readonly area: OutputArea) {
    area.outputLengthChanged.connect(this.look);
    area.disposed.connect(this.forget);
  }

  /** Look after the outputs of the cell in which a message is drawn; outside of cells, do nothing. */
  static watch(message: Widget): void {
    const area = areaOf(message);
    if (area) {
      const outputs = areas.get(area) ?? new BlockOutputs(area);
      areas.set(area, outputs);
      outputs.look();
    }
  }

  private readonly look = (): void => {
    const ours = this.ofBlocks();
    ours.filter(child => !this.texts.has(child)).forEach(child => this.begin(child));
    window.clearTimeout(this.timer);
    if (this.texts.size > ours.length) {
      this.timer = window.setTimeout(this.letGo, PATIENCE);
    }
  };

  /** Those of no block after all. */
  private readonly letGo = (): void => {
    const ours = new Set(this.ofBlocks());
    [...this.texts.keys()].filter(child => !ours.has(child)).forEach(child => this.end(child));
  };

  private readonly forget = (): void => {
    window.clearTimeout(this.timer);
    areas.delete(this.area);
  };

  private ofBlocks(): Widget[] {
    const { model, widgets } = this.area;
    if (model.isDisposed) {
      return [];
    }
    const standings = Array.from({ length: model.length }, (_, at) => standingOf(model.get(at).data));
    return widgets.filter((child, at) => isOfBlock(standings, at) && placeOf(child) !== null);
  }

  private begin(child: Widget): void {
    const place = placeOf(child);
    if (place) {
      const text = new LongText(place);
      child.node.append(text.bar);
      child.addClass('jp-agents-BlockOutput');
      child.disposed.connect(this.end);
      this.texts.set(child, text);
    }
  }

  private readonly end = (child: Widget): void => {
    this.texts.get(child)?.dispose();
    this.texts.delete(child);
    child.removeClass('jp-agents-BlockOutput');
  };
}

const areas = new WeakMap<OutputArea, BlockOutputs>();

/** Where JupyterLab draws the text of an output; `null` for what is no text. */
function placeOf(child: Widget): HTMLElement | null {
  const place = child.node.querySelector<HTMLElement>(':scope > .jp-OutputArea-output');
  return place && PRINTED.includes(place.dataset['mimeType'] ?? '') ? place : null;
}

function areaOf(message: Widget): OutputArea | null {
  for (let at: Widget | null = message.parent; at; at = at.parent) {
    if ('outputLengthChanged' in at) {
      return at as OutputArea;
    }
  }
  return null;
}
