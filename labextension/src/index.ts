/** The plugins. Only what Notebook 7 provides as well is required. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { Cell } from '@jupyterlab/cells';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator } from '@jupyterlab/translation';

import type { IPage } from './labHost';
import { PersonNotifications, promptOf } from './notifications';
import { MessageRenderer } from './renderer';
import { MESSAGE_MIME } from './view/protocol';
import { setTranslations } from './view/strings';

/** Above the views of widgets, whose manager registers its renderer at -10 with every notebook. */
const RANK = -20;

const words: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-agents:translations',
  description: 'Gives the views the words of the chosen language.',
  autoStart: true,
  requires: [ITranslator],
  activate: (_: JupyterFrontEnd, translator: ITranslator) => {
    const catalogue = translator.load('jupyter_agents');
    setTranslations({
      __: (text, ...values) => catalogue.__(text, ...values),
      _n: (one, many, count, ...values) => catalogue._n(one, many, count, ...values)
    });
  }
};

const renderer: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-agents:renderer',
  description: 'Draws the messages of chats.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [INotebookTracker],
  activate: (_: JupyterFrontEnd, rendermime: IRenderMimeRegistry, notebooks: INotebookTracker | null) => {
    const page: IPage = {
      rendermime,
      findNotebook: (node, resolver) =>
        notebooks?.find(one => one.node.contains(node)) ??
        notebooks?.find(one => resolver !== null && one.content.rendermime.resolver === resolver) ??
        null
    };
    const createRenderer = (options: ConstructorParameters<typeof MessageRenderer>[0]): MessageRenderer =>
      new MessageRenderer(options, page);
    rendermime.addFactory({ safe: true, mimeTypes: [MESSAGE_MIME], createRenderer }, RANK);
  }
};

const notifications: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-agents:notifications',
  description: 'Tells a person who looks elsewhere that a chat waits for an answer.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (app: JupyterFrontEnd, notebooks: INotebookTracker) => {
    new PersonNotifications(question => reveal(app, notebooks, question));
  }
};

/** Show the cell that holds the prompt of a question. The elements of cells out of sight may be off the page. */
async function reveal(app: JupyterFrontEnd, notebooks: INotebookTracker, question: string): Promise<void> {
  const isHolder = (cell: Cell): boolean => cell.node.querySelector(promptOf(question)) !== null;
  const panel = notebooks.find(one => one.content.widgets.some(isHolder));
  if (panel) {
    app.shell.activateById(panel.id);
    panel.content.activeCellIndex = panel.content.widgets.findIndex(isHolder);
    await panel.content.scrollToItem(panel.content.activeCellIndex, 'auto');
  }
}

export default [words, renderer, notifications];
