/**
 * Code, or arguments of a call, as a person has edited them before they ran.
 *
 * What was asked about is not saved a second time: it stands in a message above. There it is looked for when the edited
 * text is unfolded, so that what was changed can be shown.
 */

import { readableArguments } from './arguments';
import { h } from './dom';
import { fold } from './fold';
import { drawCode } from './highlight';
import { changedLines, countChanges, drawChangedLines, type IChangedLines } from './lineDiff';
import type { IMessage } from './message';
import { translations } from './strings';

const PLACES = '.jp-OutputArea, .jp-agents-LiveView, .jp-agents-Messages';

/** Each edited text of a result, folded. */
export function drawEdits(message: IMessage): HTMLElement[] {
  const isCall = message.results.length > 0;
  return message.decisions
    .filter(one => one.action === 'edit')
    .map(one => drawEdit(isCall ? readableArguments(one.text) : one.text, isCall));
}

function drawEdit(ran: string, isCall: boolean): HTMLElement {
  const { __ } = translations();
  const content = h('div', {}, drawCode(ran, isCall ? '' : 'python'));
  const node = fold(isCall ? __('Called with') : __('The code as it ran'), '', content);
  const compare = (): void => {
    node.removeEventListener('toggle', compare);
    content.prepend(...drawComparison(node, ran, isCall));
  };
  node.addEventListener('toggle', compare);
  return node;
}

function drawComparison(near: Element, ran: string, isCall: boolean): HTMLElement[] {
  const changes = fewestChanges(askedAbove(near, isCall), ran);
  if (!changes || changes.length === 0) {
    return [];
  }
  const label = translations().__('What was edited: %1', countChanges(changes));
  return [h('div', { class: 'jp-agents-Diff-label' }, label), drawChangedLines(changes)];
}

/** A message may have several blocks: the one was edited that is most like what ran. */
function fewestChanges(asked: readonly string[], ran: string): readonly IChangedLines[] | null {
  const found = asked.map(one => changedLines(one, ran)).filter(one => one !== null);
  const size = (changes: readonly IChangedLines[]): number =>
    changes.reduce((sum, { kind, lines }) => sum + (kind === 'same' ? 0 : lines.length), 0);
  return found.sort((one, other) => size(one) - size(other))[0] ?? null;
}

/** The blocks of code, or the arguments of calls, in the nearest message above that has any. */
function askedAbove(near: Element, isCall: boolean): string[] {
  const area = near.closest('.jp-OutputArea') ?? near.closest(PLACES) ?? near.getRootNode();
  const blocks = isCall ? '.jp-agents-Call code' : '.jp-agents-Markdown .jp-agents-Code code';
  const messages = [...(area as ParentNode).querySelectorAll('.jp-agents-Message')].reverse();
  const above = messages.filter(
    one => !one.contains(near) && near.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING
  );
  const found = above.map(one => [...one.querySelectorAll(blocks)].map(block => block.textContent ?? ''));
  return found.find(one => one.length > 0) ?? [];
}
