/** What code and tools gave, and what became of the code: a result hangs on the message that it is of. */

import { drawChanges } from './changes';
import { h, type Child } from './dom';
import { drawEdits } from './edits';
import { beginning, fold } from './fold';
import { drawCode } from './highlight';
import type { IHost } from './host';
import { type ICall, type IExit, type IFigures, type IMessage, readFigures } from './message';
import { type IHeading, type IMessageFrame, openMessage } from './messageFrame';
import { drawActions, drawBadges, seconds } from './messageHeader';
import type { IBundle } from './protocol';
import { translations } from './strings';

const LONG_RESULT = 600; // characters: what is longer is folded

/** The frame of a result: same bar as the message that it is of, a smaller head. */
export function openResult(message: IMessage & IHeading, ...side: readonly Child[]): IMessageFrame {
  const frame = openMessage({ ...message, colour: message.authorColour ?? message.colour }, ...side);
  frame.node.classList.add('jp-agents-Message-result');
  return frame;
}

/** The result of code is one line, and its output is folded away: the code showed it on the page already. */
export function drawExit(message: IMessage, exit: IExit, bundle: IBundle, host: IHost): HTMLElement {
  const figures = readFigures(bundle.metadata);
  const state = `jp-agents-Exit jp-agents-Exit-${exitState(exit)}`;
  const status = h('span', { class: state }, exitText(message, exit, figures));
  const badges = [status, ...drawBadges(message, figures)];
  const frame = openResult({ ...message, badges }, drawActions(message, host));
  frame.body.append(
    ...drawAllChanges(message, figures, host),
    ...drawEdits(message),
    ...drawExitOutput(exit)
  );
  return frame.node;
}

/** What a tool gave. */
export function drawResult(result: ICall): HTMLElement {
  const { __ } = translations();
  const label = result.name ? __('%1 returned', result.name) : __('result');
  if (result.arguments.length <= LONG_RESULT) {
    return drawCode(result.arguments, '', result.name ? label : '');
  }
  return fold(`${label}: ${beginning(result.arguments)}`, result.arguments, drawCode(result.arguments));
}

/** What the blocks have changed that were run for it. */
export function drawAllChanges(message: IMessage, figures: IFigures, host: IHost): HTMLElement[] {
  const drawn = message.changes.map((one, at) => drawChanges(one, figures.blocks[at] ?? '', host));
  const unknown = translations().__('What it changed is not known: another cell ran beside it');
  return figures.isChangeUnknown ? [...drawn, h('div', { class: 'jp-agents-Changes' }, unknown)] : drawn;
}

function exitState(exit: IExit): 'ok' | 'failed' | 'none' {
  return exit.code === null ? 'none' : exit.failed ? 'failed' : 'ok';
}

function exitText(message: IMessage, exit: IExit, figures: IFigures): string {
  const { __ } = translations();
  if (exit.code === null) {
    return notRun(message, exit);
  }
  const result = exit.failed ? __('exit code %1, failed', exit.code) : __('exit code %1', exit.code);
  return figures.seconds === null ? result : `${__('ran in %1', seconds(figures.seconds))} · ${result}`;
}

function notRun(message: IMessage, exit: IExit): string {
  const { __ } = translations();
  const rejection = message.decisions.filter(one => one.action === 'reject').at(-1);
  if (!rejection) {
    return exit.output ? __('not run: %1', beginning(exit.output)) : __('not run');
  }
  return rejection.text ? __('not run: rejected – %1', rejection.text) : __('not run: rejected');
}

function drawExitOutput(exit: IExit): HTMLElement[] {
  if (!exit.output || exit.code === null) {
    return [];
  }
  const last = exit.failed ? (exit.output.trimEnd().split('\n').at(-1) ?? '') : '';
  const label = last ? beginning(last) : translations().__('Output that the agents read');
  return [fold(label, exit.output, drawCode(exit.output))];
}
