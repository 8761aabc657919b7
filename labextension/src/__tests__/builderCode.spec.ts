import { BuilderCode } from '../view/builderCode';
import type { IChecked } from '../view/builderProtocol';

const LISTED = [{ id: 'a', name: 'writer', kind: 'Assistant', isGroup: false }];
const CHECKED: IChecked = {
  t: 'checked',
  to: 'v',
  ask: 1,
  problems: [],
  variables: { a: 'writer' },
  code: 'writer = AssistantAgent("writer")\n',
  left_out: [],
  groups: {}
};

function named(code: BuilderCode, name: string): HTMLButtonElement {
  return [...code.node.querySelectorAll('button')].find(one => one.textContent === name) as HTMLButtonElement;
}

function made(): { code: BuilderCode; inserted: string[] } {
  const inserted: string[] = [];
  const host = { insertCell: (_near: HTMLElement, source: string) => void inserted.push(source) };
  return { code: new BuilderCode(host, () => undefined), inserted };
}

test('no cell is inserted while the code is being checked, and it stays in sight', () => {
  const { code, inserted } = made();
  code.show(LISTED, 'a', CHECKED);

  code.show(LISTED, 'a', null);
  named(code, 'Insert as cell').click();

  expect(inserted).toEqual([]);
  expect(code.node.querySelector('pre')?.textContent).toBe(CHECKED.code);
});

test('the code that was checked is inserted', () => {
  const { code, inserted } = made();
  code.show(LISTED, 'a', null);

  code.show(LISTED, 'a', CHECKED);
  named(code, 'Insert as cell').click();

  expect(inserted).toEqual(['writer = AssistantAgent("writer")']);
});
