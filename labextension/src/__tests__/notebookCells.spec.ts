import type { AnyModel } from '@anywidget/types';
import { insertCellOf } from '../view/notebookCells';

/** A page with a notebook of three cells, and a widget's model that may know of it. */
function notebook(): { model: AnyModel; near: (cell: number) => HTMLElement; inserted: [number, string][] } {
  const inserted: [number, string][] = [];
  const sharedModel = {
    insertCell: (index: number, cell: { source: string }) => void inserted.push([index, cell.source])
  };
  const root = document.createElement('div');
  root.className = 'jp-Notebook';
  const outputs = [0, 1, 2].map(() => {
    const [cell, output] = [document.createElement('div'), document.createElement('div')];
    cell.className = 'jp-Cell';
    cell.append(output);
    root.append(cell);
    return output;
  });
  document.body.replaceChildren(root);
  const model = { widget_manager: { context: { model: { sharedModel } } } } as unknown as AnyModel;
  return { model, inserted, near: cell => outputs[cell] ?? document.body };
}

test('a cell comes below the one with the widget when the notebook is known', () => {
  const { model, near, inserted } = notebook();

  insertCellOf(model)?.(near(1), 'x = 1');

  expect(inserted).toEqual([[2, 'x = 1']]);
});

test('the place that a cell says it has counts when only some cells are on the page', () => {
  const { model, near, inserted } = notebook();
  near(1).closest<HTMLElement>('.jp-Cell')?.setAttribute('data-windowed-list-index', '41');

  insertCellOf(model)?.(near(1), 'x = 1');

  expect(inserted).toEqual([[42, 'x = 1']]);
});

test('nothing is inserted when the widget stands outside of a notebook', () => {
  const { model, inserted } = notebook();

  insertCellOf(model)?.(document.body, 'x = 1');

  expect(inserted).toEqual([]);
});

test.each([undefined, {}, { context: {} }, { context: { model: { sharedModel: {} } } }])(
  'there is no such function when the widget manager is %p',
  manager => {
    expect(insertCellOf({ widget_manager: manager } as unknown as AnyModel)).toBeUndefined();
  }
);
