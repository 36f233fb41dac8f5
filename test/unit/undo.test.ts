import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { UndoStack } from '../../src/attach/undo.ts';

function setup(...failing: readonly string[]): { stack: UndoStack; undone: string[] } {
  const stack = new UndoStack();
  const undone: string[] = [];
  for (const what of ['link', 'record', 'address']) {
    stack.push(what, async () => {
      await sleep(what === 'address' ? 5 : 0);
      if (failing.includes(what)) throw new Error(`${what} is stuck`);
      undone.push(what);
    });
  }
  return { stack, undone };
}

test('everything is taken back, newest first, one after the other', async () => {
  const { stack, undone } = setup();
  expect(await stack.rollBack()).toEqual([]);
  expect(undone).toEqual(['address', 'record', 'link']);
});

test('an undo that fails stops no other and is named', async () => {
  const { stack, undone } = setup('address', 'link');
  expect(await stack.rollBack()).toEqual(['address', 'link']);
  expect(undone).toEqual(['record']);
});

test('nothing is taken back twice, and a stack can be used again', async () => {
  const { stack, undone } = setup();
  expect(await new UndoStack().rollBack()).toEqual([]);
  await Promise.all([stack.rollBack(), stack.rollBack()]);
  stack.push('later', async () => void undone.push('later'));
  await stack.rollBack();
  expect(undone).toEqual(['address', 'record', 'link', 'later']);
});
