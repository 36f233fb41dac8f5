import { LinkspanError } from '../service/errors.ts';

/** Where the module has another name than the kind of link. */
const MODULES: Readonly<Record<string, string>> = { vlan: '8021q' };

/** The kernel knows no such links; it loads a module that it has by itself. */
export function kindMissing(kind: string, object: string, cause?: unknown): LinkspanError {
  const module = MODULES[kind] ?? kind;
  return new LinkspanError({
    code: 'link_refused',
    object,
    reason: `this kernel has no ${kind}`,
    remedy: `install a kernel with the module ${module}; "modprobe ${module}" tells whether it is there`,
    cause,
  });
}
