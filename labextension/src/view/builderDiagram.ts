/** Who may speak after whom, as a picture: the group twice, with a line from each to those who may follow. */

import type { IGroupFacts } from './builderProtocol';
import { h } from './dom';
import { translations } from './strings';

const SVG = 'http://www.w3.org/2000/svg';
const MOST = 16; // members: the lines of more tell nothing
const [ROW, TOP, PILL, LEFT, RIGHT, LONGEST] = [34, 26, 24, 38, 62, 24];

/** The picture; nothing where anybody may speak after anybody, which needs none. */
export function transitionsDiagram(facts: IGroupFacts): HTMLElement | null {
  const { __ } = translations();
  if (facts.edges.length === facts.names.length ** 2) {
    return null;
  }
  const names = facts.names.slice(0, MOST);
  const attributes = { role: 'img', width: '100%', height: TOP + ROW * names.length, fill: 'currentColor' };
  const picture = svg('svg', {
    ...attributes,
    'aria-label': `${__('Who may speak after whom')}. ${facts.words}`
  });
  picture.append(
    svg('text', { x: 0, y: 14, class: 'jp-agents-mod-quiet' }, __('after')),
    svg('text', { x: `${RIGHT}%`, y: 14, class: 'jp-agents-mod-quiet' }, __('may speak')),
    ...facts.edges.flatMap(([one, other]) => line(names.indexOf(one ?? ''), names.indexOf(other ?? ''))),
    ...names.map((name, n) => pill(name, 0, n, !facts.edges.some(([one]) => one === name))),
    ...names.map((name, n) => pill(name, RIGHT, n, !facts.edges.some(([, other]) => other === name)))
  );
  return h('div', { class: 'jp-agents-Builder-diagram' }, picture);
}

function line(one: number, other: number): Element[] {
  if (one < 0 || other < 0) {
    return [];
  }
  const [y1, y2] = [one, other].map(n => TOP + ROW * n + PILL / 2) as [number, number];
  return [svg('line', { x1: `${LEFT}%`, x2: `${RIGHT}%`, y1, y2 })];
}

/** A name in its place; quietly where no line ends. */
function pill(name: string, left: number, row: number, isQuiet: boolean): Element {
  const y = TOP + ROW * row;
  const words = [...name].length > LONGEST ? `${[...name].slice(0, LONGEST - 1).join('')}…` : name;
  const place = svg('svg', { x: `${left}%`, y, width: `${LEFT}%`, height: PILL });
  place.append(
    svg('rect', { width: '100%', height: PILL, rx: 8 }),
    svg(
      'text',
      {
        x: '50%',
        y: 17,
        'text-anchor': 'middle',
        class: isQuiet ? 'jp-agents-mod-quiet' : 'jp-agents-mod-name'
      },
      words
    )
  );
  return place;
}

function svg(tag: string, attributes: Readonly<Record<string, string | number>>, text = ''): SVGElement {
  const node = document.createElementNS(SVG, tag) as SVGElement;
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, String(value)));
  node.append(...(text ? [text] : []));
  return node;
}
