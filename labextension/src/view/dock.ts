/**
 * Keeps an element at the end of the outputs of its cell, within reach while they scroll by: what code shows comes below
 * the view that has it, as outputs of their own.
 */

const DOCKED = 'jp-agents-mod-docked';
const AREA = 'jp-agents-Docking';
const OUTPUT = 'jp-OutputArea-child';

export class Dock {
  readonly #node: HTMLElement;
  readonly #home: HTMLElement;
  readonly #view: HTMLElement;
  #observer: MutationObserver | null = null;
  #area: HTMLElement | null = null;

  /** `node` stands in `home`, which is in `view`, as long as nothing follows the view. */
  constructor(node: HTMLElement, home: HTMLElement, view: HTMLElement) {
    this.#node = node;
    this.#home = home;
    this.#view = view;
  }

  /** Put it where it belongs now. Called whenever something is drawn; after that it follows by itself. */
  place(): void {
    const area = this.#view.closest<HTMLElement>('.jp-OutputArea');
    if (area !== this.#area) {
      this.#watch(area);
    }
    const isFollowed = area !== null && this.#isFollowed(area);
    this.#move(isFollowed ? area : this.#home);
    this.#node.classList.toggle(DOCKED, isFollowed);
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

  /** An element that moves loses the focus. Those of other chats in the cell may stand below: each would have to be last. */
  #move(to: HTMLElement): void {
    if (this.#node.parentElement === to && !isFollowedByOutput(this.#node)) {
      return;
    }
    const focused = this.#node.contains(document.activeElement) ? document.activeElement : null;
    to.append(this.#node);
    const indent = to === this.#home ? 0 : leftOf(this.#view) - leftOf(to);
    this.#node.style.marginLeft = indent > 0 ? `${indent}px` : '';
    if (focused instanceof HTMLElement) {
      focused.focus({ preventScroll: true });
    }
  }
}

/** An area says whether anything is kept at its end, of whichever view. */
function mark(area: HTMLElement | null): void {
  area?.classList.toggle(AREA, area.querySelector(`:scope > .${DOCKED}`) !== null);
}

/** Whether anything but what is kept at the end, too, comes after an element. */
function isFollowedByOutput(node: Element): boolean {
  for (let next = node.nextElementSibling; next; next = next.nextElementSibling) {
    if (!next.classList.contains(DOCKED)) {
      return true;
    }
  }
  return false;
}

function leftOf(node: HTMLElement): number {
  return node.getBoundingClientRect().left;
}
