/**
 * The frame of a message: who, to whom, where it stands. Saved messages and live ones have the same, so that nothing moves
 * when a live message becomes a saved one.
 */

import { h, type Child } from './dom';
import { drawChip, speakerClass } from './speakers';
import { translations } from './strings';

const DEEPEST = 5;

/** Who speaks to whom, and where. */
export interface IHeading {
  readonly sender: string;
  readonly recipient: string;
  readonly colour: number;
  readonly depth?: number;
  readonly label?: string;
  readonly talk?: number;
  readonly toGroup?: boolean;
  /** What stands behind the names. */
  readonly badges?: readonly Child[];
}

export interface IMessageFrame {
  readonly node: HTMLElement;
  readonly header: HTMLElement;
  readonly body: HTMLElement;
}

/** The frame of a message. `side` stands at the end of the line of the names: figures, a clock, actions. */
export function openMessage(heading: IHeading, ...side: readonly Child[]): IMessageFrame {
  const { sender, talk = 1 } = heading;
  const { __ } = translations();
  const recipient = heading.toGroup ? '' : heading.recipient;
  const name = recipient ? __('%1 to %2', sender, recipient) : sender;
  const to = recipient ? h('span', { class: 'jp-agents-Message-recipient' }, __('to %1', recipient)) : null;
  const names = h(
    'span',
    { class: 'jp-agents-Message-names' },
    h('b', {}, sender),
    to,
    ...drawChat(heading),
    ...(heading.badges ?? [])
  );
  const header = h('header', { class: 'jp-agents-Message-header' }, drawChip(sender), names, ...side);
  const body = h('div', { class: 'jp-agents-Message-body' });
  const node = h(
    'article',
    { class: `jp-agents-Message ${speakerClass(heading.colour)}`, 'aria-label': name },
    header,
    body
  );
  node.classList.toggle('jp-agents-mod-furtherTalk', talk > 1);
  indent(node, heading.depth ?? 0);
  return { node, header, body };
}

/** Put what belongs to a nested chat further in. */
export function indent(node: HTMLElement, depth: number): void {
  node.style.setProperty('--jp-agents-depth', String(Math.min(depth, DEEPEST)));
}

/**
 * To which chat it belongs. Which one of its cell is said only where that has several: the style sheet sees that, so that
 * what is there already is told apart, too, when another one begins.
 */
export function drawChat({ label = '', talk = 1 }: Pick<IHeading, 'label' | 'talk'>): HTMLElement[] {
  const { __ } = translations();
  return [
    h('span', { class: 'jp-agents-Talk', 'data-words': __('chat %1', talk) }),
    ...(label ? [h('span', { class: 'jp-agents-ChatLabel' }, label)] : [])
  ];
}
