/**
 * Stop, which ends the chat; Interrupt code, which ends only the block that runs; Pause, which becomes Resume, and Step.
 *
 * A question that can be answered with the end of the chat has a button for it. Stop is away meanwhile: there is one way
 * out at a time, and it stands where a person looks. Pause is away, too: a chat that asks waits anyway.
 */

import { leaveToNotebook } from './attention';
import { canEnd } from './card';
import type { Connection } from './connection';
import { h } from './dom';
import { Press } from './press';
import type { IPause, IState } from './protocol';
import { translations } from './strings';

type Shown = Pick<IState, 'is_going_on' | 'activity' | 'questions' | 'pause'>;

export class Controls {
  readonly node = h('span', { class: 'jp-agents-LiveView-controls' });
  readonly #connection: Connection;
  readonly #view: HTMLElement;
  readonly #interrupt: Press;
  readonly #pause: Press;
  readonly #step: Press;
  readonly #stop: Press;
  readonly #all: Readonly<Record<string, Press>>;
  #phase: IPause['phase'] | null = null;
  /** Whether the chat has just come to rest, or goes on. */
  #isNew = false;
  /** The button at which a person is. */
  #at: string | null = null;

  constructor(connection: Connection, view: HTMLElement) {
    this.#connection = connection;
    this.#view = view;
    const words = wordsOfButtons();
    this.#interrupt = new Press(words.interrupt, () => connection.interrupt());
    this.#pause = new Press(words.pause, () => (this.#phase ? connection.resume() : connection.pause()));
    this.#step = new Press(words.step, () => connection.step());
    this.#stop = new Press(words.stop, () => connection.stop());
    this.#all = { interrupt: this.#interrupt, pause: this.#pause, step: this.#step, stop: this.#stop };
    for (const [name, { node }] of Object.entries(this.#all)) {
      node.classList.add(`jp-agents-mod-${name}`);
      node.addEventListener('focus', () => (this.#at = name));
      node.addEventListener('blur', () => this.#left());
      this.node.append(node);
    }
    this.show({ is_going_on: false, activity: null, questions: [], pause: null });
  }

  show(shown: Shown): void {
    const { is_going_on, activity, questions } = shown;
    const isEndOffered = questions.some(one => canEnd(one) && !this.#connection.hasAnswered(one.id));
    this.#showPause(shown);
    this.#put(this.#stop, is_going_on && !isEndOffered);
    this.#put(this.#interrupt, activity?.kind === 'code');
  }

  /** Go on where a person was in the view before, who has gone nowhere else since. */
  takeFocus(): void {
    const active = document.activeElement;
    const isFree = active === null || active === document.body || active.matches('.jp-Notebook');
    if (this.#stop.node.hidden || !this.node.isConnected) {
      return;
    }
    const press = this.#all[this.#connection.takeLeft() ?? ''];
    if (press && isFree) {
      (press.node.hidden ? this.#pause : press).node.focus({ preventScroll: true });
      this.#isNew = true;
    }
    if (this.#isNew && this.node.contains(document.activeElement)) {
      this.node.scrollIntoView?.({ block: 'nearest' }); // who steps by keys sees where
    }
    this.#isNew = false;
  }

  get isEmpty(): boolean {
    return Object.values(this.#all).every(({ node }) => node.hidden);
  }

  /** End. What had the focus is known to the next view; until there is one, the notebook has it. */
  dispose(): void {
    if (this.#at !== null) {
      this.#connection.leaveFrom(this.#at);
    }
    Object.values(this.#all).forEach(press => this.#put(press, false));
  }

  /** A button that is hidden or taken off the page loses the focus without anybody having gone elsewhere. */
  #left(): void {
    setTimeout(() => {
      if (!this.node.contains(document.activeElement) && document.activeElement !== document.body) {
        this.#at = null;
      }
    });
  }

  #showPause({ is_going_on, pause, questions }: Shown): void {
    const phase = (is_going_on && pause?.phase) || null;
    const hasChanged = phase !== this.#phase;
    this.#phase = phase;
    const words = wordsOfButtons();
    this.#pause.say(phase ? words.resume : words.pause);
    this.#isNew = hasChanged;
    if (hasChanged) {
      this.#pause.ready();
      this.#step.ready();
    }
    this.#step.hold(phase === 'stepping');
    this.#put(this.#pause, is_going_on && (phase !== null || questions.length === 0));
    this.#put(this.#step, phase === 'paused' || phase === 'stepping');
  }

  /** A button that goes while it has the focus hands it on: Step to Resume, and others to the notebook. */
  #put(press: Press, isUseful: boolean): void {
    const isLeft = !isUseful && press.node === document.activeElement;
    press.show(isUseful);
    if (isLeft && press === this.#step && !this.#pause.node.hidden) {
      this.#pause.node.focus({ preventScroll: true });
    } else if (isLeft) {
      leaveToNotebook(this.#view);
    }
  }
}

function wordsOfButtons() {
  const { __ } = translations();
  return {
    interrupt: {
      label: __('Interrupt code'),
      title: __('End only the code that runs; the chat goes on'),
      pressed: __('Interrupting…')
    },
    pause: { label: __('Pause'), title: __('Let what is under way come to its end, and rest then') },
    resume: { label: __('Resume'), title: __('Let this chat go on') },
    step: { label: __('Step'), title: __('Let one more message be said, and rest then') },
    stop: { label: __('Stop'), title: __('End this chat'), pressed: __('Stopping…') }
  };
}
