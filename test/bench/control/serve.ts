import type { Answer, Name, Order, Reply, Request } from './orders.ts';

/** What a process of the bench does at each order. */
export type Handlers = { readonly [N in Name]?: (order: Order<N>) => Answer<N> | Promise<Answer<N>> };

/** Takes orders from the bench over the channel to it, and ends with it. */
export function serve(handlers: Handlers): void {
  process.on('message', (request: Request) => void answer(handlers, request).then((reply) => process.send?.(reply)));
  // the bench is gone: nobody would ever end this
  process.on('disconnect', () => process.exit());
}

async function answer(handlers: Handlers, { id, name, order }: Request): Promise<Reply> {
  try {
    const handle = handlers[name] as ((given: typeof order) => unknown) | undefined;
    if (!handle) throw new Error(`${name} is not for this process`);
    return { id, answer: await handle(order) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
