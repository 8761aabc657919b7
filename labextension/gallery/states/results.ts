/** What Python draws of a result, of its figures, of an agent and of the roster: HTML and SVG. */

import type { IGalleryState } from '../page';
import results from '../../../build/gallery/results.json';

export const states: readonly IGalleryState[] = Object.entries(results).map(([name, html]) => ({
  name: `result: ${name}`,
  draw: () => {
    const parsed = new DOMParser().parseFromString(html, 'text/html');
    const shown = document.createElement('div');
    shown.className = 'jp-RenderedHTMLCommon jp-RenderedHTML';
    shown.append(...parsed.body.childNodes);
    return [shown];
  }
}));
