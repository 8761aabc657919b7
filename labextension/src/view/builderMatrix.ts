/** Who may speak after whom: a table of boxes, one stop of the Tab key, in which arrow keys move. */

import { h } from './dom';
import { freshId } from './ids';
import { translations } from './strings';

export interface IMember {
  readonly key: string;
  readonly name: string;
}

export interface IMatrixState {
  readonly members: readonly IMember[];
  readonly graph: Readonly<Record<string, readonly string[]>>;
  /** Whether a tick allows a transition, or forbids it. */
  readonly isAllowing: boolean;
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1]
};

export class TransitionMatrix {
  readonly node = h('div', { class: 'jp-agents-Builder-matrix' });
  private _boxes: HTMLInputElement[][] = [];
  private _state: IMatrixState | null = null;
  private _drawn = '';

  constructor(private readonly _changed: (graph: Record<string, readonly string[]>) => void) {}

  show(state: IMatrixState): void {
    this._state = state;
    const drawn = JSON.stringify([state.members, state.isAllowing]);
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this._draw(state);
    }
    state.members.forEach((one, row) =>
      state.members.forEach((other, column) => {
        const box = this._boxes[row]?.[column];
        if (box) box.checked = (state.graph[one.key] ?? []).includes(other.key);
      })
    );
  }

  focus(): void {
    this.node.querySelector<HTMLInputElement>('input[tabindex="0"]')?.focus();
  }

  private _draw(state: IMatrixState): void {
    const { __ } = translations();
    const hint = freshId('hint');
    const focused = this._placeOf(document.activeElement);
    this._boxes = state.members.map(() => []);
    const rows = state.members.map((one, row) => this._row(state, one, row));
    const names = state.members.map(one => h('th', { scope: 'col' }, h('span', {}, one.name)));
    const table = h(
      'table',
      {
        role: 'grid',
        'aria-label': state.isAllowing ? __('Who may speak after whom') : __('Who may not speak after whom'),
        'aria-describedby': hint,
        onkeydown: (event: KeyboardEvent) => this._move(event)
      },
      h(
        'thead',
        {},
        h('tr', {}, h('th', {}, h('span', {}, __('after ↓')), ' ', h('span', {}, __('speaks →'))), ...names)
      ),
      h('tbody', {}, ...rows)
    );
    const words = state.isAllowing
      ? __('A tick lets the one of the column speak after the one of the row. Arrow keys move, Space ticks.')
      : __(
          'A tick forbids the one of the column to speak after the one of the row. Arrow keys move, Space ticks.'
        );
    this.node.replaceChildren(
      h('div', { class: 'jp-agents-Builder-matrix-scroll' }, table),
      h('div', { id: hint, class: 'jp-agents-Builder-hint' }, words)
    );
    this._makeStop(...(focused ?? [0, 0]));
    if (focused) this._boxes[focused[0]]?.[focused[1]]?.focus();
  }

  private _row(state: IMatrixState, one: IMember, row: number): HTMLElement {
    const { __ } = translations();
    const cells = state.members.map((other, column) => {
      const words = state.isAllowing
        ? __('%2 may speak after %1', one.name, other.name)
        : __('%2 may not speak after %1', one.name, other.name);
      const box = h('input', {
        type: 'checkbox',
        'aria-label': words,
        title: words,
        tabindex: -1,
        onchange: () => this._toggle(one.key, other.key, box.checked),
        onfocus: () => this._makeStop(row, column)
      });
      this._boxes[row]?.push(box);
      return h('td', {}, h('label', {}, box));
    });
    return h('tr', {}, h('th', { scope: 'row' }, h('span', {}, one.name)), ...cells);
  }

  private _toggle(one: string, other: string, isOn: boolean): void {
    const graph = this._state?.graph ?? {};
    const rest = (graph[one] ?? []).filter(key => key !== other);
    const order = this._state?.members.map(member => member.key) ?? [];
    const others = isOn ? order.filter(key => key === other || rest.includes(key)) : rest;
    this._changed({ ...graph, [one]: others });
  }

  private _move(event: KeyboardEvent): void {
    const [step, place] = [STEPS[event.key], this._placeOf(event.target)];
    const box = step && place && this._boxes[place[0] + step[0]]?.[place[1] + step[1]];
    if (step) {
      event.preventDefault(); // not to scroll the page
    }
    box?.focus();
  }

  private _placeOf(node: unknown): [number, number] | null {
    const row = this._boxes.findIndex(boxes => boxes.some(one => one === node));
    return row < 0 ? null : [row, this._boxes[row]?.findIndex(one => one === node) ?? 0];
  }

  /** Where the Tab key stops. */
  private _makeStop(row: number, column: number): void {
    const stop = this._boxes[row]?.[column] ?? this._boxes[0]?.[0];
    this._boxes.flat().forEach(one => (one.tabIndex = one === stop ? 0 : -1));
  }
}
