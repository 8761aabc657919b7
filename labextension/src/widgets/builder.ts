/** The agent builder as a widget: what anywidget loads. */

import type { AnyModel } from '@anywidget/types';
import { BuilderView } from '../view/builder';
import type { IBuilderWire } from '../view/builderConnection';
import type { FromBuilder } from '../view/builderProtocol';
import { insertCellOf } from '../view/notebookCells';
import { hostOf } from '../view/widgetHost';

function wireOf(model: AnyModel): IBuilderWire {
  return {
    send: message => model.send(message),
    listen: heard => {
      const listener = (message: FromBuilder): void => heard(message);
      model.on('msg:custom', listener);
      return () => model.off('msg:custom', listener);
    }
  };
}

function render({ model, el }: { model: AnyModel; el: HTMLElement }): () => void {
  const host = hostOf(model);
  const view = new BuilderView(wireOf(model), {
    ...host,
    insertCell: host.insertCell ?? insertCellOf(model)
  });
  el.append(view.node);
  return () => view.dispose();
}

export default { render };
