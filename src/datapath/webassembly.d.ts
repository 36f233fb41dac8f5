/** The part of WebAssembly's API that is used here; TypeScript has it only in the DOM's library. */
declare namespace WebAssembly {
  /** compiled code, which threads share */
  type Module = object;
  type Memory = { readonly buffer: SharedArrayBuffer };
  type Instance = { readonly exports: Readonly<Record<string, unknown>> };

  const Module: new (bytes: Uint8Array) => Module;
  const Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => Memory;
  const Instance: new (
    module: Module,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => Instance;
}
