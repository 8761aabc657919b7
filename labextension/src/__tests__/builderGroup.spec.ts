import { BuilderView } from '../view/builder';
import {
  blankDraft,
  blankGroup,
  mayFollow,
  withLoaded,
  withTransitions,
  without
} from '../view/builderDrafts';
import { BUILDER_PROTOCOL } from '../view/builderProtocol';
import type { FromBuilder, ICheck, IChecked, IDraft, IGroupDraft, ToBuilder } from '../view/builderProtocol';

const KIND = {
  id: 'assistant', class_name: 'AssistantAgent', system_message: 'Help.', model: 'default', human_input_mode: 'NEVER',
  code: 'off', max_replies: 100
}; // prettier-ignore
const WRITER: IDraft = { ...blankDraft('a'), kind: 'assistant', name: 'writer' };
const CRITIC: IDraft = { ...blankDraft('b'), kind: 'assistant', name: 'critic' };
const READER = { variable: 'reader', name: 'Reader', class_name: 'UserProxyAgent', why: '' };
const TEAM: IGroupDraft = { ...blankGroup('g'), name: 'team', members: ['draft:a', 'draft:b'] };

/** A view whose kernel is the test. */
class Page {
  readonly sent: ToBuilder[] = [];
  private _heard: (message: FromBuilder) => void = () => undefined;

  constructor(groups: readonly IGroupDraft[] = []) {
    const wire = {
      send: (message: ToBuilder) => void this.sent.push(message),
      listen: (heard: (message: FromBuilder) => void) => {
        this._heard = heard;
        return () => undefined;
      }
    };
    document.body.replaceChildren(new BuilderView(wire, {}).node);
    const place = { agents: [READER], functions: [], models: [], default_model: '' };
    const form = { kinds: [KIND], place, drafts: [WRITER, CRITIC], groups };
    this._heard({ t: 'form', to: this._view, version: BUILDER_PROTOCOL, ...form });
  }

  private get _view(): string {
    return this.sent.find(one => one.t === 'hello')?.view ?? '';
  }

  hear(message: FromBuilder): void {
    this._heard(message);
  }

  /** Let the pause in typing pass; the check that is sent. */
  check(): ICheck {
    jest.advanceTimersByTime(300);
    const last = this.sent.filter((one): one is ICheck => one.t === 'check').at(-1);
    if (!last) throw new Error('nothing was checked');
    return last;
  }

  group(): IGroupDraft | undefined {
    return this.check().groups[0];
  }

  answer(answer: Partial<IChecked>): void {
    const { ask } = this.check();
    const empty = { problems: [], variables: {}, code: '', left_out: [], groups: {} };
    this.hear({ t: 'checked', to: this._view, ask, ...empty, ...answer });
  }

  press(label: string): void {
    button(label).click();
  }
}

function button(label: string): HTMLButtonElement {
  const found = [...document.querySelectorAll('button')].find(one => one.textContent === label);
  if (!found) throw new Error(`no button ${label}`);
  return found;
}

function input(label: string): HTMLInputElement {
  const labels = [...document.querySelectorAll('label')].filter(one => !one.closest('[hidden]'));
  const found = labels.find(one => one.textContent === label);
  const control = found?.querySelector('input') ?? document.getElementById(found?.htmlFor ?? '');
  if (!control) throw new Error(`no field ${label}`);
  return control as HTMLInputElement;
}

function cell(label: string): HTMLInputElement {
  const found = document.querySelector<HTMLInputElement>(`input[aria-label="${label}"]`);
  if (!found) throw new Error(`no cell ${label}`);
  return found;
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('a group has all agents of the form when it is added', () => {
  const page = new Page();

  page.press('Add a group');

  expect(page.group()).toMatchObject({ name: 'team', members: ['draft:a', 'draft:b'], method: 'auto' });
  expect(document.activeElement).toBe(input('Name'));
});

test('agents of the notebook can be picked, in the order of the list', () => {
  const page = new Page([{ ...TEAM, members: ['draft:b'] }]);
  page.press('teamGroup');

  input('Reader').click();
  input('writer').click();

  expect(page.group()?.members).toEqual(['draft:a', 'draft:b', 'variable:reader']);
});

test('nothing is left of a member when it is taken out', () => {
  const graph = { 'draft:a': ['draft:b'], 'draft:b': ['draft:a'] };
  const page = new Page([{ ...TEAM, admin: 'draft:b', transitions: 'allowed', graph }]);
  page.press('teamGroup');

  input('critic').click();

  expect(page.group()).toMatchObject({ members: ['draft:a'], admin: '', graph: { 'draft:a': [] } });
});

test('an agent leaves its groups when it is removed from the form', () => {
  const page = new Page([TEAM]);
  page.press('critic');

  page.press('Remove');

  expect(page.group()?.members).toEqual(['draft:a']);
});

test.each([
  ['', 'allowed', { a: ['a', 'b'], b: ['a', 'b'] }],
  ['', 'disallowed', { a: [], b: [] }],
  ['no_repeat', 'allowed', { a: ['b'], b: ['a'] }],
  ['no_repeat', 'disallowed', { a: ['a'], b: ['b'] }]
])('transitions say the same at first when they change from %p to %p', (before, after, graph) => {
  const group = { ...blankGroup('g'), members: ['a', 'b'], transitions: before };

  const changed = withTransitions(group, after);

  expect(changed.graph).toEqual(graph);
  for (const one of group.members) {
    for (const other of group.members) {
      expect(mayFollow(changed, one, other)).toBe(mayFollow(group, one, other));
    }
  }
});

test('a tick in the table goes to the kernel', () => {
  const page = new Page([{ ...TEAM, transitions: 'allowed', graph: { 'draft:a': ['draft:b'] } }]);
  page.press('teamGroup');

  cell('writer may speak after critic').click();
  cell('critic may speak after writer').click();

  expect(page.group()?.graph).toEqual({ 'draft:a': [], 'draft:b': ['draft:a'] });
});

test('the table is one stop of the Tab key, in which arrows move', () => {
  const page = new Page([{ ...TEAM, transitions: 'disallowed' }]);
  page.press('teamGroup');
  const stops = (): string[] =>
    [...document.querySelectorAll('[role=grid] input')]
      .filter(one => (one as HTMLInputElement).tabIndex === 0)
      .map(one => one.getAttribute('aria-label') ?? '');
  const before = stops();
  cell('writer may not speak after writer').focus();

  const press = (key: string): boolean | undefined =>
    document.activeElement?.dispatchEvent(
      new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })
    );
  press('ArrowDown');
  press('ArrowRight');
  press('ArrowRight');

  expect(before).toEqual(['writer may not speak after writer']);
  expect(stops()).toEqual(['critic may not speak after critic']);
  expect(document.activeElement).toBe(cell('critic may not speak after critic'));
});

test('the focus stays in the table when the name of a member changes', () => {
  const page = new Page([{ ...TEAM, transitions: 'allowed' }]);
  page.press('teamGroup');
  cell('critic may speak after writer').focus();

  page.hear({
    t: 'place',
    place: { agents: [READER], functions: [], models: [], default_model: 'm' }
  });
  page.answer({ code: 'x = 1' });

  expect(document.activeElement).toBe(cell('critic may speak after writer'));
});

test('a person gets a seat in the group when one is added', () => {
  const page = new Page([{ ...TEAM, transitions: 'allowed', graph: { 'draft:a': ['draft:b'] } }]);
  page.press('teamGroup');

  page.press('Add a person');

  const { drafts, groups } = page.check();
  const person = drafts.at(-1);
  expect(person).toMatchObject({ kind: 'user_proxy', name: 'person', code: 'off' });
  expect(groups[0]?.members.at(-1)).toBe(`draft:${person?.id}`);
  expect(groups[0]?.graph['draft:a']).toEqual(['draft:b', `draft:${person?.id}`]);
});

test('a valid group is drawn, with its seats and who may follow whom', () => {
  const page = new Page([TEAM]);
  page.press('teamGroup');

  const facts = {
    names: ['writer', 'critic'],
    edges: [['writer', 'critic']],
    words: 'One line.',
    seats: ['critic']
  };
  page.answer({ variables: { g: 'team' }, groups: { g: facts } });

  const picture = document.querySelector('[role=img]');
  expect(picture?.querySelectorAll('line')).toHaveLength(1);
  expect(picture?.getAttribute('aria-label')).toContain('One line.');
  expect(document.body.textContent).toContain('Seats of people: critic.');
  expect(button('Create team')).toBeTruthy();
});

test('a mistake in a group stands at its field', () => {
  const page = new Page([TEAM]);
  page.press('teamGroup');

  page.answer({
    problems: [{ draft: 'g', field: 'max_round', text: 'Cannot do.', is_note: false }],
    left_out: ['g']
  });

  expect(input('Messages at most').getAttribute('aria-invalid')).toBe('true');
  expect(document.body.textContent).toContain('Not in it, because there is something to correct: team');
});

test('groups have the loaded agent when it comes from the notebook', () => {
  const group = { ...TEAM, members: ['variable:reader'], admin: 'variable:reader' };
  const draft = { ...WRITER, id: 'k', name: 'Reader', variable: 'reader' };

  const typed = withLoaded({ drafts: [WRITER], groups: [group] }, draft, 'reader');

  expect(typed.drafts.map(one => one.id)).toEqual(['a', 'k']);
  expect(typed.groups[0]).toMatchObject({ members: ['draft:k'], admin: 'draft:k' });
});

test('a group goes, and leaves the group that it is in, when it is removed', () => {
  const outer = { ...blankGroup('o'), members: ['draft:g', 'draft:a'] };

  const typed = without({ drafts: [WRITER], groups: [TEAM, outer] }, 'g');

  expect(typed.groups).toEqual([{ ...outer, members: ['draft:a'] }]);
});

test('it is said which groups have agents that were replaced', async () => {
  const page = new Page([TEAM]);
  page.answer({ variables: { a: 'writer' } });
  page.press('Create writer');
  const create = page.sent.find(one => one.t === 'create');
  const [to, ask] = create?.t === 'create' ? [create.view, create.ask] : ['', 0];

  page.hear({ t: 'created', to, ask, variables: ['writer'], outdated: ['team'] });
  await jest.advanceTimersByTimeAsync(0);

  expect(document.body.textContent).toContain(
    'team still has the agents as they were before: create it anew.'
  );
});
