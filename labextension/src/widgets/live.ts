/** The live view of a chat as a widget: what anywidget loads. */

import type { AnyModel } from '@anywidget/types';
import { callToQuestions } from '../view/attention';
import { Connection } from '../view/connection';
import type { IWire } from '../view/connection';
import { Feed } from '../view/feed';
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

/** A widget on a page: anywidget calls this once, and `render` for every view of it. */
export default () => {
  let feed: Feed | undefined;
  return {
    /** Runs also where the cell is scrolled out of sight. */
    initialize({ model }: { model: AnyModel }): () => void {
      const wire = wireOf(model);
      const own = (feed = new Feed(wire));
      const hangUp = callToQuestions(wire);
      own.attend();
      return () => {
        hangUp();
        own.dispose();
      };
    },
    render({ model, el }: { model: AnyModel; el: HTMLElement }): () => void {
      const connection = new Connection(wireOf(model), feed);
      const view = new LiveView(connection, { ...hostOf(model), undo: block => connection.undo(block) });
      el.append(view.node);
      return () => view.dispose();
    }
  };
};
