/** The agent builder: its agents, the form of one of them, and the code that makes them all. */

import { BuilderConnection } from './builderConnection';
import type { IBuilderListener, IBuilderWire } from './builderConnection';
import { BuilderForm } from './builderForm';
import { BuilderCode } from './builderCode';
import { AgentList } from './builderList';
import { BUILDER_PROTOCOL } from './builderProtocol';
import type {
  IChecked,
  ICreate,
  IDraft,
  IFindModels,
  IForm,
  IKindFacts,
  ILoad,
  IPlace,
  IProblem
} from './builderProtocol';
import { announce } from './copying';
import { h } from './dom';
import type { IHost } from './host';
import { translations } from './strings';

export class BuilderView implements IBuilderListener {
  readonly node: HTMLElement;
  private readonly _connection: BuilderConnection;
  private readonly _busy = h('span', { class: 'jp-agents-Builder-busy', role: 'status' });
  private readonly _body = h('div', { class: 'jp-agents-Builder-body' });
  private readonly _code: BuilderCode;
  private readonly _list: AgentList;
  private _form: BuilderForm | null = null;
  private _kinds: readonly IKindFacts[] = [];
  private _drafts: readonly IDraft[] = [];
  private _current = '';
  private _checked: IChecked | null = null;
  private _count = 0;
  private _place: IPlace | null = null;
  /** The variables of the agents that this form has made: to make those again surprises nobody. */
  private readonly _made = new Set<string>();

  constructor(wire: IBuilderWire, host: IHost) {
    const { __ } = translations();
    this._connection = new BuilderConnection(wire);
    this._code = new BuilderCode(host, which => void this._create(which, []));
    this._list = new AgentList({
      pick: id => this._pick(id),
      add: () => this._add(),
      duplicate: () => this._duplicate(),
      remove: () => this._remove(),
      load: variable => void this._load(variable)
    });
    const waiting = h(
      'p',
      { class: 'jp-agents-Builder-hint', role: 'status' },
      __('Waiting for the kernel…')
    );
    this._body.append(waiting);
    this.node = h(
      'div',
      {
        class: 'jp-agents-Builder',
        role: 'region',
        'aria-label': __('Agent builder'),
        'data-lm-suppress-shortcuts': 'true',
        onkeydown: (event: KeyboardEvent) => event.stopPropagation() // the notebook's own single keys
      },
      h('div', { class: 'jp-agents-Builder-head' }, h('h2', {}, __('Agents')), this._busy),
      this._body
    );
    this._connection.connect(this);
  }

  dispose(): void {
    this._connection.dispose();
  }

  // -- What the kernel says ------------------------------------------------------------------------------------

  formed(form: IForm): void {
    const { __ } = translations();
    if (form.version !== BUILDER_PROTOCOL) {
      this._body.replaceChildren(
        h('p', {}, __('This form is of another version than the kernel. Reload the page.'))
      );
      return;
    }
    const isNew = !this._form || !areEqual(form.drafts, this._drafts);
    this._kinds = form.kinds;
    this._drafts = form.drafts;
    if (!this._form) {
      this._layOut();
    }
    this._code.setNames(form.kinds);
    this.placed(form.place);
    this._pick(this._draft ? this._current : (form.drafts[0]?.id ?? ''));
    if (isNew) {
      this._connection.changed(this._drafts);
    }
  }

  placed(place: IPlace): void {
    this._place = place;
    this._form?.setPlace(place);
    this._list.setAgents(place.agents);
    if (this._draft) {
      this._say();
    }
  }

  checked(answer: IChecked): void {
    const before = this._errors(this._checked).map(one => one.text);
    this._checked = answer;
    this._say();
    const fresh = this._errors(answer).filter(one => !before.includes(one.text));
    if (fresh.length) {
      announce(fresh.map(one => one.text).join(' '));
    }
  }

  failed(why: string): void {
    this._code.say(why, 'error');
  }

  busy(isBusy: boolean): void {
    const { __ } = translations();
    this._busy.textContent = isBusy
      ? __('The kernel is busy. What you type is checked when it answers.')
      : '';
  }

  // -- What is shown -------------------------------------------------------------------------------------------

  private get _draft(): IDraft | undefined {
    return this._drafts.find(one => one.id === this._current);
  }

  private _layOut(): void {
    this._form = new BuilderForm(this._kinds, {
      changed: values => this._change(values),
      findModels: () => this._findModels()
    });
    const left = h('div', { class: 'jp-agents-Builder-main' }, this._list.node, this._form.node);
    this._body.replaceChildren(left, this._code.node);
  }

  private _errors(answer: IChecked | null): readonly IProblem[] {
    return (answer?.problems ?? []).filter(one => one.draft === this._current && !one.is_note);
  }

  /** Show the draft that is picked, and what the kernel has said of it. */
  private _say(): void {
    const [draft, answer] = [this._draft, this._checked];
    this._list.show(this._drafts, this._current, answer?.problems ?? []);
    if (draft) {
      this._form?.show(draft);
      this._form?.showVariable(answer?.variables[draft.id] ?? '');
      const variable = answer?.variables[draft.id] ?? '';
      const problems = (answer?.problems ?? []).filter(one => one.draft === draft.id);
      this._form?.say([...problems, ...this._taken(draft, variable)]);
    }
    this._code.show(this._drafts, this._current, answer);
  }

  /** That an agent of the notebook has this variable already, before anybody asks for leave to replace it. */
  private _taken(draft: IDraft, variable: string): readonly IProblem[] {
    const { __ } = translations();
    const isOwn = draft.basis !== '' || this._made.has(variable);
    const agent = isOwn ? undefined : this._place?.agents.find(one => one.variable === variable);
    const text =
      agent && __('%1 holds an agent already (%2): it would be replaced.', variable, agent.class_name);
    return text ? [{ draft: draft.id, field: 'variable', text, is_note: true }] : [];
  }

  private _pick(id: string): void {
    this._current = id;
    this._say();
  }

  // -- What a person does --------------------------------------------------------------------------------------

  private _change(values: Partial<IDraft>): void {
    this._drafts = this._drafts.map(one => (one.id === this._current ? { ...one, ...values } : one));
    this._code.say('', 'note');
    this._code.forgetQuestion();
    this._say();
    this._connection.changed(this._drafts);
  }

  private _set(drafts: readonly IDraft[], current: string): void {
    this._drafts = drafts;
    this._code.forgetQuestion();
    this._pick(current);
    this._connection.changed(drafts);
  }

  private _add(): void {
    const kind = this._drafts.some(one => one.kind === 'assistant') ? 'user_proxy' : 'assistant';
    const facts = this._kinds.find(one => one.id === kind) ?? this._kinds[0];
    const draft = {
      ...blankDraft(this._newId()),
      kind: facts?.id ?? '',
      name: this._free(kind === 'assistant' ? kind : 'user')
    };
    this._set([...this._drafts, draft], draft.id);
    this._form?.focus('name');
  }

  private _duplicate(): void {
    const draft = this._draft;
    if (draft) {
      const copy = { ...draft, id: this._newId(), name: this._free(draft.name), variable: '' };
      const at = this._drafts.indexOf(draft) + 1;
      this._set([...this._drafts.slice(0, at), copy, ...this._drafts.slice(at)], copy.id);
      this._form?.focus('name');
    }
  }

  private _remove(): void {
    const { __ } = translations();
    const at = this._drafts.findIndex(one => one.id === this._current);
    const name = this._drafts[at]?.name ?? '';
    const rest = this._drafts.filter(one => one.id !== this._current);
    if (rest.length) {
      this._set(rest, rest[Math.min(at, rest.length - 1)]?.id ?? '');
      announce(__('Removed %1 from this form.', name));
      this._list.focus();
    }
  }

  private async _load(variable: string): Promise<void> {
    const answer = await this._connection.ask<ILoad>({ t: 'load', variable });
    const { __ } = translations();
    if (answer.t !== 'loaded' || !answer.draft) {
      this._code.say(answer.t === 'loaded' || answer.t === 'failed' ? answer.why : '', 'error');
      return;
    }
    const untouched = this._drafts.filter(one => one.variable !== variable && !this._isUntouched(one));
    this._set([...untouched, answer.draft], answer.draft.id);
    announce(__('Loaded %1.', variable));
    this._form?.focus('name');
  }

  /** Whether it is the agent that the form begins with: loading another one takes its place. */
  private _isUntouched(draft: IDraft): boolean {
    const begun = { ...blankDraft(draft.id), kind: 'assistant', name: 'assistant' };
    return this._drafts.length === 1 && areEqual([draft], [begun]);
  }

  private async _findModels(): Promise<string> {
    const { __, _n } = translations();
    const answer = await this._connection.ask<IFindModels>({ t: 'find_models' });
    if (answer.t !== 'found') {
      return answer.t === 'failed' ? answer.why : '';
    }
    if (!answer.names.length) {
      return __('No model server answers on this computer.');
    }
    return _n(
      '%2 offers %1 model. It is in the list.',
      '%2 offers %1 models. They are in the list.',
      answer.names.length,
      answer.server
    );
  }

  private async _create(which: string | null, replace: readonly string[]): Promise<void> {
    const { __, _n } = translations();
    const drafts = this._drafts;
    const answer = await this._connection.ask<ICreate>({ t: 'create', drafts, which, replace });
    if (answer.t === 'asks' && drafts !== this._drafts) {
      return; // it asks about what is typed no more
    }
    if (answer.t === 'asks') {
      this._code.askToReplace(
        answer.replaced,
        variables => void this._create(which, [...replace, ...variables])
      );
    } else if (answer.t === 'failed') {
      this._code.say(answer.why, 'error');
    } else if (answer.t === 'created' && answer.variables.length) {
      const names = answer.variables.join(', ');
      answer.variables.forEach(variable => this._made.add(variable));
      this._code.say(
        _n(
          'Created %2. It is in the notebook now.',
          'Created %2. They are in the notebook now.',
          answer.variables.length,
          names
        ),
        'done'
      );
      this._connection.changed(this._drafts);
    } else {
      this._code.say(__('Nothing was created: there is something to correct in the form.'), 'error');
      this._form?.focus(this._errors(this._checked)[0]?.field ?? 'name');
      this._connection.changed(this._drafts);
    }
  }

  private _newId(): string {
    this._count += 1;
    return `${this._connection.view}-${this._count}`;
  }

  /** A name that no other agent of this form has. */
  private _free(name: string): string {
    const taken = new Set(this._drafts.map(one => one.name));
    this._place?.agents.forEach(one => taken.add(one.name).add(one.variable));
    let [found, n] = [name, 2];
    for (; taken.has(found); n += 1) {
      found = `${name.replace(/_\d+$/, '')}_${n}`;
    }
    return found;
  }
}

function blankDraft(id: string): IDraft {
  const texts = {
    basis: '',
    kind: '',
    name: '',
    variable: '',
    description: '',
    model_name: '',
    kept_model: ''
  };
  const choices = { system_message: null, model: null, human_input_mode: null, code: null };
  return { id, ...texts, ...choices, work_dir: '', timeout: '', max_replies: '', tools: {} };
}

/** Whether drafts say the same, whatever the order of their fields. */
function areEqual(some: readonly IDraft[], others: readonly IDraft[]): boolean {
  return JSON.stringify(some.map(sorted)) === JSON.stringify(others.map(sorted));
}

function sorted(draft: IDraft): [string, unknown][] {
  return Object.entries(draft).sort(([one], [other]) => (one < other ? -1 : 1));
}
