/** The choice of what answers for an agent, or for the manager of a group: the notebook's model, one by its name, or none. */

import { ChoiceInput, TextInput } from './builderFields';
import type { IChoice } from './builderFields';
import type { IPlace } from './builderProtocol';
import { button, h } from './dom';
import { freshId } from './ids';
import { translations } from './strings';

export interface IModelWires {
  model(choice: string): void;
  name(name: string): void;
  /** Look for models on this machine; what came of it, in words. */
  findModels(): Promise<string>;
}

export class ModelPart {
  readonly choice: ChoiceInput;
  readonly name: TextInput;
  /** What belongs to a model by its name. */
  readonly named: HTMLElement;
  private readonly _list = freshId('models');
  private readonly _names = h('datalist', { id: this._list });
  private _usual = '';
  private _kept = '';
  private _offered = '';

  constructor(
    legend: string,
    private readonly _wires: IModelWires
  ) {
    const { __ } = translations();
    this.choice = new ChoiceInput(legend, [], choice => _wires.model(choice));
    this.name = new TextInput({
      label: __('Name of the model'),
      isCode: true,
      list: this._list,
      changed: name => _wires.name(name)
    });
    this.named = this._namedPart();
  }

  setPlace(place: IPlace): void {
    const options = place.models.map(one => h('option', { value: one.name }, modelSource(one.source)));
    this._names.replaceChildren(...options);
    this._usual = place.default_model;
    this._offer();
  }

  /** `kept` is the model of an agent that was loaded, in words. */
  show(choice: string, name: string, kept = ''): void {
    this._kept = kept;
    this._offer();
    this.choice.show(choice);
    this.name.show(name);
    this.named.hidden = choice !== 'named';
  }

  private _offer(): void {
    const choices = modelChoices(this._usual, this._kept);
    const offered = JSON.stringify(choices);
    if (offered !== this._offered) {
      this._offered = offered;
      this.choice.offer(choices);
    }
  }

  private _namedPart(): HTMLElement {
    const { __ } = translations();
    const said = h('span', { class: 'jp-agents-Builder-hint', role: 'status' });
    const look = button(__('Look for models on this computer'), () => void find());
    const find = async (): Promise<void> => {
      said.textContent = __('Looking…');
      said.textContent = await this._wires.findModels();
    };
    const row = h('div', { class: 'jp-agents-Builder-looking' }, look, said);
    return h('div', { class: 'jp-agents-Builder-named' }, this.name.node, this._names, row);
  }
}

function modelChoices(usual: string, kept: string): IChoice[] {
  const { __ } = translations();
  const hint = usual ? __('Now: %1', usual) : __('None is configured: one on this computer is looked for.');
  const choices = [
    { value: 'default', label: __('The model of the notebook'), hint },
    { value: 'named', label: __('A model by its name') },
    { value: 'none', label: __('No model') }
  ];
  return kept ? [...choices, { value: 'kept', label: __('The model it has'), hint: kept }] : choices;
}

function modelSource(source: string): string {
  const { __ } = translations();
  const words: Record<string, string> = {
    configured: __('configured in this notebook'),
    environment: __('from the environment'),
    agent: __('used by an agent here'),
    local: __('on this computer')
  };
  return words[source] ?? '';
}
