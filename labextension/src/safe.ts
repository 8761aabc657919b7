/**
 * HTML that makes a page fetch nothing and do nothing. A sanitizer for scripts is not enough for what agents write:
 * the address of an image, once asked for, can carry what the conversation knows.
 *
 * Nothing here needs JupyterLab at run time: the widgets use it as well.
 */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

/** The types that never fetch, once their HTML has been made safe. Charts are not among them: Vega loads data. */
export const SAFE_TYPES: readonly string[] = [
  'text/markdown',
  'text/html',
  'text/latex',
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/bmp',
  'application/vnd.jupyter.stdout',
  'application/vnd.jupyter.stderr',
  'application/vnd.jupyter.error',
  'text/plain'
];

const REMOVED =
  'script, style, link, meta, base, template, noscript, iframe, frame, frameset, object, embed, applet, portal, ' +
  'fencedframe, svg, math, canvas, textarea, select, button, dialog, slot';
const MEDIA = 'img, image, picture, audio, video, source, track';
const UNWRAPPED = 'form, label, fieldset';

/** On every element; those of one element only come below. No `style`, no `data-`: commands can hide in the latter. */
const ATTRIBUTES = new Set([
  'class',
  'id',
  'title',
  'lang',
  'dir',
  'role',
  'align',
  'valign',
  'scope',
  'headers'
]);
const ATTRIBUTES_OF: Readonly<Record<string, readonly string[]>> = {
  A: ['href'],
  COL: ['span'],
  COLGROUP: ['span'],
  DETAILS: ['open'],
  INPUT: ['type', 'checked', 'disabled'],
  LI: ['value'],
  OL: ['start', 'type', 'reversed'],
  TD: ['colspan', 'rowspan'],
  TH: ['colspan', 'rowspan', 'abbr'],
  TIME: ['datetime']
};
/** The colours of ANSI sequences, which JupyterLab writes as styles. */
const PLAIN_COLOURS = /^(?:\s*(?:background-)?color:\s*rgb\([\d\s,.]+\)\s*;?)+\s*$/;
const DATA_IMAGE = /^data:image\/(?:png|jpeg|gif|webp|bmp);base64,[a-z0-9+/=\s]*$/i;

/** A sanitizer that also takes out what would be fetched; images become links with their names. */
export function withoutFetching(sanitizer: IRenderMime.ISanitizer): IRenderMime.ISanitizer {
  const safe = Object.create(sanitizer) as IRenderMime.ISanitizer;
  safe.sanitize = (dirty, options) => harmless(sanitizer.sanitize(dirty, options));
  return safe;
}

/** A parser of Markdown that draws no diagrams: those of Mermaid can hold images. They are shown as code. */
export function withoutDiagrams(parser: IRenderMime.IMarkdownParser): IRenderMime.IMarkdownParser {
  const plain = Object.create(parser) as IRenderMime.IMarkdownParser;
  plain.render = source => parser.render(source.replace(/([`~]{3,}[ \t]*)mermaid/gi, '$1text'));
  return plain;
}

/** The data without the types that could fetch something or run code. */
export function safeData(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([type]) => SAFE_TYPES.includes(type)));
}

/** HTML without what would be fetched, run, sent or laid over the page. */
export function harmless(html: string): string {
  // A document that was only parsed is inert: nothing in it is loaded.
  const { body } = new DOMParser().parseFromString(html, 'text/html');
  body.querySelectorAll(REMOVED).forEach(node => node.remove());
  body.querySelectorAll(MEDIA).forEach(replaceMedia);
  body.querySelectorAll(UNWRAPPED).forEach(node => node.replaceWith(...node.childNodes));
  body.querySelectorAll('input:not([type="checkbox"])').forEach(node => node.remove());
  body.querySelectorAll('*').forEach(keepAttributes);
  return body.innerHTML;
}

/** An image that is in the text itself stays; one that is elsewhere becomes a link, which a person may follow. */
function replaceMedia(node: Element): void {
  const address = node.getAttribute('src') ?? '';
  const name = node.getAttribute('alt') || node.getAttribute('title') || address;
  if (node.localName === 'img' && DATA_IMAGE.test(address)) {
    return;
  }
  if (!isWebAddress(address)) {
    node.replaceWith(...(name ? [name] : []), ...node.childNodes);
    return;
  }
  const link = document.createElement('a');
  link.setAttribute('href', address);
  link.textContent = name;
  node.replaceWith(link, ...node.childNodes);
}

function keepAttributes(node: Element): void {
  const own = ATTRIBUTES_OF[node.tagName] ?? [];
  for (const { name, value } of [...node.attributes]) {
    const isKept =
      ATTRIBUTES.has(name) ||
      name.startsWith('aria-') ||
      own.includes(name) ||
      (name === 'style' && PLAIN_COLOURS.test(value)) ||
      (node.tagName === 'IMG' && ['src', 'alt', 'width', 'height'].includes(name));
    if (!isKept || (name === 'href' && !isWebAddress(value) && !value.startsWith('#'))) {
      node.removeAttribute(name);
    }
  }
  if (node.tagName === 'INPUT') {
    node.setAttribute('disabled', '');
  }
  if (node.tagName === 'A' && isWebAddress(node.getAttribute('href') ?? '')) {
    node.setAttribute('rel', 'noopener noreferrer nofollow');
    node.setAttribute('target', '_blank');
  }
}

function isWebAddress(address: string): boolean {
  return /^https?:\/\//i.test(address);
}
