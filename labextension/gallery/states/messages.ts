/** The saved messages of `bundles.py`. */

import type { IHost } from '../../src/view/host';
import { StreamingMarkdown } from '../../src/view/markdown';
import { openMessage } from '../../src/view/messageFrame';
import { drawMessage } from '../../src/view/messageView';
import type { IBundle } from '../../src/view/protocol';
import type { IGalleryState } from '../page';
import bundles from '../../../build/gallery/bundles.json';

const HOST: IHost = { insertCell: () => undefined };

function draw(found: readonly IBundle[]): HTMLElement[] {
  return found.map(bundle => drawMessage(bundle, HOST));
}

function live(): HTMLElement[] {
  const text = bundles.Conversation[1]?.data['text/markdown'] ?? '';
  const frame = openMessage({ sender: 'assistant', recipient: 'user_proxy', colour: 1 });
  const markdown = new StreamingMarkdown();
  markdown.append(text.slice(text.indexOf('\n\n') + 2, -120));
  markdown.finish();
  frame.body.append(markdown.node);
  return [frame.node];
}

/** What a page shows that does not know the JSON: GitHub, nbviewer, an editor. */
function html(): HTMLElement[] {
  return bundles.Conversation.map(({ data }) => {
    const shown = document.createElement('div');
    shown.className = 'jp-RenderedHTMLCommon jp-RenderedHTML';
    shown.append(...new DOMParser().parseFromString(data['text/html'], 'text/html').body.childNodes);
    return shown;
  });
}

export const states: readonly IGalleryState[] = [
  ...Object.entries(bundles).map(([name, found]) => ({
    name,
    draw: () => draw(found as unknown as IBundle[])
  })),
  { name: 'Being written', draw: live },
  { name: 'Conversation, without the extension', draw: html }
];
