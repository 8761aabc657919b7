/** A button that waits for what it asked for. It keeps the focus meanwhile, as `disabled` would not let it. */

import { button } from './dom';

/** When a button that was pressed in vain can be pressed again. In milliseconds. */
const PATIENCE = 3000;

export interface IWords {
  readonly label: string;
  readonly title: string;
  /** What it says while it waits, where that takes long. */
  readonly pressed?: string;
}

export class Press {
  readonly node: HTMLButtonElement;
  #words: IWords;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isHeld = false;

  constructor(words: IWords, press: () => void) {
    this.#words = words;
    this.node = button('', () => this.#pressed(press));
    this.#draw();
  }

  /** Show it, or not. What it has asked for is forgotten when it goes. */
  show(isUseful: boolean): void {
    if (!isUseful) {
      this.ready();
    }
    this.node.hidden = !isUseful;
  }

  /** Say something else. */
  say(words: IWords): void {
    this.#words = words;
    this.#draw();
  }

  /** Let it wait until it is told otherwise. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#draw();
  }

  /** What it has asked for is there. */
  ready(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
    this.#timer = null;
    this.#draw();
  }

  #pressed(press: () => void): void {
    if (this.#timer !== null || this.#isHeld) {
      return;
    }
    this.#timer = setTimeout(() => this.ready(), PATIENCE);
    this.#draw();
    press();
  }

  #draw(): void {
    const { label, title, pressed = label } = this.#words;
    const text = this.#timer === null ? label : pressed;
    if (this.node.textContent !== text) {
      this.node.textContent = text;
    }
    this.node.title = title;
    if (this.#timer !== null || this.#isHeld) {
      this.node.setAttribute('aria-disabled', 'true');
    } else {
      this.node.removeAttribute('aria-disabled');
    }
  }
}
