/** Tells a person who looks elsewhere that a chat waits for an answer. */

import { Notification } from '@jupyterlab/apputils';

import { type IPersonNeeded, PERSON_ANSWERED, PERSON_NEEDED } from './view/attention';
import { translations } from './view/strings';

/** Brings the place of a question onto the page, where it is scrolled out of it or in another tab. */
export type Reveal = (question: string) => Promise<void>;

/** How much of a question a notification shows: JupyterLab cuts at 140 characters, agent's name included. */
const LENGTH = 100;
/** How long a question may take to be drawn once its place is in sight, and how often to look. In milliseconds. */
const PATIENCE = 5000;
const INTERVAL = 50;

export class PersonNotifications {
  private readonly shown = new Map<string, string>();

  constructor(private readonly reveal: Reveal) {
    document.addEventListener(PERSON_NEEDED, this.onNeeded);
    document.addEventListener(PERSON_ANSWERED, this.onAnswered);
  }

  dispose(): void {
    document.removeEventListener(PERSON_NEEDED, this.onNeeded);
    document.removeEventListener(PERSON_ANSWERED, this.onAnswered);
    [...this.shown.keys()].forEach(id => this.dismiss(id));
  }

  private readonly onNeeded = (event: Event): void => {
    const question = (event as CustomEvent<IPersonNeeded>).detail;
    if (this.shown.has(question.id) || isInSight(question.id)) {
      return;
    }
    const trans = translations();
    const message = trans.__('%1 waits for you: %2', question.agent, beginning(question.text));
    const action = {
      label: trans.__('Go to the question'),
      callback: () => void this.goTo(question),
      displayType: 'accent' as const
    };
    this.shown.set(question.id, Notification.emit(message, 'info', { autoClose: false, actions: [action] }));
  };

  private async goTo(question: IPersonNeeded): Promise<void> {
    this.shown.delete(question.id); // JupyterLab closes a notification when its action is taken
    await this.reveal(question.id);
    await opened(question);
  }

  private readonly onAnswered = (event: Event): void => {
    this.dismiss((event as CustomEvent<Pick<IPersonNeeded, 'id'>>).detail.id);
  };

  private dismiss(id: string): void {
    const notification = this.shown.get(id);
    if (notification !== undefined) {
      this.shown.delete(id);
      Notification.dismiss(notification);
    }
  }
}

/** The selector of the prompt of a question. */
export function promptOf(question: string): string {
  return `[data-jp-agents-question="${CSS.escape(question)}"]`;
}

/** Open a question as soon as it is on the page: a view that was out of sight is drawn now. */
async function opened(question: IPersonNeeded): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!question.open() && Date.now() < end) {
    await new Promise(resolve => setTimeout(resolve, INTERVAL));
  }
}

/** Whether a prompt is on the page, in the part of it that is shown, in a window that is shown. */
function isInSight(question: string): boolean {
  const prompt = document.querySelector(promptOf(question));
  const box = prompt?.getBoundingClientRect();
  if (document.hidden || !prompt || !box?.height) {
    return false;
  }
  const top = Math.max(box.top, 0);
  const bottom = Math.min(box.bottom, window.innerHeight);
  const found = document.elementFromPoint(box.left + box.width / 2, (top + bottom) / 2);
  return bottom > top && found !== null && prompt.contains(found);
}

function beginning(text: string): string {
  const words = text.replace(/\s+/g, ' ').trim();
  return words.length > LENGTH ? `${words.slice(0, LENGTH)}…` : words;
}
