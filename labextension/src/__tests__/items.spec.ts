import { Items } from '../view/items';
import { drawMessage } from '../view/messageView';
import { MESSAGE_MIME, type IItem } from '../view/protocol';
import { areStanding } from '../view/standing';
import { stream } from './wire';

function said(id: number, text: string, chat = 0): IItem {
  const message = { schema: 1, kind: 'message', id, chat, sender: 'a', recipient: 'b', colour: 0, text };
  return {
    id,
    kind: 'bundle',
    bundle: { data: { [MESSAGE_MIME]: message, 'text/plain': text }, metadata: {} }
  };
}

/** A live view's items below what a page has of saved outputs. */
function below(...saved: readonly IItem[]): Items {
  const items = new Items({});
  const area = document.createElement('div');
  area.className = 'jp-OutputArea';
  area.append(...saved.map(item => drawMessage(item.bundle, {})), items.node);
  document.body.replaceChildren(area);
  return items;
}

function shown(items: Items): string[] {
  return [...items.node.children].map(
    node => node.querySelector('.jp-agents-Markdown, pre')?.textContent?.trim() ?? ''
  );
}

test('what stands above is not drawn again, with the outputs that were between', () => {
  const items = below(said(0, 'one'), said(1, 'two'));

  items.show([said(0, 'one'), stream(7, 'printed'), said(1, 'two'), said(2, 'three')]);

  expect(shown(items)).toEqual(['three']);
});

test.each([
  ['another text', said(0, 'another')],
  ['another chat', said(0, 'one', 1)]
])('a message of %s is drawn', (_, item) => {
  const items = below(said(0, 'one'));

  items.show([item]);

  expect(items.node.children).toHaveLength(1);
});

test('what the view itself has drawn stays when the state comes anew', () => {
  const items = below(said(0, 'one'));
  items.show([said(1, 'two')]);
  const before = items.node.firstChild;

  items.show([said(0, 'one'), said(1, 'two')]);

  expect(items.node.firstChild).toBe(before);
  expect(shown(items)).toEqual(['two']);
});

test.each([
  ['the one before stands above', [said(0, 'one')], [said(1, 'two')], 1, true],
  ['one before that is missing', [said(0, 'one')], [said(2, 'three')], 2, false],
  ['another chat stands above', [said(0, 'one', 1)], [said(1, 'two')], 1, false],
  ['nothing is shown, and as many stand above', [said(0, 'one')], [], 1, true],
  ['nothing is shown, and fewer stand above', [said(0, 'one')], [], 2, false],
  ['nothing stands above', [], [said(1, 'two')], 1, false]
])('it is known of earlier ones whether they stand above: %s', (_, above, shown, count, expected) => {
  const items = below(...above);

  expect(areStanding(count, shown, items.node)).toBe(expected);
});
