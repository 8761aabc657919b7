/** Copying text, and saying so: to the eye on the button, to a screen reader in a live region. */

import { button, h } from './dom';
import { translations } from './strings';

const REGION = 'jp-agents-announcements';
const SAID_FOR = 2000; // milliseconds

/** Say something to who listens to the page. */
export function announce(text: string): void {
  const region = announcements();
  region.textContent = region.textContent === text ? `${text}\u00a0` : text; // the same text twice is said twice
}

/** One region for the whole page. It has to be there before it says something, or that is not read out. */
function announcements(): HTMLElement {
  const found = document.getElementById(REGION);
  if (found) {
    return found;
  }
  const made = h('div', { id: REGION, class: 'jp-agents-hidden', role: 'status', 'aria-live': 'polite' });
  document.body.append(made);
  return made;
}

/** A button that copies what `text` gives at the time. `name` says what it copies, for who does not see where it is. */
export function copyButton(name: string, text: () => string): HTMLButtonElement {
  const label = translations().__('Copy');
  const made = button(label, () => void copy(), 'jp-agents-quiet');
  made.setAttribute('aria-label', name);
  announcements();
  let timer = 0;
  const copy = async (): Promise<void> => {
    const said = (await toClipboard(text())) ? translations().__('Copied') : translations().__('Cannot copy');
    made.textContent = said;
    announce(said);
    window.clearTimeout(timer);
    timer = window.setTimeout(() => (made.textContent = label), SAID_FOR);
  };
  return made;
}

/** Whether it could be copied: pages that are served without TLS have no clipboard, only the old command. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byCommand(text);
  }
}

function byCommand(text: string): boolean {
  const focused = document.activeElement;
  const area = h('textarea', { class: 'jp-agents-hidden', 'aria-hidden': 'true' });
  area.value = text;
  document.body.append(area);
  area.focus();
  area.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
  }
}
