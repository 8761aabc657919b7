import { isOfBlock, standingOf } from '../view/blockOutput';
import { MESSAGE_MIME } from '../view/protocol';

const output = (message: object): Record<string, unknown> => ({ [MESSAGE_MIME]: { schema: 1, ...message } });
const said = output({ kind: 'message', origin: 'model' });
const live = output({ kind: 'message', origin: 'model', live: { model_id: 'm' } });
const waiting = output({ kind: 'note', live: { model_id: 'm' } });
const result = output({ kind: 'message', origin: 'code' });
const gave = output({ kind: 'message', origin: 'human', results: ['f'] });
const note = output({ kind: 'note' });
const end = output({ kind: 'end' });
const error = output({ kind: 'error', traceback: [] });
const joined = output({ kind: 'messages', items: [{ kind: 'note' }, { kind: 'message', origin: 'code' }] });
const talk = output({ kind: 'messages', items: [{ kind: 'message', origin: 'model' }] });
const print = { 'application/vnd.jupyter.stdout': 'x' };

test.each<[string, readonly Record<string, unknown>[], readonly number[]]>([
  ['its result follows', [said, print, result], [1]],
  ['the result of a tool follows', [said, print, gave], [1]],
  ['its result follows what else it has shown', [said, print, error, print, result], [1, 2, 3]],
  ['a note stands between', [said, print, note, result], [1]],
  ['its result is in the place that the rest of the chat shares', [said, print, joined], [1]],
  ['the turn is under way', [live, print], [1]],
  ['a turn was under way when the kernel went', [said, waiting, print, error], [2, 3]],
  ['the chat ended with it', [said, print, end], [1]],
  ['the chat is in a cell of the magic, whose body it answers', [print, result], [0]],
  ['there is no chat', [print, error], []],
  ['the chat is over', [said, print, result, said, print], [1]],
  ['a chat follows', [print, said, print, result], [2]],
  ['a chat that shares a place follows', [said, print, talk], []],
  ['a chat follows that ends at once', [print, end], []],
  ['another chat follows', [said, result, print, said], []]
])('whether an output is of a block is seen when %s', (_, outputs, ours) => {
  const standings = outputs.map(standingOf);

  const found = outputs.map((_, at) => at).filter(at => isOfBlock(standings, at));

  expect(found).toEqual(ours);
});

test('what is malformed is an output like any other', () => {
  const found = [null, 7, [], { kind: 7 }, { kind: 'messages', items: 'x' }].map(one =>
    standingOf({ [MESSAGE_MIME]: one })
  );

  expect(found.map(({ role }) => role)).toEqual(['shown', 'shown', 'shown', 'shown', 'said']);
});
