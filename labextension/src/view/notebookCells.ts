/** Putting a cell into the notebook that holds a widget, where its widget manager knows that notebook. */

import type { AnyModel } from '@anywidget/types';
import type { IHost } from './host';

/** The part of JupyterLab's shared notebook that is used here. */
interface ISharedNotebook {
  insertCell(index: number, cell: { cell_type: 'code'; source: string; metadata: object }): unknown;
}

interface IManager {
  readonly context?: { readonly model?: { readonly sharedModel?: Partial<ISharedNotebook> } };
}

/** A function that inserts a cell below the one that holds an element; `undefined` where the page cannot. */
export function insertCellOf(model: AnyModel): IHost['insertCell'] {
  const manager = model.widget_manager as unknown as IManager | undefined;
  const notebook = manager?.context?.model?.sharedModel;
  if (typeof notebook?.insertCell !== 'function') {
    return undefined;
  }
  return (near, source) => {
    const index = indexOfCell(near);
    if (index !== null) {
      (notebook as ISharedNotebook).insertCell(index + 1, {
        cell_type: 'code',
        source,
        metadata: { trusted: true }
      });
    }
  };
}

/** Which cell of its notebook holds an element. Where only the visible cells are on the page, they know their place. */
function indexOfCell(node: HTMLElement): number | null {
  const cell = node.closest<HTMLElement>('.jp-Notebook .jp-Cell');
  if (!cell) {
    return null;
  }
  const place = Number.parseInt(cell.dataset['windowedListIndex'] ?? '', 10);
  const beside = [...(cell.parentElement?.children ?? [])].filter(one => one.classList.contains('jp-Cell'));
  return Number.isNaN(place) ? beside.indexOf(cell) : place;
}
