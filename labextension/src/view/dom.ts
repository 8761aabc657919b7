/** Making elements. Text only ever becomes text nodes: nothing in this package assigns `innerHTML`. */

export type Child = Node | string | null | false;
type Listener = (event: never) => void;

/**
 * An element. Properties that begin with `on` are listeners; `true` sets an empty attribute; `false` and `null` set none.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Readonly<Record<string, string | number | boolean | null | Listener>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') {
      node.addEventListener(name.slice(2), value as EventListener);
    } else if (value !== false && value !== null) {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.filter((child): child is Node | string => child !== null && child !== false));
  return node;
}

/** A button that submits nothing. */
export function button(label: string, onclick: () => void, className = ''): HTMLButtonElement {
  return h('button', { type: 'button', class: `jp-agents-button ${className}`.trim(), onclick }, label);
}
