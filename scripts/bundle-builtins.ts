import { isBuiltin } from 'node:module';

/** One import statement as esbuild prints it: what is imported, and from where. */
const IMPORT = /^import (?:([^;"']+?) from )?"([^"]+)";$/gm;

/**
 * Turns a bundle's imports of Node's own modules into calls. An import reads every property of the module for its
 * namespace, and some of them load the half of Node when they are read: `http.WebSocket` all of undici, `fs.ReadStream`
 * the streams. Measured: 70 ms of a start.
 */
export function withoutImports(code: string): string {
  return code.replaceAll(IMPORT, (statement, names: string | undefined, from: string) =>
    isBuiltin(from) ? called(names, `process.getBuiltinModule(${JSON.stringify(from)})`) : statement,
  );
}

function called(names: string | undefined, call: string): string {
  if (names === undefined) return `${call};`;
  const [, whole, some] = /^(?:(?:\* as )?([\w$]+))?(?:, )?(\{[^]*\})?$/.exec(names) ?? [];
  const own = some?.replaceAll(/([\w$]+) as ([\w$]+)/g, '$1: $2');
  return [whole, own].flatMap((name) => (name === undefined ? [] : `const ${name} = ${call};`)).join(' ');
}
