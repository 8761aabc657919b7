/** The form of one group: who is in it, who speaks next, and who may speak after whom. */

import { transitionsDiagram } from './builderDiagram';
import { withMember, withTransitions, withoutMember } from './builderDrafts';
import { ChoiceInput, TextInput, problemNode, section } from './builderFields';
import type { IChoice, IField } from './builderFields';
import { TransitionMatrix } from './builderMatrix';
import { ModelPart } from './builderModel';
import { CheckInput, PickList, SelectInput } from './builderPicks';
import type { IPick } from './builderPicks';
import type { IGroupDraft, IGroupFacts, IPlace, IProblem } from './builderProtocol';
import { button, h } from './dom';
import { translations } from './strings';

export interface IGroupWires {
  changed(values: Partial<IGroupDraft>): void;
  /** Make somebody whom the group asks, and put them into it. */
  addPerson(): void;
  findModels(): Promise<string>;
}

type GroupField =
  'name' | 'variable' | 'members' | 'method' | 'max_round' | 'admin' | 'transitions' | 'model';

export class GroupForm {
  readonly node: HTMLElement;
  private readonly _whole = h('div', { class: 'jp-agents-Builder-problems' });
  private readonly _seats = h('p', { class: 'jp-agents-Builder-hint' });
  private readonly _picture = h('div');
  private readonly _words = h('p', { class: 'jp-agents-Builder-hint' });
  private readonly _model: ModelPart;
  private readonly _members: PickList;
  private readonly _admin: SelectInput;
  private readonly _introductions: CheckInput;
  private readonly _matrix: TransitionMatrix;
  private readonly _name: TextInput;
  private readonly _variable: TextInput;
  private readonly _rounds: TextInput;
  private readonly _fields: Readonly<Record<GroupField, IField>>;
  private _draft: IGroupDraft | null = null;
  private _order: readonly string[] = [];
  private _drawn = '';

  constructor(private readonly _wires: IGroupWires) {
    const { __ } = translations();
    const set = (name: keyof IGroupDraft) => (value: string) => _wires.changed({ [name]: value });
    this._model = new ModelPart(__('What chooses the speaker'), {
      model: set('model'),
      name: set('model_name'),
      findModels: () => _wires.findModels()
    });
    this._members = new PickList(
      __('Agents of this form and of the notebook'),
      __('No agents yet. Add one above.'),
      (key, isOn) => this._toggle(key, isOn)
    );
    this._admin = new SelectInput(
      __('After an interrupt'),
      __('Who has the word when you interrupt the kernel.'),
      set('admin')
    );
    this._introductions = new CheckInput(
      __('Begin with introductions'),
      __('Everybody hears first who is there, and what for.'),
      introductions => _wires.changed({ introductions })
    );
    this._matrix = new TransitionMatrix(graph => _wires.changed({ graph }));
    this._name = new TextInput({
      label: __('Name'),
      hint: __('What its manager, with whom you talk, is called.'),
      changed: set('name')
    });
    this._variable = new TextInput({
      label: __('Variable'),
      isCode: true,
      hint: __('Where the notebook keeps the manager. Empty: made from the name.'),
      changed: set('variable')
    });
    this._rounds = new TextInput({
      label: __('Messages at most'),
      inputmode: 'numeric',
      hint: __('The opening one included.'),
      changed: set('max_round')
    });
    this._fields = {
      name: this._name,
      variable: this._variable,
      members: this._members,
      method: new ChoiceInput(__('Who speaks next'), methodChoices(), set('method')),
      max_round: this._rounds,
      admin: this._admin,
      transitions: new ChoiceInput(__('Who may speak after whom'), transitionChoices(), kind =>
        this._setTransitions(kind)
      ),
      model: this._model.choice
    };
    this._rounds.control.placeholder = '10';
    this.node = this._layOut();
  }

  /** Show a group; `picks` are all who can be in it. */
  show(draft: IGroupDraft, variable: string, picks: readonly IPick[]): void {
    this._draft = draft;
    const lost = draft.members.filter(key => picks.every(one => one.key !== key)).map(lostPick);
    const members = [...picks, ...lost].filter(one => draft.members.includes(one.key));
    this._order = [...picks, ...lost].map(one => one.key);
    this._members.showPicks([...picks, ...lost], draft.members);
    this._admin.offer([['', usualAdmin(members)], ...members.map(one => [one.key, one.name] as const)]);
    (['name', 'variable', 'method', 'max_round', 'admin', 'transitions'] as const).forEach(name =>
      this._fields[name].show(draft[name])
    );
    this._introductions.show(draft.introductions);
    this._variable.control.placeholder = variable;
    this._model.show(draft.model ?? (draft.method === 'auto' ? 'default' : 'none'), draft.model_name);
    this._showMatrix(draft, members);
  }

  setPlace(place: IPlace): void {
    this._model.setPlace(place);
  }

  /** Say what is wrong with this group, each at its field; and draw it where it is valid. */
  say(problems: readonly IProblem[], facts: IGroupFacts | null): void {
    const names = Object.keys(this._fields) as GroupField[];
    names.forEach(name => this._fields[name].say(problems.filter(one => one.field === name)));
    const others = problems.filter(one => !(names as string[]).includes(one.field));
    this._whole.replaceChildren(...others.map(problemNode));
    const drawn = JSON.stringify(facts);
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this._draw(facts);
    }
  }

  focus(name: string): void {
    (this._fields[name as GroupField] ?? this._name).focus();
  }

  private _draw(facts: IGroupFacts | null): void {
    const { __ } = translations();
    const picture = facts && transitionsDiagram(facts);
    this._picture.replaceChildren(...(picture ? [picture] : []));
    this._words.textContent = facts?.words ?? '';
    this._seats.textContent = facts?.seats.length
      ? __('Seats of people: %1. A question says who is asked, and by whom.', facts.seats.join(', '))
      : '';
  }

  private _showMatrix(draft: IGroupDraft, members: readonly IPick[]): void {
    const hasGraph = draft.transitions === 'allowed' || draft.transitions === 'disallowed';
    this._matrix.node.hidden = !hasGraph || members.length === 0;
    if (hasGraph) {
      this._matrix.show({ members, graph: draft.graph, isAllowing: draft.transitions === 'allowed' });
    }
  }

  private _toggle(key: string, isOn: boolean): void {
    const draft = this._draft;
    if (draft) {
      this._wires.changed(isOn ? withMember(draft, key, this._order) : withoutMember(draft, key));
    }
  }

  private _setTransitions(kind: string): void {
    if (this._draft) {
      this._wires.changed(withTransitions(this._draft, kind));
    }
  }

  private _layOut(): HTMLElement {
    const { __ } = translations();
    const fields = this._fields;
    const row = (...nodes: HTMLElement[]): HTMLElement =>
      h('div', { class: 'jp-agents-Builder-row' }, ...nodes);
    const person = h(
      'div',
      { class: 'jp-agents-Builder-looking' },
      button(__('Add a person'), () => this._wires.addPerson()),
      this._seats
    );
    return h(
      'div',
      { class: 'jp-agents-Builder-form' },
      this._whole,
      section(__('The group'), row(this._name.node, this._variable.node)),
      section(__('Who is in it'), fields.members.node, person),
      section(
        __('Order'),
        fields.method.node,
        row(this._rounds.node, this._admin.node),
        this._introductions.node
      ),
      section(__('Transitions'), fields.transitions.node, this._matrix.node, this._picture, this._words),
      section(__('Model'), this._model.choice.node, this._model.named)
    );
  }
}

/** Who has the word after an interrupt where nobody is chosen: the classic name has it. */
function usualAdmin(members: readonly IPick[]): string {
  const admin = members.find(one => one.name === 'Admin');
  return admin ? admin.name : translations().__('Nobody: the chat ends');
}

function lostPick(key: string): IPick {
  const name = key.slice(key.indexOf(':') + 1);
  return { key, name, about: translations().__('not there any more') };
}

function methodChoices(): IChoice[] {
  const { __ } = translations();
  return [
    { value: 'auto', label: __('A model chooses'), hint: __('It reads what was said.') },
    { value: 'round_robin', label: __('In turns'), hint: __('In the order above.') },
    { value: 'random', label: __('At random') },
    { value: 'manual', label: __('You choose'), hint: __('You are asked every time.') }
  ];
}

function transitionChoices(): IChoice[] {
  const { __ } = translations();
  return [
    { value: '', label: __('Anybody after anybody') },
    { value: 'no_repeat', label: __('Nobody twice in a row') },
    { value: 'allowed', label: __('Only those that are ticked') },
    { value: 'disallowed', label: __('All but those that are ticked') }
  ];
}
