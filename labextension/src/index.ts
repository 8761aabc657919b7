/** The plugins. Only what Notebook 7 provides as well is required. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { type Cell, isCodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator } from '@jupyterlab/translation';

import type { IPage } from './labHost';
import { PersonNotifications, promptOf } from './notifications';
import { liveModelId, MessageRenderer } from './renderer';
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

/** Show the cell that holds a question. */
async function reveal(app: JupyterFrontEnd, notebooks: INotebookTracker, question: string): Promise<void> {
  const panel = notebooks.find(one => one.content.widgets.some(cell => isHolder(cell, question)));
  if (panel) {
    app.shell.activateById(panel.id);
    panel.content.activeCellIndex = panel.content.widgets.findIndex(cell => isHolder(cell, question));
    await panel.content.scrollToItem(panel.content.activeCellIndex, 'auto');
  }
}

/** A cell that has never been in sight holds no element of the question, but an output that names its widget. */
function isHolder(cell: Cell, question: string): boolean {
  if (cell.node.querySelector(promptOf(question)) !== null) {
    return true;
  }
  const outputs = isCodeCellModel(cell.model) ? cell.model.outputs : null;
  const bundles = Array.from({ length: outputs?.length ?? 0 }, (_, at) => outputs?.get(at));
  const models = bundles.map(one => (one ? liveModelId({ data: one.data, metadata: one.metadata }) : ''));
  return models.some(model => model !== '' && question.startsWith(`${model}-`));
}

export default [words, renderer, notifications];
