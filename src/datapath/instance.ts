/** An exported global; its `value` is a call into the engine. */
export type Constant = { readonly value: number };

/** As many as `scripts/build.ts` has the modules import. */
const PAGES = 64;

/** A module of `wasm/` over a memory of its own, which never moves: the kernel reads and writes it. */
export function instantiate(module: WebAssembly.Module): { readonly bytes: Uint8Array; readonly exports: object } {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const needed = (exports['MEMORY_PAGES'] as Constant).value;
  if (needed > PAGES) throw new RangeError(`a module needs ${needed} pages of memory and is given ${PAGES}`);
  return { bytes: new Uint8Array(memory.buffer), exports };
}
