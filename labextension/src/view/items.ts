/** What is finished: the messages, notes and outputs of a view, drawn once and kept. */

import { h } from './dom';
import type { IHost } from './host';
import { drawMessage } from './messageView';
import { LiveOutput } from './liveOutput';
import type { IItem } from './protocol';
import { withoutStanding } from './standing';

interface IDrawn {
  item: IItem;
  readonly node: HTMLElement;
  readonly output: LiveOutput | null;
}

export class Items {
  readonly node = h('div', { class: 'jp-agents-LiveView-items' });
  readonly #host: IHost;
  #drawn = new Map<number, IDrawn>();

  constructor(host: IHost) {
    this.#host = host;
  }

  /** Show exactly these, without those that the page shows above. What is there already keeps its node, and what a person has selected or unfolded in it. */
  show(items: readonly IItem[]): void {
    const before = this.#drawn;
    this.#drawn = new Map();
    let place: ChildNode | null = this.node.firstChild;
    for (const item of withoutStanding(items, this.node)) {
      const drawn = this.#keep(before.get(item.id), item);
      before.delete(item.id);
      this.#drawn.set(item.id, drawn);
      if (drawn.node === place) {
        place = place.nextSibling;
      } else {
        this.node.insertBefore(drawn.node, place);
      }
    }
    before.forEach(remove);
  }

  /** Show one more, or another one in place of that with this id. */
  put(item: IItem): void {
    const before = this.#drawn.get(item.id);
    const drawn = this.#keep(before, item);
    this.#drawn.set(item.id, drawn);
    if (!before) {
      this.node.append(drawn.node);
    } else if (before !== drawn) {
      before.node.replaceWith(drawn.node);
      remove(before);
    }
  }

  dispose(): void {
    this.#drawn.forEach(({ output }) => output?.dispose());
  }

  #keep(drawn: IDrawn | undefined, item: IItem): IDrawn {
    if (!drawn || drawn.item.kind !== item.kind) {
      return this.#draw(item);
    }
    if (drawn.item === item || JSON.stringify(drawn.item) === JSON.stringify(item)) {
      return drawn;
    }
    if (!drawn.output) {
      return this.#draw(item);
    }
    drawn.item = item;
    drawn.output.update(item.bundle);
    return drawn;
  }

  #draw(item: IItem): IDrawn {
    if (item.kind === 'output') {
      const output = new LiveOutput(item.bundle, this.#host);
      return { item, node: output.node, output };
    }
    return { item, node: drawMessage(item.bundle, this.#host), output: null };
  }
}

function remove({ node, output }: IDrawn): void {
  node.remove();
  output?.dispose();
}
