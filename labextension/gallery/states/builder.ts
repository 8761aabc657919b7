/** The form that makes agents and groups: empty, with a mistake, with tools and several agents, with a group. */

import { BuilderView } from '../../src/view/builder';
import { BUILDER_PROTOCOL } from '../../src/view/builderProtocol';
import type {
  FromBuilder,
  IDraft,
  IForm,
  IGroupDraft,
  IGroupFacts,
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
      called: 'get_weather',
      signature: '(city: str, days: int = 3) -> str',
      doc: 'The weather in a city for some days.',
      untyped: [],
      is_own: true
    },
    {
      name: 'plot',
      called: 'plot',
      signature: '(data, title=…)',
      doc: '',
      untyped: ['data', 'title'],
      is_own: true
    }
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
const TEAM: IGroupDraft = {
  id: 'g',
  name: 'team',
  variable: '',
  members: ['draft:a', 'variable:critic', 'draft:b'],
  method: 'auto',
  max_round: '12',
  admin: 'draft:b',
  transitions: 'allowed',
  graph: {
    'draft:a': ['variable:critic'],
    'variable:critic': ['draft:a', 'draft:b'],
    'draft:b': ['draft:a']
  },
  introductions: true,
  model: null,
  model_name: ''
};
const TEAM_FACTS: IGroupFacts = {
  names: ['Weather analyst', 'critic', 'me'],
  edges: [
    ['Weather analyst', 'critic'],
    ['critic', 'Weather analyst'],
    ['critic', 'me'],
    ['me', 'Weather analyst']
  ],
  words: 'After Weather analyst: critic. After critic: Weather analyst, me. After me: Weather analyst.',
  seats: ['me']
};
const GROUP_CODE = `from jupyter_agents import GroupChat, GroupChatManager

team = GroupChatManager(
    GroupChat(
        [weather_analyst, critic, me],
        max_round=12,
        admin_name="me",
        allowed_or_disallowed_speaker_transitions={
            weather_analyst: [critic],
            critic: [weather_analyst, me],
            me: [weather_analyst],
        },
        speaker_transitions_type="allowed",
        send_introductions=True,
    ),
    name="team",
)
`;
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
  { name: 'builder: a group', draw: () => builder([DRAFT, ME], FULL, GROUP_CODE, [], [TEAM]) },
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
  problems: readonly IProblem[] = [],
  groups: readonly IGroupDraft[] = []
): HTMLElement[] {
  let tell: (message: FromBuilder) => void = () => undefined;
  const view = new BuilderView(
    {
      send: message => {
        if (message.t === 'hello') {
          const facts = { version: BUILDER_PROTOCOL, kinds: KINDS, place, drafts, groups };
          const form: IForm = { t: 'form', to: message.view, ...facts };
          queueMicrotask(() => {
            tell(form);
            if (groups.length) choose(view.node, 'team');
          });
        } else if (message.t === 'check') {
          const variables = { a: 'weather_analyst', b: 'me', g: 'team' };
          const known: Record<string, IGroupFacts> = groups.length ? { g: TEAM_FACTS } : {};
          const facts = { problems, variables, code, left_out: [], groups: known };
          queueMicrotask(() => tell({ t: 'checked', to: message.view, ask: message.ask, ...facts }));
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

/** Press the agent or group of this name in the list. */
function choose(form: HTMLElement, name: string): void {
  [...form.querySelectorAll('button')].find(one => one.textContent?.includes(name))?.click();
}
