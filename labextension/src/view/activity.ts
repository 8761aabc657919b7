/** What goes on, in one line: who waits for what, and since when. */

import { duration, everyTick, Stopwatch } from './clock';
import { h } from './dom';
import type { IActivity } from './protocol';
import { translations } from './strings';

/** What lasts less than this is not shown, so that nothing flashes. In seconds. */
const WORTH_SHOWING = 0.5;
/** From when on a number of seconds says something. */
const WORTH_COUNTING = 1;
/** A retry counts down instead; how long a person thinks is nobody's business. */
const UNCOUNTED: readonly IActivity['kind'][] = ['retry', 'person'];

/** Say what goes on `seconds` after it began; `isWriting` when a reply is on its way already. */
export function describeActivity(activity: IActivity, seconds: number, isWriting = false): string {
  const what = doing(activity, seconds, isWriting);
  const isCounted = !isWriting && !UNCOUNTED.includes(activity.kind) && seconds >= WORTH_COUNTING;
  return isCounted ? `${what} · ${duration(seconds)}` : what;
}

function doing(activity: IActivity, seconds: number, isWriting: boolean): string {
  const { __ } = translations();
  const { kind, what } = activity;
  switch (kind) {
    case 'model':
      return isWriting ? __('writing') : what ? aside(what) : __('waiting for the model');
    case 'code':
      return what ? __('running %1', what) : __('running code');
    case 'tool':
      return what ? __('calling %1', what) : __('calling a tool');
    case 'retry':
      return retrying(activity, seconds);
    case 'queue':
      return __('waiting for another block');
    case 'person':
      return __('waiting for you');
  }
}

/** What a model is asked that becomes no message; the kernel says it in English. */
function aside(what: string): string {
  const { __ } = translations();
  const known: Record<string, string> = {
    'choosing who speaks next': __('choosing who speaks next'),
    'summing up': __('summing up')
  };
  return known[what] ?? what;
}

function retrying({ what, elapsed, remaining }: IActivity, seconds: number): string {
  const { __ } = translations();
  const left = remaining === null ? 0 : Math.ceil(remaining - (seconds - elapsed));
  const when = left > 0 ? __('retrying in %1 s', left) : __('retrying');
  return what ? __('%1: %2', when, what) : when;
}

/** The line. It counts by itself between what the kernel says. */
export class ActivityLine {
  readonly node = h('span', { class: 'jp-agents-Activity' });
  readonly #who = h('span', { class: 'jp-agents-Activity-agent' });
  readonly #what = h('span', { class: 'jp-agents-Activity-what' });
  readonly #changed: () => void;
  #shown: IActivity | null = null;
  #next: IActivity | null = null;
  #watch = new Stopwatch(0);
  #due: ReturnType<typeof setTimeout> | null = null;
  #stopTicking: (() => void) | null = null;
  #writer: string | null = null;

  /** `changed` is called when something else, or nothing any more, is shown. */
  constructor(changed: () => void = () => undefined) {
    this.#changed = changed;
    this.node.append(
      h('span', { class: 'jp-agents-Activity-pulse', 'aria-hidden': 'true' }),
      this.#who,
      this.#what
    );
    this.node.hidden = true;
  }

  get shown(): IActivity | null {
    return this.#shown;
  }

  /** Show what goes on as soon as it has lasted long enough. `writer` is the agent whose reply is being written. */
  show(activity: IActivity | null, writer: string | null): void {
    this.#writer = writer;
    if (activity !== this.#next) {
      this.#begin(activity);
    }
    this.#draw();
  }

  dispose(): void {
    this.#forgetDue();
    this.#stopTicking?.();
    this.#stopTicking = null;
  }

  #begin(activity: IActivity | null): void {
    const isSame = isAlike(activity, this.#shown);
    this.#next = activity;
    this.#forgetDue();
    const isAtOnce = isSame || activity?.kind === 'person'; // the question is seen: nothing else goes on any more
    const wait = isAtOnce || !activity ? 0 : Math.max(0, WORTH_SHOWING - activity.elapsed);
    const watch = new Stopwatch(activity?.elapsed ?? 0);
    const isBrief = !activity && this.#shown !== null;
    if (wait === 0 && !isBrief) {
      this.#take(activity, watch);
    } else {
      this.#due = setTimeout(() => this.#take(activity, watch), 1000 * (wait || WORTH_SHOWING));
    }
  }

  #take(activity: IActivity | null, watch: Stopwatch): void {
    this.#shown = activity;
    this.#watch = watch;
    if (activity) {
      this.#stopTicking ??= everyTick(() => this.#draw());
    } else {
      this.#stopTicking?.();
      this.#stopTicking = null;
    }
    this.#draw();
    this.#changed();
  }

  #draw(): void {
    this.node.hidden = this.#shown === null;
    if (this.#shown === null || this.#shown !== this.#next) {
      return; // What has ended is not counted on in the half second until something else is shown.
    }
    const isWriting = this.#writer === this.#shown.agent;
    set(this.#who, isWriting ? '' : this.#shown.agent);
    set(this.#what, describeActivity(this.#shown, this.#watch.seconds, isWriting));
  }

  #forgetDue(): void {
    if (this.#due !== null) {
      clearTimeout(this.#due);
    }
    this.#due = null;
  }
}

function isAlike(one: IActivity | null, other: IActivity | null): boolean {
  return one?.kind === other?.kind && one?.agent === other?.agent && one?.what === other?.what;
}

function set(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
