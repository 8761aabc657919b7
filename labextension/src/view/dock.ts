/**
 * Keeps an element at the end of the outputs of its cell, within reach while they scroll by: what code shows comes below
 * the view that has it, as outputs of their own.
 */

const DOCKED = 'jp-agents-mod-docked';
const AREA = 'jp-agents-Docking';
const OUTPUT = 'jp-OutputArea-child';
const ORDINAL = 'ordinal';

export class Dock {
  readonly #node: HTMLElement;
  readonly #home: HTMLElement;
  readonly #view: HTMLElement;
  #observer: MutationObserver | null = null;
  #area: HTMLElement | null = null;

  /** `node` stands in `home`, which is in `view`, as long as nothing follows the view, and no other one is at the end. */
  constructor(node: HTMLElement, home: HTMLElement, view: HTMLElement) {
    this.#node = node;
    this.#home = home;
    this.#view = view;
  }

  /** Say which one it is of those that stand at the same end: they stand in this order. */
  set ordinal(ordinal: number) {
    this.#node.dataset[ORDINAL] = String(ordinal); // on the element: those of other chats may be of another bundle
  }

  /** Put it where it belongs now. Called whenever something is drawn; after that it follows by itself. */
  place(): void {
    const area = this.#view.closest<HTMLElement>('.jp-OutputArea');
    if (area !== this.#area) {
      this.#watch(area);
    }
    const isDocked = area !== null && (this.#isFollowed(area) || this.#isBeside(area));
    this.#move(isDocked ? area : this.#home);
    this.#node.classList.toggle(DOCKED, isDocked);
    mark(area);
  }

  /** Whether it is at the end of the outputs, away from its view. */
  get isAway(): boolean {
    return this.#node.classList.contains(DOCKED);
  }

  dispose(): void {
    this.#observer?.disconnect();
    this.#node.remove();
    mark(this.#area);
  }

  #watch(area: HTMLElement | null): void {
    this.#observer?.disconnect();
    this.#area = area;
    this.#observer = area && new MutationObserver(() => this.place());
    if (area) {
      this.#observer?.observe(area, { childList: true });
    }
  }

  /** Whether an output follows that in which the view is. */
  #isFollowed(area: HTMLElement): boolean {
    const after = (node: Element): boolean =>
      Boolean(this.#view.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING);
    return [...area.children].some(one => one.classList.contains(OUTPUT) && after(one));
  }

  /** Whether that of another view is at the end: it would stand below this one, whichever began first. */
  #isBeside(area: HTMLElement): boolean {
    return kept(area).some(one => one !== this.#node);
  }

  /** An element that moves loses the focus, so that it does not where it stands well. */
  #move(to: HTMLElement): void {
    const after = [...to.children].slice([...to.children].indexOf(this.#node) + 1);
    if (this.#node.parentElement === to && after.every(one => this.#mayBeAbove(one))) {
      return;
    }
    const focused = this.#node.contains(document.activeElement) ? document.activeElement : null;
    to.insertBefore(this.#node, kept(to).find(one => ordinalOf(one) > ordinalOf(this.#node)) ?? null);
    const indent = to === this.#home ? 0 : leftOf(this.#view) - leftOf(to);
    this.#node.style.marginLeft = indent > 0 ? `${indent}px` : '';
    if (focused instanceof HTMLElement) {
      focused.focus({ preventScroll: true });
    }
  }

  /** Of those that are kept at the end, too, whichever began later; of others nothing. */
  #mayBeAbove(node: Element): boolean {
    return node.classList.contains(DOCKED) && ordinalOf(node) >= ordinalOf(this.#node);
  }
}

/** An area says whether anything is kept at its end, of whichever view. */
function mark(area: HTMLElement | null): void {
  area?.classList.toggle(AREA, area.querySelector(`:scope > .${DOCKED}`) !== null);
}

/** What is kept at the end of an area and stands there now; not what an output has just come after. */
function kept(area: HTMLElement): Element[] {
  const found: Element[] = [];
  for (let one = area.lastElementChild; one?.classList.contains(DOCKED); one = one.previousElementSibling) {
    found.unshift(one);
  }
  return found;
}

function ordinalOf(node: Element): number {
  return Number((node as HTMLElement).dataset[ORDINAL] ?? 0);
}

function leftOf(node: HTMLElement): number {
  return node.getBoundingClientRect().left;
}
