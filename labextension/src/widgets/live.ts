/** The live view of a chat as a widget: what anywidget loads. */

import type { AnyModel } from '@anywidget/types';
import { callToQuestions } from '../view/attention';
import { attend, Connection } from '../view/connection';
import type { IWire } from '../view/connection';
import { LiveView } from '../view/live';
import type { FromKernel } from '../view/protocol';
import { hostOf } from '../view/widgetHost';

function wireOf(model: AnyModel): IWire {
  return {
    send: message => model.send(message),
    listen: heard => {
      const listener = (message: FromKernel): void => heard(message);
      model.on('msg:custom', listener);
      return () => model.off('msg:custom', listener);
    }
  };
}

/** Runs once for a page, also where the cell is scrolled out of sight. */
function initialize({ model }: { model: AnyModel }): () => void {
  const wire = wireOf(model);
  const endings = [callToQuestions(wire), attend(wire)];
  return () => endings.forEach(end => end());
}

function render({ model, el }: { model: AnyModel; el: HTMLElement }): () => void {
  const connection = new Connection(wireOf(model));
  const view = new LiveView(connection, { ...hostOf(model), undo: block => connection.undo(block) });
  el.append(view.node);
  return () => view.dispose();
}

export default { initialize, render };
