import { CommandError } from '../host/run.ts';
import { LinkspanError } from '../service/errors.ts';

/** What an interface was given, in the kernel's notation. */
type Given = { readonly mac?: string | undefined; readonly addresses: readonly string[] };

/**
 * What the kernel's words mean, where they have a meaning of their own; any other error as it is. macvlan refuses a
 * second interface of the same MAC on one parent when it is brought up, ipvlan a second one with the same address.
 * @param wire the interface that it hangs on
 */
export function explained(error: unknown, { mac, addresses }: Given, wire: string): unknown {
  if (!(error instanceof CommandError)) return error;
  if (error.stderr.includes('already assigned to an ipvlan device')) {
    return taken('duplicate_address', `address ${addresses.join(', ')}`, 'address', wire, error);
  }
  if (mac === undefined || !error.stderr.includes('Address already in use')) return error;
  return taken('mac_taken', `MAC ${mac}`, '"mac"', wire, error);
}

function taken(code: string, object: string, what: string, wire: string, cause: unknown): LinkspanError {
  return new LinkspanError({
    code,
    object,
    reason: `another interface on ${wire} has it`,
    remedy: `end the processes that still hold a deleted namespace with it, or give another ${what}`,
    cause,
  });
}
