/** The traceback of code that failed: as it is set, line under line, between the code and what became of it. */

import { h } from './dom';
import { beginning, fold } from './fold';
import { asTerminal } from './terminal';
import { list, record, word } from './values';
import { MESSAGE_MIME } from './protocol';
import { translations } from './strings';

/** What has more lines is folded. */
const MOST_LINES = 30;

/** The traceback in the data of an output; `''` where there is none. */
export function readTraceback(data: Readonly<Record<string, unknown>>): string {
  const found = record(data[MESSAGE_MIME]);
  return found['kind'] === 'error' ? asTerminal(list(found['traceback']).map(word).join('\n')) : '';
}

export function drawTraceback(text: string): HTMLElement {
  const lines = text.trimEnd().split('\n');
  const set = h(
    'pre',
    {
      class: 'jp-agents-Traceback-text',
      tabindex: 0,
      role: 'group',
      'aria-label': translations().__('Traceback')
    },
    text
  );
  const isLong = lines.length > MOST_LINES;
  return h(
    'div',
    { class: 'jp-agents-Traceback' },
    isLong ? fold(beginning(lines.at(-1) ?? ''), text, set) : set
  );
}
