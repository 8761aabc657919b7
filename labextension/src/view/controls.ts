/**
 * Stop, which ends the chat, and Interrupt code, which ends only the block that runs.
 *
 * A question that can be answered with the end of the chat has a button for it. Stop is away meanwhile: there is one way
 * out at a time, and it stands where a person looks.
 */

import { leaveToNotebook } from './attention';
import { canEnd } from './card';
import type { Connection } from './connection';
import { button, h } from './dom';
import type { IState } from './protocol';
import { translations } from './strings';

/** When a button that was pressed in vain can be pressed again. In milliseconds. */
const PATIENCE = 3000;

export class Controls {
  readonly node = h('span', { class: 'jp-agents-LiveView-controls' });
  readonly #connection: Connection;
  readonly #interrupt: Press;
  readonly #stop: Press;

  constructor(connection: Connection, view: HTMLElement) {
    const { __ } = translations();
    this.#connection = connection;
    this.#interrupt = new Press(
      {
        label: __('Interrupt code'),
        title: __('End only the code that runs; the chat goes on'),
        pressed: __('Interrupting…')
      },
      () => connection.interrupt(),
      view
    );
    this.#stop = new Press(
      { label: __('Stop'), title: __('End this chat'), pressed: __('Stopping…') },
      () => connection.stop(),
      view
    );
    this.#stop.node.classList.add('jp-agents-mod-stop');
    this.#interrupt.node.classList.add('jp-agents-mod-interrupt');
    this.node.append(this.#interrupt.node, this.#stop.node);
    this.show({ is_going_on: false, activity: null, questions: [] });
  }

  show({ is_going_on, activity, questions }: Pick<IState, 'is_going_on' | 'activity' | 'questions'>): void {
    const isEndOffered = questions.some(one => canEnd(one) && !this.#connection.hasAnswered(one.id));
    this.#stop.show(is_going_on && !isEndOffered);
    this.#interrupt.show(activity?.kind === 'code');
  }

  get isEmpty(): boolean {
    return this.#stop.node.hidden && this.#interrupt.node.hidden;
  }

  dispose(): void {
    this.#stop.show(false);
    this.#interrupt.show(false);
  }
}

interface IWords {
  readonly label: string;
  readonly title: string;
  readonly pressed: string;
}

/** A button that waits for what it asked for. It keeps the focus meanwhile, as `disabled` would not let it. */
class Press {
  readonly node: HTMLButtonElement;
  readonly #words: IWords;
  readonly #view: HTMLElement;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(words: IWords, press: () => void, view: HTMLElement) {
    this.#words = words;
    this.#view = view;
    this.node = button(words.label, () => this.#pressed(press));
    this.node.title = words.title;
  }

  show(isUseful: boolean): void {
    if (!isUseful) {
      this.#ready();
    }
    if (!isUseful && this.node === document.activeElement) {
      leaveToNotebook(this.#view);
    }
    this.node.hidden = !isUseful;
  }

  #pressed(press: () => void): void {
    if (this.#timer !== null) {
      return;
    }
    this.node.setAttribute('aria-disabled', 'true');
    this.node.textContent = this.#words.pressed;
    this.#timer = setTimeout(() => this.#ready(), PATIENCE);
    press();
  }

  #ready(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    this.#timer = null;
    this.node.removeAttribute('aria-disabled');
    this.node.textContent = this.#words.label;
  }
}
