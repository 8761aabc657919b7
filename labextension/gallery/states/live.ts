/** A chat while it goes on: what a person sees while somebody writes, waits, runs code or is asked. */

import { question } from '../../src/__tests__/asking';
import { EMPTY } from '../../src/__tests__/wire';
import type { IWire } from '../../src/view/connection';
import { Connection } from '../../src/view/connection';
import { h } from '../../src/view/dom';
import { LiveView } from '../../src/view/live';
import { drawMessage } from '../../src/view/messageView';
import type {
  FromKernel,
  IActivity,
  IBundle,
  IItem,
  IPause,
  IQuestion,
  IState
} from '../../src/view/protocol';
import type { IGalleryState } from '../page';
import bundles from '../../../build/gallery/bundles.json';

const SAVED = bundles.Conversation as unknown as readonly IBundle[];
const ITEMS: readonly IItem[] = SAVED.slice(0, 2).map((bundle, id) => ({ id, kind: 'bundle', bundle }));
const PRINTED: IItem = {
  id: 9,
  kind: 'output',
  bundle: {
    data: {
      'application/vnd.jupyter.stdout': 'epoch 1  loss 0.6931\nepoch 2  loss 0.4127\nepoch 3  loss 0.3358\n'
    },
    metadata: {}
  }
};
const TEXT = `Gentoo penguins are **by far the heaviest**; the other two are alike.

| Species | n | Mean (g) |
|:--|--:|--:|
| Adelie | 146 | 3,706.2 |
| Gentoo | 119 | 5,092.4 |

I would now look at the *bill lengths*, because`;
const REPLY = question();
const APPROVAL: Partial<IQuestion> = {
  id: 'q2',
  kind: 'approval',
  text: 'Run this code?',
  code: 'penguins = penguins.dropna()\npenguins.groupby("species")["body_mass_g"].mean()\n',
  facts: { reads: ['penguins'], sets: ['penguins'], deletes: [], notes: [] }
};
const LIVE = {
  sender: 'assistant',
  recipient: 'user_proxy',
  colour: 1,
  depth: 0,
  label: '',
  talk: 1,
  text: TEXT
};

export const states: readonly IGalleryState[] = [
  { name: 'live: waiting for the model', draw: () => live({ activity: doing('model', 7) }) },
  { name: 'live: streaming', draw: () => live({ live: LIVE, activity: doing('model', 4) }) },
  {
    name: 'live: retry',
    draw: () => live({ activity: { ...doing('retry', 1, 'rate limit of the server'), remaining: 18 } })
  },
  {
    name: 'live: code running',
    draw: () => live({ items: [...ITEMS, PRINTED], activity: doing('code', 83, 'python', 'user_proxy') })
  },
  { name: 'live: tool running', draw: () => live({ activity: doing('tool', 12, 'look_up', 'user_proxy') }) },
  { name: 'live: another block runs', draw: () => live({ activity: doing('queue', 5, '', 'user_proxy') }) },
  { name: 'live: stopping', draw: () => stopping() },
  {
    name: 'live: pausing',
    draw: () => live({ activity: doing('code', 83, 'python', 'user_proxy'), pause: paused('pausing') })
  },
  { name: 'live: paused', draw: () => live({ pause: paused('paused', 'assistant') }) },
  {
    name: 'live: stepping',
    draw: () => live({ live: LIVE, activity: doing('model', 4), pause: paused('stepping') })
  },
  { name: 'live: a question', draw: () => live({ questions: [REPLY] }) },
  { name: 'live: approval', draw: () => live({ questions: [{ ...REPLY, ...APPROVAL }] }) },
  {
    name: 'live: several seats',
    draw: () =>
      live({
        questions: [
          { ...REPLY, agent: 'author', remaining: 240 },
          { ...REPLY, id: 'q3', agent: 'reviewer', sender: 'author' }
        ]
      })
  },
  { name: 'live: dead', draw: () => [...saved(1), h('p', { class: 'jp-agents-Slot-remark' }, DEAD)] },
  { name: 'chat box: empty', draw: () => box({ items: [], is_going_on: false }) },
  { name: 'chat box: talking', draw: () => box({ items: [...SAVED.slice(0, 1).map(toItem)], earlier: 14 }) },
  {
    name: 'chat box: busy',
    draw: () => box({ items: [], live: LIVE, activity: doing('model', 4) }, true)
  }
];
const DEAD = 'This turn was still under way when it was last heard of.';

function toItem(bundle: IBundle, id: number): IItem {
  return { id, kind: 'bundle', bundle };
}

function saved(count: number): HTMLElement[] {
  return SAVED.slice(0, count).map(bundle => drawMessage(bundle, {}));
}

function doing(kind: IActivity['kind'], elapsed: number, what = '', agent = 'assistant'): IActivity {
  return { kind, agent, what, elapsed, remaining: null };
}

function paused(phase: IPause['phase'], agent = ''): IPause {
  return { phase, agent, next: agent && 'reply' };
}

/** A view whose kernel says this once, and nothing more. */
function live(values: Partial<IState>): HTMLElement[] {
  const state = { ...EMPTY, items: ITEMS.slice(1), ...values };
  const wire: IWire = {
    send: () => undefined,
    listen: heard => {
      const said: FromKernel = { t: 'state', seq: 0, to: null, slot: null, state };
      queueMicrotask(() => heard(said));
      return () => undefined;
    }
  };
  return [new LiveView(new Connection(wire), { insertCell: () => undefined }).node];
}

function box(values: Partial<IState>, is_busy = false): HTMLElement[] {
  return live({ ...values, composer: { agents: ['assistant', 'coder', 'critic'], is_busy } });
}

function stopping(): HTMLElement[] {
  const nodes = live({ live: LIVE, activity: doing('model', 4) });
  // A button that was pressed in vain can be pressed again after a while: here it is.
  setInterval(() => nodes[0]?.querySelector<HTMLElement>('.jp-agents-mod-stop')?.click(), 50);
  return nodes;
}
