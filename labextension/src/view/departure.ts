/**
 * Escape leaves what is written on for the notebook, in which letters are commands. In a field in which something stands,
 * only the second one does: the first one may have been meant for a list that was closed already.
 */

import { translations } from './strings';

export class Departure {
  constructor(private readonly tell: (text: string) => void) {}

  /** Whether this key leaves. Every key has to come by here. */
  leaves(event: KeyboardEvent): boolean {
    const isEscape = event.key === 'Escape' && !event.isComposing;
    const isAwaited = isEscape && !event.defaultPrevented;
    const isFirst = isAwaited && !this.wasEscape && isWritten(event.target);
    if (isFirst) {
      event.preventDefault();
      this.tell(translations().__('Escape once more leaves the field; what is written stays.'));
    } else if (this.wasEscape && !isEscape) {
      this.tell('');
    }
    this.wasEscape = isEscape;
    return isAwaited && !isFirst;
  }

  private wasEscape = false;
}

function isWritten(target: EventTarget | null): boolean {
  const isField = target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement;
  return isField && target.value !== '' && !['checkbox', 'radio'].includes(target.type);
}
