/** Outputs of code within a view: as the page draws them where it can, else their picture or their text. */

import { h } from './dom';
import type { IHost } from './host';
import type { IBundle } from './protocol';
import { translations } from './strings';
import { drawTraceback, readTraceback } from './traceback';

const PICTURES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const BASE64 = /^[A-Za-z0-9+/=\s]+$/;

/** An output. Only what the person's own kernel showed in this very page is `trusted`. */
export function drawOutput(bundle: IBundle, host: IHost, trusted = false): HTMLElement {
  const traceback = readTraceback(bundle.data);
  if (traceback) {
    return drawTraceback(traceback);
  }
  const drawn = host.renderOutput?.(bundle, trusted) ?? drawPicture(bundle) ?? drawText(bundle);
  return h('div', { class: 'jp-agents-Output' }, drawn);
}

/** A picture that is in the output itself: nothing is fetched. */
function drawPicture(bundle: IBundle): HTMLElement | null {
  const type = PICTURES.find(one => typeof bundle.data[one] === 'string');
  const content = type ? String(bundle.data[type]) : '';
  if (!BASE64.test(content)) {
    return null;
  }
  const alt = textOf(bundle.data['text/plain']) || translations().__('Figure');
  return h('img', { src: `data:${type};base64,${content.replace(/\s/g, '')}`, alt });
}

function drawText(bundle: IBundle): HTMLElement {
  const text = textOf(bundle.data['text/plain']) || textOf(bundle.data['text/markdown']);
  return h('pre', {}, text || translations().__('(This output cannot be shown here.)'));
}

/** Notebook files keep text as one string or as a list of lines. */
export function textOf(value: unknown): string {
  return Array.isArray(value)
    ? value.map(line => textOf(line)).join('')
    : typeof value === 'string'
      ? value
      : '';
}
