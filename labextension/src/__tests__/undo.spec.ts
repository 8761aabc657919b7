import type { ISessionContext } from '@jupyterlab/apputils';
import { KernelBlocks } from '../undo';

const BLOCK = 'abc-0f-1';
const UNDONE = { restored: ['x'], left: {}, reason: '' };

interface IRequest {
  readonly code: string;
  readonly silent: boolean;
  readonly store_history: boolean;
  readonly user_expressions: { readonly found: string };
}

/** A signal as those of Lumino, as far as it matters here. */
class Signal<T> {
  private readonly slots: ((sender: unknown, value: T) => void)[] = [];
  connect(slot: (sender: unknown, value: T) => void): void {
    this.slots.push(slot);
  }
  emit(value: T): void {
    this.slots.forEach(slot => slot(null, value));
  }
}

/** A kernel that has run these blocks. */
class FakeKernel {
  readonly asked: IRequest[] = [];
  readonly statusChanged = new Signal<string>();
  readonly kernelChanged = new Signal<null>();
  aborts = 0;

  constructor(readonly blocks: string[]) {}

  get session(): ISessionContext {
    const requestExecute = (request: IRequest): { done: Promise<unknown> } => {
      this.asked.push(request);
      return { done: Promise.resolve({ content: this.answer(request.user_expressions.found) }) };
    };
    const { statusChanged, kernelChanged } = this;
    const found = { session: { kernel: { requestExecute } }, statusChanged, kernelChanged };
    return found as unknown as ISessionContext;
  }

  private answer(expression: string): unknown {
    if (this.aborts-- > 0) {
      return { status: 'aborted' };
    }
    const isUndo = expression.includes('.undo(');
    const names = `(${this.blocks.map(block => `'${block}'`).join(', ')},)`;
    const data = isUndo
      ? { 'text/plain': '…', 'application/vnd.jupyter-agents.undone+json': UNDONE }
      : { 'text/plain': names };
    return { status: 'ok', user_expressions: { found: { status: 'ok', data } } };
  }
}

async function settled(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 0));
}

test('a kernel is asked without a trace, and without any code', async () => {
  const kernel = new FakeKernel([BLOCK]);

  await expect(KernelBlocks.of(kernel.session).undo(BLOCK)).resolves.toEqual(UNDONE);

  expect(kernel.asked).toEqual([
    expect.objectContaining({
      code: '',
      silent: true,
      store_history: false,
      user_expressions: { found: `__import__('jupyter_agents').undo('${BLOCK}')` }
    })
  ]);
});

test('whether it knows blocks is asked for all of them together', async () => {
  const kernel = new FakeKernel(['a-1', 'a-2']);
  const blocks = KernelBlocks.of(kernel.session);
  const told: [string, boolean][] = [];

  for (const block of ['a-1', 'a-2', 'a-3']) {
    blocks.watch(block, canUndo => told.push([block, canUndo]));
  }
  await settled();

  expect(told.sort()).toEqual([
    ['a-1', true],
    ['a-2', true],
    ['a-3', false]
  ]);
  expect(kernel.asked.length).toBeLessThanOrEqual(2);
});

test('a block that came later is asked about again', async () => {
  const kernel = new FakeKernel([]);
  const blocks = KernelBlocks.of(kernel.session);
  blocks.watch('a-1', () => undefined);
  await settled();
  kernel.blocks.push('a-2');
  const tell = jest.fn();

  blocks.watch('a-2', tell);
  await settled();

  expect(tell).toHaveBeenCalledWith(true);
});

test.each(['restarting', 'autorestarting', 'dead'])(
  'nothing is known any more when the kernel is %s',
  async state => {
    const kernel = new FakeKernel([BLOCK]);
    const tell = jest.fn();
    KernelBlocks.of(kernel.session).watch(BLOCK, tell);
    await settled();

    kernel.statusChanged.emit(state);

    expect(tell.mock.calls).toEqual([[true], [false]]);
  }
);

test('nobody is told who has stopped watching', async () => {
  const kernel = new FakeKernel([BLOCK]);
  const tell = jest.fn();

  KernelBlocks.of(kernel.session).watch(BLOCK, tell)();
  await settled();
  kernel.kernelChanged.emit(null);

  expect(tell).not.toHaveBeenCalled();
});

test('a request that was dropped behind a failed cell is made again', async () => {
  const kernel = new FakeKernel([BLOCK]);
  kernel.aborts = 2;

  await expect(KernelBlocks.of(kernel.session).undo(BLOCK)).resolves.toEqual(UNDONE);
});

test('undoing fails when the kernel gives no answer', async () => {
  const kernel = new FakeKernel([BLOCK]);
  kernel.aborts = 9;

  await expect(KernelBlocks.of(kernel.session).undo(BLOCK)).rejects.toThrow('not answered');
});
