/** What the page around a view can do for it. Everything is optional: a view works wherever a widget does. */

import type { IBundle, IUndone } from './protocol';

export interface IHost {
  /** Draw an output as the page draws outputs of cells; `null` where it cannot. */
  readonly renderOutput?: (bundle: IBundle, trusted: boolean) => HTMLElement | null;
  /** Set the mathematics in an element that is on the page. */
  readonly typeset?: (node: HTMLElement) => void;
  /** Put code into a new cell below the one that holds `near`. */
  readonly insertCell?: (near: HTMLElement, source: string) => void;
  /** Have the kernel undo what a block has changed. Fails when the kernel does not answer. */
  readonly undo?: (block: string, near: HTMLElement) => Promise<IUndone>;
  /**
   * Say whether the kernel can undo a block, whenever that is known or changes: a kernel that has been restarted cannot.
   * A host without this always can.
   */
  readonly watchUndo?: (block: string, near: HTMLElement, tell: (canUndo: boolean) => void) => void;
}
