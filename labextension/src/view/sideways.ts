/** What is larger than its place scrolls, with keys too: it takes the focus as long as it is larger. */

let observer: ResizeObserver | null = null;
const names = new WeakMap<Element, string>();

/** Let `node` be reached by keys while it is larger than its place; `name` is what it is called then. */
export function scrollWithKeys(node: HTMLElement, name: string): void {
  if (typeof ResizeObserver === 'undefined') {
    return;
  }
  names.set(node, name);
  observer ??= new ResizeObserver(entries => entries.forEach(({ target }) => look(target as HTMLElement)));
  observer.observe(node);
}

function look(node: HTMLElement): void {
  const isLarge = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight + 1;
  if (isLarge === node.hasAttribute('tabindex')) {
    return;
  }
  const attributes = { tabindex: '0', role: 'group', 'aria-label': names.get(node) ?? '' };
  for (const [attribute, value] of Object.entries(attributes)) {
    if (isLarge) {
      node.setAttribute(attribute, value);
    } else {
      node.removeAttribute(attribute);
    }
  }
}
