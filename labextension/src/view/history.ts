/** What was written before on this page, by seat. It lives in memory only: what people type is never saved. */

const MOST = 100;
const LONGEST = 100_000;
const written = new Map<string, string[]>();

export class TextHistory {
  constructor(private readonly seat: string) {}

  add(text: string): void {
    const past = this.past;
    if (text !== '' && text.length <= LONGEST && past.at(-1) !== text) {
      past.push(text);
      past.splice(0, past.length - MOST);
    }
    this.at = null;
  }

  /** The text before the one that is shown, or `null` at the first one. `current` is kept to come back to. */
  older(current: string): string | null {
    if (this.at === null) {
      this.draft = current;
    }
    const at = (this.at ?? this.past.length) - 1;
    if (at < 0) {
      return null;
    }
    this.at = at;
    return this.past[at] ?? null;
  }

  /** The text after the one that is shown; after the last one, what was being written. */
  newer(): string | null {
    if (this.at === null) {
      return null;
    }
    const at = this.at + 1;
    this.at = at < this.past.length ? at : null;
    return this.past[at] ?? this.draft;
  }

  private get past(): string[] {
    const past = written.get(this.seat) ?? [];
    written.set(this.seat, past);
    return past;
  }

  private at: number | null = null;
  private draft = '';
}
