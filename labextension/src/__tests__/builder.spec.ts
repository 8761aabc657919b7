import { BuilderView } from '../view/builder';
import { BUILDER_PROTOCOL } from '../view/builderProtocol';
import type {
  FromBuilder,
  IChecked,
  IDraft,
  IForm,
  IFunctionFacts,
  IKindFacts,
  ToBuilder
} from '../view/builderProtocol';

const KINDS: IKindFacts[] = [
  {
    id: 'assistant',
    class_name: 'AssistantAgent',
    system_message: 'Help.',
    model: 'default',
    human_input_mode: 'NEVER',
    code: 'off',
    max_replies: 100
  },
  {
    id: 'user_proxy',
    class_name: 'UserProxyAgent',
    system_message: '',
    model: 'none',
    human_input_mode: 'ALWAYS',
    code: 'ask',
    max_replies: 100
  }
];
const LOOKUP: IFunctionFacts = {
  name: 'lookup',
  called: 'lookup',
  signature: '(city)',
  doc: '',
  untyped: ['city'],
  is_own: true
};
const WRITER: IDraft = {
  id: 'a', basis: '', kind: 'assistant', name: 'writer', variable: '', description: '', system_message: null,
  model: null, model_name: '', kept_model: '', human_input_mode: null, code: null, work_dir: '', timeout: '',
  max_replies: '', tools: {}
}; // prettier-ignore

/** A view, and the kernel that it talks with: the test says what that answers. */
class Page {
  readonly sent: ToBuilder[] = [];
  readonly inserted: string[] = [];
  readonly view: BuilderView;
  private _heard: (message: FromBuilder) => void = () => undefined;

  constructor(form: Partial<IForm> = {}) {
    const wire = {
      send: (message: ToBuilder) => void this.sent.push(message),
      listen: (heard: (message: FromBuilder) => void) => {
        this._heard = heard;
        return () => undefined;
      }
    };
    this.view = new BuilderView(wire, { insertCell: (_, source) => void this.inserted.push(source) });
    document.body.replaceChildren(this.view.node);
    const place = { agents: [], functions: [LOOKUP], models: [], default_model: 'gpt-x' };
    this.hear({
      t: 'form',
      to: this.id,
      version: BUILDER_PROTOCOL,
      kinds: KINDS,
      place,
      drafts: [WRITER],
      groups: [],
      ...form
    });
  }

  get id(): string {
    const hello = this.sent.find(one => one.t === 'hello');
    return hello?.view ?? '';
  }

  hear(message: FromBuilder): void {
    this._heard(message);
  }

  /** Let the pause in typing pass; what is typed. */
  typed(): readonly IDraft[] {
    jest.advanceTimersByTime(300);
    const last = this.sent.filter(one => one.t === 'check').at(-1);
    return last?.t === 'check' ? last.drafts : [];
  }

  check(answer: Partial<IChecked> = {}): void {
    this.typed();
    const ask = this.sent.filter(one => one.t === 'check').at(-1);
    const empty = { problems: [], variables: {}, code: '', left_out: [], groups: {} };
    this.hear({ t: 'checked', to: this.id, ask: ask?.t === 'check' ? ask.ask : 0, ...empty, ...answer });
  }

  field(label: string): HTMLInputElement {
    const found = [...document.querySelectorAll('label')].find(one => one.textContent?.startsWith(label));
    const control =
      (found?.htmlFor ? document.getElementById(found.htmlFor) : found?.querySelector('input')) ?? null;
    if (!control) throw new Error(`no field ${label}`);
    return control as HTMLInputElement;
  }

  type(label: string, text: string): void {
    const control = this.field(label);
    control.value = text;
    control.dispatchEvent(new Event('input'));
  }

  pick(label: string): void {
    this.field(label).click();
  }

  press(label: string): void {
    const found = [...document.querySelectorAll('button')].find(one => one.textContent === label);
    if (!found) throw new Error(`no button ${label}`);
    found.click();
  }
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('what is typed goes to the kernel when the fields change', () => {
  const page = new Page();

  page.type('Name', 'critic');
  page.pick('Runs when you approve');
  page.pick('lookup');

  expect(page.typed()).toEqual([{ ...WRITER, name: 'critic', code: 'ask', tools: { lookup: 'lookup' } }]);
});

test('choices follow the role when nobody has made them', () => {
  const page = new Page();

  page.pick('User proxy');

  expect(page.field('Always').checked).toBe(true);
  expect(page.field('No model').checked).toBe(true);
  expect(page.typed()[0]).toMatchObject({ kind: 'user_proxy', human_input_mode: null, model: null });
});

test('the default of the role comes back when it is restored', () => {
  const page = new Page();
  page.type('System message', 'Be brief.');

  page.press('Restore the default');

  expect(page.field('System message').value).toBe('Help.');
  expect(page.typed()[0]?.system_message).toBeNull();
});

test('a mistake is tied to its field and announced once when the kernel finds it', () => {
  const page = new Page();
  const problem = { draft: 'a', field: 'variable', text: 'Cannot use that.', is_note: false };

  page.check({ problems: [problem], left_out: ['a'] });

  const field = page.field('Variable');
  const described = (field.getAttribute('aria-describedby') ?? '')
    .split(' ')
    .map(id => document.getElementById(id)?.textContent);
  expect(field.getAttribute('aria-invalid')).toBe('true');
  expect(described.join(' ')).toContain('To correct: Cannot use that.');
  expect(document.getElementById('jp-agents-announcements')?.textContent).toBe('Cannot use that.');
});

test('a note leaves its field valid when the kernel has one', () => {
  const page = new Page();

  page.check({ problems: [{ draft: 'a', field: 'variable', text: 'Begins with _.', is_note: true }] });

  expect(page.field('Variable').getAttribute('aria-invalid')).toBe('false');
  expect(document.body.textContent).toContain('Begins with _.');
});

test('the fields stay the same nodes when answers come', () => {
  const page = new Page();
  const field = page.field('Name');
  field.focus();

  page.check({ code: 'x = 1' });
  page.hear({ t: 'place', place: { agents: [], functions: [], models: [], default_model: '' } });

  expect(document.activeElement).toBe(field);
});

test('names stay apart when agents are added and duplicated', () => {
  const page = new Page();

  page.press('Duplicate');
  page.press('Duplicate');
  page.press('Add an agent');

  expect(page.typed().map(one => one.name)).toEqual(['writer', 'writer_2', 'writer_3', 'user']);
  expect(new Set(page.typed().map(one => one.id)).size).toBe(4);
});

test('the last agent stays when it would be removed', () => {
  const page = new Page();
  page.press('Duplicate');

  page.press('Remove');
  page.press('Remove');

  expect(page.typed().map(one => one.name)).toEqual(['writer']);
});

test('the loaded agent takes the place of the untouched one when it comes', async () => {
  const page = new Page({ drafts: [{ ...WRITER, name: 'assistant' }] });
  const facts = { variable: 'old', name: 'old', class_name: 'AssistantAgent', why: '' };
  page.hear({ t: 'place', place: { agents: [facts], functions: [], models: [], default_model: '' } });
  page.field('Edit an agent of the notebook').value = 'old';

  page.press('Edit');
  const request = page.sent.find(one => one.t === 'load');
  const draft = { ...WRITER, id: 'k', basis: 'k', name: 'old', variable: 'old' };
  page.hear({ t: 'loaded', to: page.id, ask: request?.t === 'load' ? request.ask : 0, draft, why: '' });
  await jest.advanceTimersByTimeAsync(0);

  expect(page.typed()).toEqual([draft]);
});

test('the code goes into a cell when it is inserted', () => {
  const page = new Page();
  page.check({ code: 'writer = 1\n' });

  page.press('Insert as cell');

  expect(page.inserted).toEqual(['writer = 1']);
});

test('nothing is replaced without a word when an agent is there', async () => {
  const page = new Page();
  page.check({ variables: { a: 'writer' } });
  page.press('Create writer');
  const create = page.sent.find(one => one.t === 'create');
  const replaced = [{ variable: 'writer', name: 'old', class_name: 'AssistantAgent', talks: 2 }];

  page.hear({ t: 'asks', to: page.id, ask: create?.t === 'create' ? create.ask : 0, replaced });
  await jest.advanceTimersByTimeAsync(0);
  const focused = document.activeElement?.textContent;
  page.press('Replace');

  const again = page.sent.filter(one => one.t === 'create').at(-1);
  expect(focused).toBe('Keep');
  expect(document.body.textContent).not.toContain('remembers');
  expect(again).toMatchObject({ which: 'a', replace: ['writer'] });
});

test('a page of another version says so when the kernel is newer', () => {
  const page = new Page({ version: 99 });

  expect(page.view.node.textContent).toContain('another version');
});

test('the keys of the notebook are not pressed when somebody types', () => {
  const page = new Page();
  const heard = jest.fn();
  document.body.addEventListener('keydown', heard);

  page.field('Name').dispatchEvent(new KeyboardEvent('keydown', { key: 'd', bubbles: true }));

  expect(heard).not.toHaveBeenCalled();
});

/** A page on which somebody has asked for an agent whose variable holds another one. */
async function askedToReplace(): Promise<{ page: Page; asks: () => Promise<void> }> {
  const page = new Page();
  page.check({ variables: { a: 'writer' } });
  page.press('Create writer');
  const create = page.sent.find(one => one.t === 'create');
  const replaced = [{ variable: 'writer', name: 'old', class_name: 'AssistantAgent', talks: 0 }];
  const asks = async (): Promise<void> => {
    page.hear({ t: 'asks', to: page.id, ask: create?.t === 'create' ? create.ask : 0, replaced });
    await jest.advanceTimersByTimeAsync(0);
  };
  return { page, asks };
}

test('the question whether to replace goes when something is edited', async () => {
  const { page, asks } = await askedToReplace();
  await asks();
  const before = document.querySelectorAll('[role=alertdialog]').length;

  page.type('Name', 'author');

  expect([before, document.querySelectorAll('[role=alertdialog]').length]).toEqual([1, 0]);
});

test('the question whether to replace is not asked of what is typed no more', async () => {
  const { page, asks } = await askedToReplace();
  page.type('Name', 'author');

  await asks();

  expect(document.querySelector('[role=alertdialog]')).toBeNull();
});

test('a variable that holds an agent already is told of before anything is pressed', () => {
  const page = new Page();
  const facts = { variable: 'writer', name: 'writer', class_name: 'AssistantAgent', why: '' };
  page.hear({ t: 'place', place: { agents: [facts], functions: [], models: [], default_model: '' } });

  page.check({ variables: { a: 'writer' } });
  const told = document.body.textContent;
  page.type('Name', 'author');
  page.check({ variables: { a: 'author' } });

  expect(told).toContain('writer holds an agent already (AssistantAgent): it would be replaced.');
  expect(document.body.textContent).not.toContain('holds an agent already');
});

test('an agent that is added has no name of one of the notebook', () => {
  const page = new Page();
  const facts = { variable: 'user', name: 'user', class_name: 'UserProxyAgent', why: '' };
  page.hear({ t: 'place', place: { agents: [facts], functions: [], models: [], default_model: '' } });

  page.press('Add an agent');

  expect(page.typed().map(one => one.name)).toEqual(['writer', 'user_2']);
});

test('a tool is chosen under the name by which a model calls it', () => {
  const page = new Page();
  const tool = { ...LOOKUP, name: 'weather', called: 'get_weather' };
  page.hear({ t: 'place', place: { agents: [], functions: [tool], models: [], default_model: '' } });

  page.pick('get_weather');

  expect(page.typed()[0]?.tools).toEqual({ get_weather: 'weather' });
});
