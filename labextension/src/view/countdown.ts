/** The time left for an answer. It is counted by the page, shown every second, and announced three times at most. */

import { h } from './dom';
import { translations } from './strings';

const ANNOUNCED = [30, 10];
/** A new figure from the kernel that is nearer than this to ours is the same countdown, late by the way it took. */
const SAME_S = 1.5;

export class Countdown {
  readonly node = h('span', { class: 'jp-agents-Prompt-countdown', role: 'timer', hidden: true });

  /** `announce` says a sentence to those who do not look. */
  constructor(private readonly announce: (text: string) => void) {}

  /** Whether the time has passed. */
  get isOver(): boolean {
    return this.deadline !== null && this.left <= 0;
  }

  /** `remaining` is in seconds; `consequence` is a clause that says what happens then. */
  start(remaining: number | null, consequence: string): void {
    this.consequence = consequence;
    if (remaining === null) {
      this.stop();
    } else if (remaining !== this.given && Math.abs(this.left - remaining) > SAME_S) {
      this.begin(remaining);
    }
    this.given = remaining;
    this.draw();
  }

  /** Nothing more is asked: the figure goes. */
  stop(): void {
    clearTimeout(this.timer);
    this.deadline = null;
    this.node.hidden = true;
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private begin(remaining: number): void {
    const isFirst = this.deadline === null;
    this.deadline = performance.now() + remaining * 1000;
    this.marks = ANNOUNCED.filter(mark => mark < remaining);
    if (isFirst) {
      this.announce(sentence(this.seconds, this.consequence));
    }
    this.wait();
  }

  private wait(): void {
    clearTimeout(this.timer);
    const untilNextSecond = (this.left * 1000) % 1000 || 1000;
    this.timer = setTimeout(() => this.tick(), untilNextSecond + 5);
  }

  private tick(): void {
    this.draw();
    if (this.marks[0] !== undefined && this.left <= this.marks[0]) {
      this.marks.shift();
      this.announce(sentence(this.seconds, this.consequence));
    }
    if (!this.isOver) {
      this.wait();
    }
  }

  private draw(): void {
    if (this.deadline === null) {
      return;
    }
    this.node.hidden = false;
    this.node.textContent = this.isOver
      ? translations().__('Time is up: %1', this.consequence)
      : sentence(this.seconds, this.consequence);
    this.node.classList.toggle('jp-agents-mod-soon', this.left <= 10);
  }

  private get left(): number {
    return this.deadline === null ? 0 : (this.deadline - performance.now()) / 1000;
  }

  private get seconds(): number {
    return Math.max(0, Math.ceil(this.left - 0.05));
  }

  private consequence = '';
  /** The figure the kernel gave last: when it comes again, it is as old as it was. */
  private given: number | null = null;
  private deadline: number | null = null;
  private marks: number[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
}

function sentence(seconds: number, consequence: string): string {
  return translations().__('In %1: %2', duration(seconds), consequence);
}

/** `45 s`, `2:05`. */
function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes === 0
    ? translations().__('%1 s', seconds)
    : `${minutes}:${String(seconds % 60).padStart(2, '0')}`;
}
