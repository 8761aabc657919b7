/** That a chat comes to rest, or rests, since somebody has paused it: in the line with the buttons, and read aloud. */

import { h } from './dom';
import type { IPause, IState } from './protocol';
import { translations } from './strings';

type Shown = Pick<IState, 'pause' | 'activity' | 'questions'>;

/** Whether nothing goes on any more. Of chats beside each other one may rest while the model of another still writes. */
export function isResting({ pause, activity }: Pick<IState, 'pause' | 'activity'>): boolean {
  const isAsked = activity?.kind === 'model' || activity?.kind === 'retry';
  return pause?.phase === 'paused' && !isAsked;
}

/** What comes next, where that is known. */
export function describeNext({ agent, next }: IPause): string {
  const { __ } = translations();
  switch (agent ? next : '') {
    case 'reply':
      return __('Next to speak: %1', agent);
    case 'code':
      return __('Next to run code: %1', agent);
    case 'tool':
      return __('Next to call tools: %1', agent);
    case 'person':
      return __('Next to be asked: %1', agent);
    default:
      return '';
  }
}

export class Standstill {
  readonly node = h('span', { class: 'jp-agents-Standstill' });
  /** What is read aloud. */
  readonly status = h('div', { class: 'jp-agents-LiveView-status', role: 'status' });
  readonly #word = h('span', { class: 'jp-agents-Standstill-word' });
  readonly #next = h('span', { class: 'jp-agents-Standstill-next' });
  #phase: 'resting' | 'pausing' | null = null;

  constructor() {
    this.node.append(this.#word, this.#next);
    this.node.hidden = true;
  }

  show(shown: Shown): void {
    const { pause } = shown;
    const isAtRest = isResting(shown);
    const phase = isAtRest ? 'resting' : pause && pause.phase !== 'stepping' ? 'pausing' : null;
    const before = this.#phase;
    this.#phase = phase;
    this.node.hidden = phase === null;
    this.node.classList.toggle('jp-agents-mod-resting', isAtRest);
    set(this.#word, phase ? wordOf(phase, shown) : '');
    set(this.#next, pause && isAtRest ? describeNext(pause) : '');
    if (phase !== before) {
      this.#tell(pause);
    }
  }

  #tell(pause: IPause | null): void {
    const { __ } = translations();
    const isStep = pause?.phase === 'stepping'; // what is said is read aloud
    const said = [this.#word.textContent, this.#next.textContent].filter(Boolean).join(' · ');
    this.status.textContent = this.#phase ? said : isStep ? '' : __('The chat goes on.');
  }
}

function wordOf(phase: 'resting' | 'pausing', { questions }: Shown): string {
  const { __ } = translations();
  if (phase === 'resting') {
    return __('Paused');
  }
  return questions.length > 0 ? __('Pausing after the answer…') : __('Pausing after this…');
}

function set(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
