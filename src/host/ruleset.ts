import { generationQuestion, readGeneration } from '../packet/nftables.ts';
import { LINUX, SystemCallError } from './libc.ts';
import { ask } from './netlink.ts';

/**
 * Gives again what `read` gave while the kernel's nftables rules are the same, whoever changes them: each change gives
 * them a new number, and a listing costs a child process of 20 ms. What packets do to counters and sets is no change.
 */
export function whileRulesetStands<T>(read: () => Promise<T>): () => Promise<T> {
  let last: { readonly generation: number; readonly value: T } | undefined;
  return async () => {
    // Asked for first: what changes while it is read makes the next one read again.
    const generation = await rulesetGeneration();
    if (generation !== undefined && last?.generation === generation) return last.value;
    const value = await read();
    last = generation === undefined ? undefined : { generation, value };
    return value;
  };
}

/** Undefined where the kernel has no nftables. */
async function rulesetGeneration(): Promise<number | undefined> {
  try {
    const [answer = []] = await ask([generationQuestion()], { protocol: LINUX.NETLINK_NETFILTER });
    return answer.map((message) => readGeneration(message)).find((generation) => generation !== undefined);
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
}
