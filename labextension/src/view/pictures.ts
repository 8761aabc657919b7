/** The images of a message: they are in it, or are told in words. Nothing is fetched. */

import { h } from './dom';
import { count, records, word } from './values';

const IN_ITSELF = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;

export interface IPicture {
  readonly words: string;
  /** The ordinal of the result that it belongs to. */
  readonly result: number;
  /** Where it is shown: the image itself. */
  readonly url: string;
}

/** What a bundle says of its images. They stand in its HTML, one after the other; in joined messages, beside the words. */
export function readPictures(found: unknown, html: string): IPicture[] {
  const said = records(found);
  const inside = said.some(one => one['shown'] === true) ? urlsIn(html) : [];
  return said.map(one => ({
    words: word(one['words']),
    result: count(one['result']) ?? 0,
    url: one['shown'] === true ? safe(word(one['url']) || (inside.shift() ?? '')) : ''
  }));
}

/** The images that belong to the result of an ordinal. What is left over belongs to the last of so many. */
export function picturesOf(pictures: readonly IPicture[], result: number, results: number): HTMLElement[] {
  return pictures.filter(one => Math.min(one.result, Math.max(results - 1, 0)) === result).map(drawPicture);
}

function drawPicture({ words, url }: IPicture): HTMLElement {
  return url
    ? h('img', { class: 'jp-agents-Picture', src: url, alt: words, title: words })
    : h('div', { class: 'jp-agents-Picture-words' }, words);
}

/** A document that is parsed so is not on the page: it loads nothing, and nothing in it runs. */
function urlsIn(html: string): string[] {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  return [...parsed.querySelectorAll('img')].map(one => one.getAttribute('src') ?? '').filter(safe);
}

function safe(url: string): string {
  return IN_ITSELF.test(url) ? url : '';
}
