/** The questions to people in a view: one prompt for each, which outlives whatever else is drawn anew. */

import { giveBack, isTyping, leaveToNotebook, markQuestion } from './attention';
import type { ClosedBy, Connection } from './connection';
import { h } from './dom';
import { isOnScreen } from './follow';
import type { IHost } from './host';
import { createPrompt, type IPrompt } from './prompt';
import type { IAnswer, IQuestion } from './protocol';
import { titleOf } from './reply';
import { translations } from './strings';

/** How long a question that somebody else closed says so. In milliseconds. */
const FAREWELL = 5000;
/** A question may go a moment before it is known who closed it. */
const UNKNOWN_CLOSER = 500;

interface IAsked {
  readonly prompt: IPrompt;
  question: IQuestion;
  isClosed: boolean;
  timer: ReturnType<typeof setTimeout> | null;
  /** What had the focus before the prompt took it. */
  before: Element | null;
}

export class Questions {
  readonly node = h('div', { class: 'jp-agents-Questions' });
  readonly #asked = new Map<string, IAsked>();
  readonly #connection: Connection;
  readonly #host: IHost;
  readonly #announce: (text: string) => void;
  readonly #follow: () => void;
  #shown: readonly IQuestion[] = [];

  /** `follow` scrolls to what has just been drawn, for a reader who follows. */
  constructor(
    connection: Connection,
    host: IHost,
    announce: (text: string) => void,
    follow: () => void = () => undefined
  ) {
    this.#connection = connection;
    this.#host = host;
    this.#announce = announce;
    this.#follow = follow;
  }

  show(questions: readonly IQuestion[]): void {
    if (questions === this.#shown) {
      return;
    }
    this.#shown = questions;
    const open = new Set(questions.map(({ id }) => id));
    for (const [id, asked] of this.#asked) {
      if (!open.has(id) && !asked.isClosed) {
        this.#gone(id, asked);
      }
    }
    questions.forEach(question => this.#update(question));
  }

  closed(id: string, by: ClosedBy): void {
    const asked = this.#asked.get(id);
    if (!asked || asked.isClosed) {
      return;
    }
    asked.isClosed = true;
    this.#rest(asked);
    asked.prompt.closed(by);
    if (by === 'me') {
      this.#remove(id, asked);
    } else {
      this.#announce(closedText(by));
      const isElsewhere = this.#passOn(asked);
      this.#releaseFocus(asked);
      this.#bidFarewell(id, asked, isElsewhere);
    }
  }

  /** What somebody wrote to a question that others closed goes on to the next one of the seat; whether there is one. */
  #passOn(asked: IAsked): boolean {
    const { prompt, question } = asked;
    if (prompt.draft === '' || !prompt.resume) {
      return false;
    }
    const next = [...this.#asked.values()].find(
      other =>
        other !== asked &&
        !this.#isAnswered(other) &&
        other.question.agent === question.agent &&
        other.prompt.resume
    );
    if (next?.prompt.draft === '') {
      next.prompt.resume?.(prompt.draft);
      return true;
    }
    if (!next) {
      this.#connection.keepDraft(question.agent, prompt.draft);
    }
    return false;
  }

  /** What is left of a question goes by itself, unless somebody's words stand in it. */
  #bidFarewell(id: string, asked: IAsked, isElsewhere: boolean): void {
    if (!isElsewhere && asked.prompt.draft !== '' && asked.prompt.offerDismissal) {
      asked.prompt.offerDismissal(() => this.#dismiss(id, asked));
    } else {
      asked.timer = setTimeout(() => this.#remove(id, asked), FAREWELL);
    }
  }

  #dismiss(id: string, asked: IAsked): void {
    if (asked.prompt.resume) {
      this.#connection.takeDraft(asked.question.agent);
    }
    this.#remove(id, asked);
  }

  dispose(): void {
    for (const asked of this.#asked.values()) {
      this.#rest(asked);
      if (!this.#isAnswered(asked)) {
        this.#passOn(asked); // the page may draw the view anew while the question is open
      }
      asked.prompt.dispose();
    }
    this.#asked.clear();
  }

  #update(question: IQuestion): void {
    const asked = this.#asked.get(question.id);
    if (asked?.isClosed) {
      return;
    }
    if (asked) {
      this.#rest(asked);
      asked.question = question;
      asked.prompt.update(question);
    } else {
      this.#ask(question);
    }
  }

  #ask(question: IQuestion): void {
    const prompt = createPrompt(question, this.#host, {
      answer: answer => this.#answer(question.id, answer),
      look: request => this.#connection.look(request),
      leave: () => this.#leave(question.id)
    });
    const asked: IAsked = { prompt, question, isClosed: false, timer: null, before: null };
    this.#asked.set(question.id, asked);
    this.#removeFarewells(question.agent);
    markQuestion(prompt.node, question.id);
    prompt.node.addEventListener('jp-agents:focus', () => this.#focus(asked));
    this.node.append(prompt.node);
    this.#resume(asked);
    this.#follow();
    if (!isTyping() && isOnScreen(this.node)) {
      this.#focus(asked);
    } else {
      this.#announce(translations().__('%1 waits for you: %2', question.agent, titleOf(question)));
    }
  }

  #resume({ prompt, question }: IAsked): void {
    const draft = prompt.resume ? this.#connection.takeDraft(question.agent) : '';
    if (draft !== '') {
      prompt.resume?.(draft);
    }
  }

  #focus(asked: IAsked): void {
    if (!asked.prompt.node.contains(document.activeElement)) {
      asked.before = document.activeElement;
    }
    asked.prompt.focus();
  }

  #answer(id: string, answer: IAnswer): void {
    const asked = this.#asked.get(id);
    if (asked && !asked.isClosed) {
      this.#connection.answer(id, answer);
      this.#releaseFocus(asked);
    }
  }

  #leave(id: string): void {
    const asked = this.#asked.get(id);
    if (asked) {
      leaveToNotebook(this.node);
    }
  }

  /** A question is open no more. If nobody says who closed it, the answer was ours or there was none. */
  #gone(id: string, asked: IAsked): void {
    const by = this.#connection.hasAnswered(id) ? 'me' : 'nobody';
    asked.timer ??= setTimeout(() => this.closed(id, by), by === 'me' ? 0 : UNKNOWN_CLOSER);
  }

  /** Nobody shall type into a question that is closed: the focus goes on to the next one, or back. */
  #releaseFocus(asked: IAsked): void {
    const at = document.activeElement;
    const isHere = asked.prompt.node.contains(at) || at === document.body || at === null;
    if (!isHere) {
      return;
    }
    const next = [...this.#asked.values()].find(other => other !== asked && !this.#isAnswered(other));
    if (next) {
      next.before = asked.before;
      next.prompt.focus();
    } else {
      giveBack(asked.before, this.node);
    }
  }

  #isAnswered(asked: IAsked): boolean {
    return asked.isClosed || this.#connection.hasAnswered(asked.question.id);
  }

  #remove(id: string, asked: IAsked): void {
    if (asked.prompt.node.contains(document.activeElement)) {
      this.#releaseFocus(asked);
    }
    this.#rest(asked);
    asked.prompt.node.remove();
    asked.prompt.dispose();
    this.#asked.delete(id);
  }

  /** The next question of a seat takes the place of what is left of the last one. */
  #removeFarewells(agent: string): void {
    for (const [id, asked] of this.#asked) {
      const isKept = asked.prompt.draft !== '' && !asked.prompt.resume; // these words go nowhere else
      if (asked.isClosed && asked.question.agent === agent && !isKept) {
        this.#remove(id, asked);
      }
    }
  }

  #rest(asked: IAsked): void {
    if (asked.timer !== null) {
      clearTimeout(asked.timer);
    }
    asked.timer = null;
  }
}

function closedText(by: ClosedBy): string {
  const { __ } = translations();
  return by === 'other' ? __('Answered in another window.') : __('The chat went on without an answer.');
}
