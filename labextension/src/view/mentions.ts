/** Variables that a text names with `@name`, typed in full: they count as attached, as if chosen from the list. */

import type { Look } from './card';

const MENTION = /(?<=^|[\s([{,;:'"`])@([\p{L}_][\p{L}\p{N}_]*)(?![\p{L}\p{N}_@/-]|\.[\p{L}\p{N}_])/gu;
/** A kernel that is busy may not say what it knows: nothing waits for it longer. In milliseconds. */
const PATIENCE = 1500;

/** The names that `text` mentions. */
export function mentionsIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(MENTION)].map(found => found[1] ?? ''))];
}

export class Mentions {
  private readonly known = new Map<string, boolean>();

  constructor(private readonly look: Look) {}

  /** Those of `names` of which it is not known whether they are variables. */
  unknown(names: readonly string[]): readonly string[] {
    return names.filter(name => !this.known.has(name));
  }

  isVariable(name: string): boolean {
    return this.known.get(name) === true;
  }

  /** Ask the kernel; whether it has answered. */
  async learn(names: readonly string[]): Promise<boolean> {
    const answers = await Promise.all(this.unknown(names).map(name => this.ask(name)));
    return answers.every(Boolean);
  }

  /** From now on this name is text, whatever the kernel knows of it. */
  leave(name: string): void {
    this.known.set(name, false);
  }

  /** Variables come and go: for the next message, all is asked for again. */
  forget(): void {
    this.known.clear();
  }

  private async ask(name: string): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>(resolve => (timer = setTimeout(() => resolve(null), PATIENCE)));
    const found = this.look({ prefix: name, text: '', attached: [] }).catch(() => null);
    const seen = await Promise.race([found, late]);
    clearTimeout(timer);
    if (seen) {
      this.known.set(
        name,
        seen.names.some(one => one.name === name)
      );
    }
    return seen !== null;
  }
}
