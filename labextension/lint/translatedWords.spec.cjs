/** @jest-environment node */

const { execFileSync } = require('node:child_process');

const ESLINT = 'node_modules/eslint/bin/eslint.js';
const RULE = 'jupyter-agents/translated-words';

/** The lines, of those that are marked, and of those in which the rule has found words. */
function checked(source) {
    const lines = source.trim().split('\n');
    const planted = lines.flatMap((line, at) => (line.includes('// planted') ? [at + 1] : []));
    const args = [ESLINT, '--stdin', '--stdin-filename', 'src/view/planted.ts', '--format', 'json'];
    const [{ messages }] = JSON.parse(linted(args, source.trim()));
    const found = messages.filter(({ ruleId }) => ruleId === RULE);
    return { planted, found: [...new Set(found.map(({ line }) => line))] };
}

/** What ESLint says; it fails where it finds something. */
function linted(args, input) {
    try {
        return execFileSync(process.execPath, args, { input, encoding: 'utf-8' });
    } catch (error) {
        return error.stdout;
    }
}

describe('words that are not translated', () => {
    it('are found where they reach the page, by way of constants, conditions and functions of the file', () => {
        const { planted, found } = checked(`
import { button, h } from './dom';
const SAVED = 'saved'; // planted
const KINDS = { code: 'code', tool: 'tool' }; // planted
const named = (name: string): string => 'agent ' + name; // planted
function stateOf(isOn: boolean): string {
  if (isOn) {
    return 'on'; // planted
  }
  return isOn ? '' : 'off'; // planted
}
export function draw(node: HTMLElement, kind: 'code' | 'tool', isOn: boolean): void {
  node.append(h('b', {}, 'copy')); // planted
  node.append(h('b', { 'aria-label': 'copy', class: 'copy' })); // planted
  node.append(button('copy', () => undefined, 'quiet')); // planted
  node.append(isOn ? 'copied' : '·', \`\${kind} done\`); // planted
  node.textContent = SAVED || null;
  node.title = isOn ? 'more' : ''; // planted
  node.setAttribute('aria-description', 'more'); // planted
  node.replaceChildren(KINDS[kind], named('x'), stateOf(isOn));
  node.append(document.createTextNode(['first', 'last'].join(', '))); // planted
}
export const command = { label: 'copy' }; // planted
`);

        expect(found).toEqual(planted);
    });

    it('are found where they read like words, wherever they stand', () => {
        const { planted, found } = checked(`
export const said: string[] = [];
said.push('Paused'); // planted
said.push('one more message'); // planted
export class Line {
  readonly word = 'Nothing was said.'; // planted
}
`);

        expect(found).toEqual(planted);
    });

    it('are not what is translated, or a name, or for nobody', () => {
        const { found } = checked(`
import { h } from './dom';
import { translations } from './strings';
export function draw(node: HTMLElement, event: KeyboardEvent, one: 'Left hand' | 'Right hand'): void {
  const { __, _n } = translations();
  node.append(h('b', { title: __('Copy the message'), class: 'jp-agents-Talk quiet' }, __('Copy')), '·');
  node.textContent = _n('One message', 'More messages', 2);
  node.setAttribute('data-kind', 'Some kind');
  if (event.key === 'Escape' || one === 'Left hand' || !node.querySelector('b i')) {
    throw new TypeError('Cannot draw it: there is nothing.');
  }
}
`);

        expect(found).toEqual([]);
    });
});
