/** A chat while it goes on: what was said, what is being said, what goes on, and what a person can do about it. */

import { ActivityLine } from './activity';
import { leaveToNotebook } from './attention';
import { grouped } from './clock';
import { createComposer, type IComposerView } from './composer';
import type { ClosedBy, Connection, IListener } from './connection';
import { Controls } from './controls';
import { Dock } from './dock';
import { button, h } from './dom';
import { Follower } from './follow';
import type { IHost } from './host';
import { Items } from './items';
import type { IActivity, IState, Op } from './protocol';
import { Questions } from './questions';
import { Reveal } from './reveal';
import { ShownBelow } from './shownBelow';
import { isResting, Standstill } from './standstill';
import { areStanding } from './standing';
import { translations } from './strings';
import { LiveTurn } from './turn';

/** How long the page may need to put the static form in place of this view. In milliseconds. */
const SWAP = 1000;
/** How much of a finished reply is read aloud. */
const READ_ALOUD = 160;
/** When a request for earlier messages may be made again. In milliseconds. */
const PATIENCE = 3000;

/** Shows the state of a connection in `node`. */
export class LiveView implements IListener {
  readonly node = h('div', {
    class: 'jp-agents-LiveView',
    // JupyterLab looks for this attribute before it takes a key for a shortcut of its own.
    'data-lm-suppress-shortcuts': 'true',
    onkeydown: (event: KeyboardEvent) => this.#keyPressed(event)
  });
  readonly #connection: Connection;
  readonly #host: IHost;
  readonly #earlier = button('', () => this.#showEarlier(), 'jp-agents-LiveView-earlier');
  readonly #items: Items;
  readonly #turns = h('div', { class: 'jp-agents-LiveView-turn' });
  readonly #log: HTMLElement;
  readonly #scroll: HTMLElement;
  readonly #newBelow: HTMLElement;
  readonly #activity = new ActivityLine(() => this.#drawBar());
  readonly #talk = h('span', { class: 'jp-agents-Talk' });
  readonly #standstill = new Standstill();
  readonly #controls: Controls;
  readonly #bar: HTMLElement;
  readonly #dock: Dock;
  readonly #questions: Questions;
  readonly #shownBelow = new ShownBelow();
  readonly #status = h('div', { class: 'jp-agents-LiveView-status', role: 'status' });
  readonly #composerPlace = h('div', { class: 'jp-agents-LiveView-composer' });
  #composer: IComposerView | null = null;
  #turn: LiveTurn | null = null;
  #reveal: Reveal | null = null;
  #follower: Follower;
  #held: (() => void) | null = null;

  constructor(connection: Connection, host: IHost) {
    const { __ } = translations();
    this.#connection = connection;
    this.#host = host;
    this.#items = new Items(host);
    // What is new is said in the status, in a word: a log that reads every word of a stream aloud helps nobody.
    this.#log = h('div', {
      class: 'jp-agents-LiveView-log',
      role: 'log',
      'aria-live': 'off',
      'aria-label': __('Conversation')
    });
    this.#log.append(this.#earlier, this.#items.node, this.#turns);
    this.#scroll = h('div', { class: 'jp-agents-LiveView-scroll' }, this.#log);
    this.#newBelow = button(__('New text below'), () => this.#toEnd(), 'jp-agents-LiveView-newBelow');
    this.#controls = new Controls(connection, this.node);
    this.#bar = h(
      'div',
      {
        class: 'jp-agents-LiveView-bar',
        'data-lm-suppress-shortcuts': 'true',
        onkeydown: (event: KeyboardEvent) => this.#keyPressed(event)
      },
      this.#talk,
      this.#activity.node,
      this.#standstill.node,
      this.#controls.node
    );
    const place = h('div', { class: 'jp-agents-LiveView-barPlace' }, this.#bar);
    this.#dock = new Dock(this.#bar, place, this.node);
    this.#follower = new Follower(this.node, null);
    this.#questions = new Questions(
      connection,
      host,
      text => this.#announce(text),
      () => this.#follower.follow()
    );
    this.#earlier.hidden = this.#newBelow.hidden = this.#bar.hidden = true;
    this.node.append(
      this.#scroll,
      this.#newBelow,
      this.#questions.node,
      place,
      this.#composerPlace,
      this.#status,
      this.#standstill.status
    );
    connection.open(this);
  }

  replaced(state: IState): void {
    this.#items.show(state.items);
    this.#showTurn(state);
    this.#drawRest(state);
  }

  changed(state: IState, ops: readonly Op[]): void {
    for (const op of ops) {
      this.#change(state, op);
    }
    this.#showTurn(state);
    this.#drawRest(state);
  }

  closed(id: string, by: ClosedBy): void {
    this.#questions.closed(id, by);
  }

  /** Hold the height of the output while the page swaps what is in it: were it to shrink, the page would scroll. */
  leaving(): void {
    const area = this.node.closest<HTMLElement>('.jp-OutputArea') ?? this.node.parentElement;
    if (!area || this.#held) {
      return;
    }
    area.style.minHeight = `${area.offsetHeight}px`;
    const timer = setTimeout(() => this.#held?.(), SWAP);
    this.#held = () => {
      clearTimeout(timer);
      area.style.minHeight = '';
      this.#held = null;
    };
  }

  /** End. The height that is held is let go when its time has come: the swap is still to come. */
  dispose(): void {
    this.#connection.dispose();
    this.#follower.dispose();
    this.#activity.dispose();
    this.#controls.dispose();
    this.#dock.dispose();
    this.#questions.dispose();
    this.#items.dispose();
    this.#endTurn();
    this.#composer?.dispose();
    this.node.remove();
  }

  #change(state: IState, op: Op): void {
    if (op.op === 'item' || op.op === 'stream') {
      const changed = op.op === 'item' ? op.item.id : op.id;
      state.items.filter(({ id }) => id === changed).forEach(item => this.#items.put(item));
    } else if (op.op === 'set' && op.values.items) {
      this.#items.show(state.items);
    }
  }

  #showTurn({ live, items, activity }: IState): void {
    const waiting = this.#reveal?.waiting ?? '';
    if (live && this.#turn?.isOf(live, waiting) && this.#reveal) {
      this.#reveal.push(live.text.slice(this.#turn.text.length + waiting.length));
    } else if (live) {
      this.#endTurn();
      this.#beginTurn(new LiveTurn(live, elapsedOf(activity, live.sender), this.#host));
    } else if (this.#turn) {
      this.#reveal?.all();
      this.#announceEnd(this.#turn);
      this.#endTurn();
    }
    this.#log.setAttribute('aria-busy', String(live !== null));
    this.node.classList.toggle('jp-agents-mod-empty', !live && items.length === 0);
  }

  #beginTurn(turn: LiveTurn): void {
    this.#turn = turn;
    this.#reveal = new Reveal(text => turn.append(text));
    this.#turns.replaceChildren(turn.node);
    this.#announce(translations().__('%1 is writing.', turn.sender));
  }

  #endTurn(): void {
    this.#reveal?.dispose();
    this.#turn?.dispose();
    this.#turn = this.#reveal = null;
  }

  #drawRest(state: IState): void {
    this.#talk.dataset['words'] = translations().__('chat %1', state.talk);
    this.#bar.classList.toggle('jp-agents-mod-furtherTalk', state.talk > 1);
    this.#dock.ordinal = state.talk;
    this.#showComposer(state);
    this.#drawEarlier(state);
    this.#activity.show(state.activity, this.#turn?.text ? this.#turn.sender : null);
    this.#standstill.show(state);
    this.#bar.classList.toggle('jp-agents-mod-resting', isResting(state));
    this.#controls.show(state);
    this.#drawBar();
    this.#controls.takeFocus();
    this.#shownBelow.show(this.#items.node, state.questions);
    this.#questions.show(state.questions);
    this.#drawNewBelow();
  }

  #drawBar(): void {
    const { is_going_on } = this.#connection.state;
    this.#dock.place();
    const isNeeded = this.#dock.isAway ? !this.#controls.isEmpty : is_going_on;
    this.#bar.hidden = !isNeeded && !this.#activity.shown;
  }

  #drawEarlier({ earlier: count, items }: IState): void {
    this.#earlier.hidden = count === 0 || areStanding(count, items, this.#items.node);
    this.#earlier.disabled = false;
    const { _n } = translations();
    this.#earlier.textContent = _n(
      'Show %1 earlier message',
      'Show %1 earlier messages',
      count,
      grouped(count)
    );
  }

  #showEarlier(): void {
    this.#earlier.disabled = true;
    setTimeout(() => (this.#earlier.disabled = false), PATIENCE);
    this.#connection.showEarlier();
  }

  #showComposer({ composer }: IState): void {
    if (composer && this.#composer) {
      this.#composer.update(composer);
    } else if (composer) {
      this.#composer = createComposer(composer, this.#host, {
        say: (to, text, attached) => this.#connection.say(to, text, attached),
        look: request => this.#connection.look(request)
      });
      this.#composerPlace.replaceChildren(this.#composer.node);
      this.#becomeChatBox();
    }
  }

  #becomeChatBox(): void {
    this.node.classList.add('jp-agents-mod-chatBox');
    this.#scroll.tabIndex = 0;
    this.#scroll.setAttribute('role', 'region');
    this.#scroll.setAttribute('aria-label', translations().__('Messages'));
    this.#follower.dispose();
    this.#follower = new Follower(this.#log, this.#scroll, () => this.#drawNewBelow());
    this.#follower.toEnd();
  }

  #drawNewBelow(): void {
    this.#newBelow.hidden = this.#composer === null || this.#follower.isAtEnd;
  }

  #toEnd(): void {
    this.#follower.toEnd();
    this.#scroll.focus({ preventScroll: true });
  }

  #announce(text: string): void {
    this.#status.textContent = text;
  }

  #announceEnd(turn: LiveTurn): void {
    const words = turn.text.replace(/\s+/g, ' ').trim();
    const said = words.length > READ_ALOUD ? `${words.slice(0, READ_ALOUD)}…` : words;
    this.#announce(translations().__('%1: %2', turn.sender, said));
  }

  #keyPressed(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === 'Escape' && !event.defaultPrevented && !event.isComposing) {
      leaveToNotebook(this.node);
    }
  }
}

/** For how long a reply has been awaited. */
function elapsedOf(activity: IActivity | null, sender: string): number {
  return activity?.kind === 'model' && activity.agent === sender ? activity.elapsed : 0;
}
