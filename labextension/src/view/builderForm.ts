/** The form of one agent. It holds what is typed; what becomes of that is for its owner to know. */

import { ChoiceInput, TextInput, problemNode, section } from './builderFields';
import type { IChoice, IField } from './builderFields';
import { ModelPart } from './builderModel';
import type { IDraft, IKindFacts, IPlace, IProblem } from './builderProtocol';
import { ToolsInput } from './builderTools';
import { button, h } from './dom';
import { translations } from './strings';

export interface IFormWires {
  changed(values: Partial<IDraft>): void;
  /** Look for models on this machine; what came of it, in words. */
  findModels(): Promise<string>;
}

type FieldName = 'kind' | 'name' | 'variable' | 'description' | 'system_message' | 'model' | 'model_name';
type MoreNames = 'human_input_mode' | 'max_replies' | 'code' | 'work_dir' | 'timeout' | 'tools';

export class BuilderForm {
  readonly node: HTMLElement;
  private readonly _whole = h('div', { class: 'jp-agents-Builder-problems' });
  private readonly _usual = h(
    'span',
    { class: 'jp-agents-Builder-hint' },
    translations().__('The default of the role')
  );
  private readonly _restore: HTMLButtonElement;
  private readonly _limits: HTMLElement;
  private readonly _fields: Readonly<Record<FieldName | MoreNames, IField>>;
  private readonly _model: ModelPart;
  private readonly _code: ChoiceInput;
  private readonly _tools: ToolsInput;
  private _place: IPlace | null = null;

  constructor(
    private readonly _kinds: readonly IKindFacts[],
    private readonly _wires: IFormWires
  ) {
    const { __ } = translations();
    const set = (name: keyof IDraft) => (value: string) => _wires.changed({ [name]: value });
    this._restore = button(__('Restore the default'), () => this._restoreMessage(), 'jp-agents-quiet');
    this._tools = new ToolsInput(tools => _wires.changed({ tools }));
    this._model = new ModelPart(__('What answers for it'), {
      model: set('model'),
      name: set('model_name'),
      findModels: () => this._wires.findModels()
    });
    this._code = new ChoiceInput(__('Code that others write'), [], set('code'));
    this._fields = {
      kind: new ChoiceInput(__('Role'), _kinds.map(kindChoice), set('kind')),
      name: new TextInput({
        label: __('Name'),
        hint: __('What others call it in a chat.'),
        changed: set('name')
      }),
      variable: new TextInput({
        label: __('Variable'),
        isCode: true,
        hint: __('Where the notebook keeps it. Empty: made from the name.'),
        changed: set('variable')
      }),
      description: new TextInput({
        label: __('Description'),
        hint: __('What it is for, in a sentence: other agents read it.'),
        changed: set('description')
      }),
      system_message: new TextInput({
        label: __('System message'),
        rows: 7,
        hint: __('The instructions to its model.'),
        beside: h('span', {}, this._usual, this._restore),
        changed: set('system_message')
      }),
      model: this._model.choice,
      model_name: this._model.name,
      human_input_mode: new ChoiceInput(__('When a person is asked'), modeChoices(), set('human_input_mode')),
      max_replies: new TextInput({
        label: __('Automatic replies in a row'),
        inputmode: 'numeric',
        hint: __('At most. Then a person is asked, or the chat ends.'),
        changed: set('max_replies')
      }),
      code: this._code,
      work_dir: new TextInput({
        label: __('Folder'),
        isCode: true,
        hint: __('Empty: where the notebook runs.'),
        changed: set('work_dir')
      }),
      timeout: new TextInput({
        label: __('Time limit in seconds'),
        inputmode: 'decimal',
        hint: __('Empty: none.'),
        changed: set('timeout')
      }),
      tools: this._tools
    };
    this._limits = h(
      'div',
      { class: 'jp-agents-Builder-row' },
      this._fields.work_dir.node,
      this._fields.timeout.node
    );
    this.node = this._layOut();
  }

  /** Show a draft; `variable` is the one it will have. */
  show(draft: IDraft): void {
    const kind = this._kindOf(draft);
    const message = draft.system_message ?? kind.system_message;
    this._code.offer(codeChoices(draft.code === 'deny'));
    const values: Record<FieldName | MoreNames, string> = {
      kind: draft.kind,
      name: draft.name,
      variable: draft.variable,
      description: draft.description,
      system_message: message,
      model: '',
      model_name: '',
      human_input_mode: draft.human_input_mode ?? kind.human_input_mode,
      max_replies: draft.max_replies,
      code: draft.code ?? kind.code,
      work_dir: draft.work_dir,
      timeout: draft.timeout,
      tools: ''
    };
    this._tools.showTools(draft.tools);
    (Object.keys(values) as (keyof typeof values)[]).forEach(name => this._fields[name].show(values[name]));
    this._model.show(draft.model ?? kind.model, draft.model_name, draft.kept_model);
    this._placeholder('max_replies', String(kind.max_replies));
    this._restore.hidden = message === kind.system_message;
    this._usual.hidden = !this._restore.hidden;
    this._limits.hidden = values.code === 'off';
  }

  /** The variable that an agent gets where none is typed. */
  showVariable(variable: string): void {
    this._placeholder('variable', variable);
  }

  setPlace(place: IPlace): void {
    const isOther = JSON.stringify(place.functions) !== JSON.stringify(this._place?.functions);
    this._place = place;
    if (isOther) {
      this._tools.offer(place.functions);
    }
    this._model.setPlace(place);
  }

  /** Say what is wrong with this agent, each at its field. */
  say(problems: readonly IProblem[]): void {
    const names = Object.keys(this._fields) as (FieldName | MoreNames)[];
    for (const name of names) {
      this._fields[name].say(problems.filter(one => one.field === name));
    }
    const others = problems.filter(one => !(names as string[]).includes(one.field));
    this._whole.replaceChildren(...others.map(problemNode));
  }

  focus(name: string): void {
    (this._fields[name as FieldName] ?? this._fields.name).focus();
  }

  private _kindOf(draft: IDraft): IKindFacts {
    const found = this._kinds.find(kind => kind.id === draft.kind) ?? this._kinds[0];
    if (!found) {
      throw new Error('Cannot show an agent: there are no kinds of agents.');
    }
    return found;
  }

  private _layOut(): HTMLElement {
    const { __ } = translations();
    const fields = this._fields;
    const row = (...nodes: HTMLElement[]): HTMLElement =>
      h('div', { class: 'jp-agents-Builder-row' }, ...nodes);
    return h(
      'div',
      { class: 'jp-agents-Builder-form' },
      this._whole,
      section(
        __('Who it is'),
        fields.kind.node,
        row(fields.name.node, fields.variable.node),
        fields.description.node
      ),
      section(__('Instructions'), fields.system_message.node),
      section(__('Model'), fields.model.node, this._model.named),
      section(__('People'), fields.human_input_mode.node, fields.max_replies.node),
      section(__('Running code'), fields.code.node, this._limits),
      section(__('Tools'), fields.tools.node)
    );
  }

  private _restoreMessage(): void {
    this._wires.changed({ system_message: null });
    this._fields.system_message.focus();
  }

  private _placeholder(name: 'variable' | 'max_replies', text: string): void {
    (this._fields[name] as TextInput).control.placeholder = text;
  }
}

/** A kind in words; one that has none yet is called as its class is. */
export function kindName(kind: Pick<IKindFacts, 'id' | 'class_name'>): string {
  const { __ } = translations();
  const names: Record<string, string> = {
    assistant: __('Assistant'),
    user_proxy: __('User proxy'),
    responsive: __('Plain agent')
  };
  return names[kind.id] ?? kind.class_name;
}

function kindChoice(kind: IKindFacts): IChoice {
  const { __ } = translations();
  const hints: Record<string, string> = {
    assistant: __('Solves tasks with a model, and writes code that others run.'),
    user_proxy: __('Stands for you: asks you, and runs code and functions.'),
    responsive: __('Everything can be switched on or off.')
  };
  return { value: kind.id, label: kindName(kind), hint: hints[kind.id] ?? kind.class_name };
}

function modeChoices(): IChoice[] {
  const { __ } = translations();
  return [
    { value: 'NEVER', label: __('Never'), hint: __('It answers by itself.') },
    { value: 'TERMINATE', label: __('At the end'), hint: __('Before a chat ends.') },
    { value: 'ALWAYS', label: __('Always'), hint: __('At every message.') }
  ];
}

function codeChoices(withDeny: boolean): IChoice[] {
  const { __ } = translations();
  const usual = [
    { value: 'off', label: __('Is not run') },
    { value: 'ask', label: __('Runs when you approve'), hint: __('Each block is shown to you first.') },
    { value: 'auto', label: __('Runs without asking'), hint: __('In this kernel, with all your rights.') }
  ];
  return withDeny ? [...usual, { value: 'deny', label: __('Is refused, with the reason') }] : usual;
}
