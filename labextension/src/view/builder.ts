/** The agent builder: its agents and groups, the form of one of them, and the code that makes them all. */

import { BuilderConnection } from './builderConnection';
import type { IBuilderListener, IBuilderWire } from './builderConnection';
import { BuilderCode } from './builderCode';
import {
  areEqual,
  blankDraft,
  blankGroup,
  freeName,
  insertAfter,
  withLoaded,
  withMember,
  without
} from './builderDrafts';
import type { ITyped } from './builderDrafts';
import { BuilderForm } from './builderForm';
import { GroupForm } from './builderGroup';
import { AgentList } from './builderList';
import { createdText, listedOf, picksFor } from './builderWords';
import type { IListed } from './builderList';
import type { IPick } from './builderPicks';
import { BUILDER_PROTOCOL } from './builderProtocol';
import type {
  IChecked,
  ICreate,
  IDraft,
  IFindModels,
  IForm,
  IGroupDraft,
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
  private readonly _shown = h('div'); // the form of what is picked
  private readonly _code: BuilderCode;
  private readonly _list: AgentList;
  private _form: BuilderForm | null = null;
  private _groupForm: GroupForm | null = null;
  private _kinds: readonly IKindFacts[] = [];
  private _typed: ITyped = { drafts: [], groups: [] };
  private _current = '';
  private _checked: IChecked | null = null;
  private _count = 0;
  private _place: IPlace | null = null;
  /** The variables of what this form has made: to make those again surprises nobody. */
  private readonly _made = new Set<string>();

  constructor(wire: IBuilderWire, host: IHost) {
    const { __ } = translations();
    this._connection = new BuilderConnection(wire);
    this._code = new BuilderCode(host, which => void this._create(which, []));
    this._list = new AgentList({
      pick: id => this._pick(id),
      add: () => this._add(),
      addGroup: () => this._addGroup(),
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
    const typed = { drafts: form.drafts, groups: form.groups };
    const isNew = !this._form || !areEqual(typed, this._typed);
    this._kinds = form.kinds;
    this._typed = typed;
    if (!this._form) {
      this._layOut();
    }
    this.placed(form.place);
    this._pick(this._picked ? this._current : (form.drafts[0]?.id ?? ''));
    if (isNew) {
      this._connection.changed(this._typed);
    }
  }

  placed(place: IPlace): void {
    this._place = place;
    this._form?.setPlace(place);
    this._groupForm?.setPlace(place);
    this._list.setAgents(place.agents);
    if (this._picked) {
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
    return this._typed.drafts.find(one => one.id === this._current);
  }

  private get _group(): IGroupDraft | undefined {
    return this._typed.groups.find(one => one.id === this._current);
  }

  private get _picked(): IDraft | IGroupDraft | undefined {
    return this._draft ?? this._group;
  }

  private _layOut(): void {
    this._form = new BuilderForm(this._kinds, {
      changed: values => this._change(values),
      findModels: () => this._findModels()
    });
    this._groupForm = new GroupForm({
      changed: values => this._changeGroup(values),
      addPerson: () => this._addPerson(),
      findModels: () => this._findModels()
    });
    const left = h('div', { class: 'jp-agents-Builder-main' }, this._list.node, this._shown);
    this._body.replaceChildren(left, this._code.node);
  }

  private _errors(answer: IChecked | null): readonly IProblem[] {
    return (answer?.problems ?? []).filter(one => one.draft === this._current && !one.is_note);
  }

  /** Show what is picked, and what the kernel has said of it. */
  private _say(): void {
    const [draft, group, answer] = [this._draft, this._group, this._checked];
    const variable = answer?.variables[this._current] ?? '';
    const problems = (answer?.problems ?? []).filter(one => one.draft === this._current);
    const listed = this._listed();
    this._list.show(listed, this._current, answer?.problems ?? []);
    if (draft) {
      this._form?.show(draft);
      this._form?.showVariable(variable);
      this._form?.say([...problems, ...this._taken(draft, variable)]);
    } else if (group) {
      this._groupForm?.show(group, variable, this._picks(group));
      this._groupForm?.say([...problems, ...this._taken(group, variable)], answer?.groups[group.id] ?? null);
    }
    const form = group ? this._groupForm : this._form;
    if (form && this._shown.firstChild !== form.node) {
      this._shown.replaceChildren(form.node);
    }
    this._code.show(listed, this._current, answer);
  }

  private _listed(): IListed[] {
    return listedOf(this._typed, this._kinds);
  }

  private _picks(group: IGroupDraft, typed = this._typed): IPick[] {
    const variables = Object.values(this._checked?.variables ?? {});
    const there = (this._place?.agents ?? []).filter(one => !variables.includes(one.variable));
    return picksFor(group, listedOf(typed, this._kinds), there);
  }

  /** That an agent of the notebook has this variable already, before anybody asks for leave to replace it. */
  private _taken(draft: IDraft | IGroupDraft, variable: string): readonly IProblem[] {
    const { __ } = translations();
    const isOwn = ('basis' in draft && draft.basis !== '') || this._made.has(variable);
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
    const drafts = this._typed.drafts.map(one => (one.id === this._current ? { ...one, ...values } : one));
    this._setEdited({ ...this._typed, drafts });
  }

  private _changeGroup(values: Partial<IGroupDraft>): void {
    const groups = this._typed.groups.map(one => (one.id === this._current ? { ...one, ...values } : one));
    this._setEdited({ ...this._typed, groups });
  }

  private _setEdited(typed: ITyped): void {
    this._code.say('', 'note');
    this._set(typed, this._current);
  }

  private _set(typed: ITyped, current: string): void {
    this._typed = typed;
    this._code.forgetQuestion();
    this._pick(current);
    this._connection.changed(typed);
  }

  private _add(): void {
    const kind = this._typed.drafts.some(one => one.kind === 'assistant') ? 'user_proxy' : 'assistant';
    const facts = this._kinds.find(one => one.id === kind) ?? this._kinds[0];
    const name = this._free(kind === 'assistant' ? kind : 'user');
    const draft = { ...blankDraft(this._newId()), kind: facts?.id ?? '', name };
    this._set({ ...this._typed, drafts: [...this._typed.drafts, draft] }, draft.id);
    this._form?.focus('name');
  }

  /** A group of all agents of this form: who does not belong there is taken out more easily than put in. */
  private _addGroup(): void {
    const members = this._typed.drafts.map(one => `draft:${one.id}`);
    const group = { ...blankGroup(this._newId()), name: this._free('team'), members };
    this._set({ ...this._typed, groups: [...this._typed.groups, group] }, group.id);
    this._groupForm?.focus('name');
  }

  /** Somebody with a seat of their own in the group: asked at every message, and no code runs in their name. */
  private _addPerson(): void {
    const { __ } = translations();
    const name = this._free('person');
    const person = { ...blankDraft(this._newId()), kind: 'user_proxy', name, code: 'off' };
    const typed = { ...this._typed, drafts: [...this._typed.drafts, person] };
    const groups = typed.groups.map(one => {
      const order = this._picks(one, typed).map(pick => pick.key);
      return one.id === this._current ? withMember(one, `draft:${person.id}`, order) : one;
    });
    this._set({ ...typed, groups }, person.id);
    announce(__('Added %1 to the group. Give this person a name.', name));
    this._form?.focus('name');
  }

  private _duplicate(): void {
    const [draft, group] = [this._draft, this._group];
    if (draft) {
      const copy = { ...draft, id: this._newId(), name: this._free(draft.name), variable: '' };
      this._set({ ...this._typed, drafts: insertAfter(this._typed.drafts, draft, copy) }, copy.id);
      this._form?.focus('name');
    } else if (group) {
      const copy = { ...group, id: this._newId(), name: this._free(group.name), variable: '' };
      this._set({ ...this._typed, groups: insertAfter(this._typed.groups, group, copy) }, copy.id);
      this._groupForm?.focus('name');
    }
  }

  private _remove(): void {
    const { __ } = translations();
    const listed = this._listed();
    const at = listed.findIndex(one => one.id === this._current);
    const [removed, rest] = [listed[at], listed.filter(one => one.id !== this._current)];
    if (removed && rest.some(one => !one.isGroup)) {
      this._set(without(this._typed, removed.id), rest[Math.min(at, rest.length - 1)]?.id ?? '');
      announce(__('Removed %1 from this form.', removed.name));
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
    this._set(withLoaded(this._typed, answer.draft, variable), answer.draft.id);
    announce(__('Loaded %1.', variable));
    this._form?.focus('name');
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
    const { __ } = translations();
    const typed = this._typed;
    const answer = await this._connection.ask<ICreate>({ t: 'create', ...typed, which, replace });
    if (answer.t === 'asks' && typed !== this._typed) {
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
      answer.variables.forEach(variable => this._made.add(variable));
      this._code.say(createdText(answer), 'done');
      this._connection.changed(this._typed);
    } else {
      this._code.say(__('Nothing was created: there is something to correct in the form.'), 'error');
      const form = this._group ? this._groupForm : this._form;
      form?.focus(this._errors(this._checked)[0]?.field ?? 'name');
      this._connection.changed(this._typed);
    }
  }

  private _newId(): string {
    this._count += 1;
    return `${this._connection.view}-${this._count}`;
  }

  /** A name that nothing else of this form or of the notebook has. */
  private _free(name: string): string {
    const taken = new Set(this._listed().map(one => one.name));
    this._place?.agents.forEach(one => taken.add(one.name).add(one.variable));
    return freeName(name, taken);
  }
}
