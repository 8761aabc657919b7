/** What stands in the head of a saved message, behind the names and at the end of the line. */

import { grouped } from './clock';
import { copyButton } from './copying';
import { button, h } from './dom';
import type { IHost } from './host';
import { pythonIn } from './markdown';
import type { IFigures, IMessage } from './message';
import { translations } from './strings';

/** What a reader should know of how it came about. */
export function drawBadges(message: IMessage, figures: IFigures): HTMLElement[] {
  const { __ } = translations();
  const actions = new Set(message.decisions.map(one => one.action));
  const badges: [boolean, string, string][] = [
    [message.kind === 'failure' || message.finishReason === 'interrupted', 'interrupted', __('interrupted')],
    [actions.has('run'), 'approved', __('approved')],
    [actions.has('edit'), 'edited', __('edited')],
    [actions.has('reject'), 'rejected', __('rejected')],
    [actions.has('stop'), 'interrupted', __('stopped')],
    [figures.replayed, 'replayed', __('replayed')],
    [figures.cached, 'cached', __('cached')]
  ];
  return badges
    .filter(([isThere]) => isThere)
    .map(([, name, label]) => h('span', { class: `jp-agents-Badge jp-agents-Badge-${name}` }, label));
}

/** How long it took, how many tokens, and what they cost. */
export function drawFigures(figures: IFigures): HTMLElement | null {
  const { __, _n } = translations();
  const tokens = (figures.read ?? 0) + (figures.written ?? 0);
  const parts = [
    figures.seconds === null ? null : h('span', {}, seconds(figures.seconds)),
    tokens ? h('span', {}, _n('%2 token', '%2 tokens', tokens, grouped(tokens))) : null,
    figures.cost === null ? null : h('span', {}, `${figures.isEstimated ? '≈ ' : ''}${dollars(figures.cost)}`)
  ].filter(part => part !== null);
  if (!parts.length) {
    return null;
  }
  const read = __('%1 tokens read, %2 written', grouped(figures.read ?? 0), grouped(figures.written ?? 0));
  const title = [figures.model, tokens ? read : ''].filter(Boolean).join(' · ');
  return h('span', { class: 'jp-agents-Message-figures', title: title || null }, ...parts);
}

/** US dollars that a person reads: cents, or as much of a cent as there is. */
export function dollars(amount: number): string {
  if (amount === 0 || amount >= 0.1) {
    return `$${amount.toFixed(2)}`;
  }
  const digits = Math.min(2 - Math.floor(Math.log10(amount)), 20);
  return `$${amount.toFixed(digits).replace(/0+$/, '')}`;
}

/** What can be done with it. */
export function drawActions(message: IMessage, host: IHost): HTMLElement {
  const { __ } = translations();
  const actions = h('span', { class: 'jp-agents-Message-actions' });
  const code = message.exit || message.results.length ? '' : pythonIn(message.text);
  if (code && host.insertCell) {
    actions.append(
      button(__('Insert as cell below'), () => host.insertCell?.(actions, code), 'jp-agents-quiet')
    );
  }
  actions.append(copyButton(__('Copy the message of %1', message.sender), () => message.text));
  return actions;
}

/** A time that a person reads: two digits that count. */
export function seconds(value: number): string {
  const { __ } = translations();
  if (value < 60) {
    return __(
      '%1 s',
      value.toLocaleString(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
    );
  }
  return __('%1 min %2 s', Math.floor(value / 60), Math.floor(value % 60));
}
