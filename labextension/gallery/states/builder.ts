/** The form that makes agents: empty, with a mistake, with tools and several agents. */

import { BuilderView } from '../../src/view/builder';
import type {
  FromBuilder,
  IDraft,
  IForm,
  IKindFacts,
  IPlace,
  IProblem
} from '../../src/view/builderProtocol';
import type { IGalleryState } from '../page';

const KINDS: readonly IKindFacts[] = [
  {
    id: 'assistant',
    class_name: 'AssistantAgent',
    system_message: 'You are a helpful AI assistant.\nSolve tasks using your coding and language skills.',
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
const EMPTY: IPlace = { agents: [], functions: [], models: [], default_model: '' };
const FULL: IPlace = {
  agents: [{ variable: 'critic', name: 'critic', class_name: 'AssistantAgent', why: '' }],
  functions: [
    {
      name: 'get_weather',
      signature: '(city: str, days: int = 3) -> str',
      doc: 'The weather in a city for some days.',
      untyped: [],
      is_own: true
    },
    { name: 'plot', signature: '(data, title=…)', doc: '', untyped: ['data', 'title'], is_own: true }
  ],
  models: [{ name: 'gpt-4o', source: 'configured' }],
  default_model: 'gpt-4o'
};
const DRAFT: IDraft = {
  id: 'a',
  basis: '',
  kind: 'assistant',
  name: 'Weather analyst',
  variable: '',
  description: '',
  system_message: 'You look at the weather.\nSay so in one line.',
  model: null,
  model_name: '',
  kept_model: '',
  human_input_mode: null,
  code: null,
  work_dir: '',
  timeout: '',
  max_replies: '',
  tools: { get_weather: 'get_weather' }
};
const ME: IDraft = { ...DRAFT, id: 'b', kind: 'user_proxy', name: 'me', system_message: null, tools: {} };
const CODE = `from jupyter_agents import AssistantAgent

weather_analyst = AssistantAgent(
    "Weather analyst",
    system_message="You look at the weather.\\nSay so in one line.",
    function_map={"get_weather": get_weather},
)
`;
const MISTAKE: IProblem = {
  draft: 'a',
  field: 'variable',
  text: 'Cannot use "class": it is a word of Python. Choose another name.',
  is_note: false
};

export const states: readonly IGalleryState[] = [
  {
    name: 'builder: empty',
    draw: () => builder([{ ...DRAFT, name: '', system_message: null, tools: {} }], EMPTY, '')
  },
  { name: 'builder: several agents, tools', draw: () => builder([DRAFT, ME], FULL, CODE) },
  {
    name: 'builder: mistakes',
    draw: () => builder([{ ...DRAFT, variable: 'class' }, ME], FULL, '', [MISTAKE])
  }
];

/** A form whose kernel says what it holds, and answers every check alike. */
function builder(
  drafts: readonly IDraft[],
  place: IPlace,
  code: string,
  problems: readonly IProblem[] = []
): HTMLElement[] {
  let tell: (message: FromBuilder) => void = () => undefined;
  const view = new BuilderView(
    {
      send: message => {
        if (message.t === 'hello') {
          const form: IForm = { t: 'form', to: message.view, version: 1, kinds: KINDS, place, drafts };
          queueMicrotask(() => tell(form));
        } else if (message.t === 'check') {
          const variables = { a: 'weather_analyst', b: 'me' };
          const { view: to, ask } = message;
          queueMicrotask(() => tell({ t: 'checked', to, ask, problems, variables, code, left_out: [] }));
        }
      },
      listen: heard => {
        tell = heard;
        return () => undefined;
      }
    },
    { insertCell: () => undefined }
  );
  return [view.node];
}
