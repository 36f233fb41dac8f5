import { shortened } from './pointer.ts';

/** Where and why a text is not the JSON we accept; `at` counts UTF-16 units from 0. */
type Fault = { readonly at: number; readonly reason: string };

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

type Expected = 'value' | 'valueOrEnd' | 'key' | 'keyOrEnd' | 'colon' | 'commaOrEnd' | 'nothing';

const WANTED: Readonly<Record<Expected, string>> = {
  value: 'a value',
  valueOrEnd: 'a value or "]"',
  key: 'a key in double quotes',
  keyOrEnd: 'a key in double quotes or "}"',
  colon: '":"',
  commaOrEnd: '"," or the closing bracket',
  nothing: 'the end of the document',
};

/**
 * Parses JSON and says line and column of a fault (V8's own messages often do not). A key that stands twice in one
 * object is a fault too: JSON.parse would drop one of two networks without a word.
 */
export function parseJson(text: string): JsonResult {
  try {
    const value: unknown = JSON.parse(text);
    const fault = findFault(text);
    return fault ? { ok: false, message: describe(text, fault) } : { ok: true, value };
  } catch (error) {
    return { ok: false, message: describe(text, findFault(text) ?? faultOfEngine(error)) };
  }
}

function describe(text: string, { at, reason }: Fault): string {
  const lines = text.slice(0, at).split('\n');
  const column = (lines.at(-1)?.length ?? 0) + 1;
  return `the document is not valid JSON at line ${lines.length}, column ${column}: ${reason}; correct it and publish again`;
}

function faultOfEngine(error: unknown): Fault {
  const reason = error instanceof Error ? error.message : String(error);
  return { at: Number(/at position (\d+)/.exec(reason)?.[1] ?? 0), reason: shortened(reason) };
}

/** The first token out of place. The nesting is on a stack of our own, since a hostile text nests 500 000 deep. */
function findFault(text: string): Fault | undefined {
  const nesting: Nesting = [];
  let expected: Expected = 'value';
  for (const { at, token } of tokens(text)) {
    const next: ReturnType<Step> = STEPS[expected](token, nesting);
    if (next === 'duplicate') return { at, reason: `the key ${shortened(token)} stands twice in one object` };
    if (next === undefined) return { at, reason: `expected ${WANTED[expected]}, found ${shortened(token)}` };
    expected = next;
  }
  return expected === 'nothing'
    ? undefined
    : { at: text.length, reason: `expected ${WANTED[expected]}, found the end of the document` };
}

const SPACE = /[ \t\r\n]*/y;
const WORD = /[^\s",:[\]{}]+|./suy;

function* tokens(text: string): Generator<{ at: number; token: string }> {
  let at = skip(SPACE, text, 0);
  while (at < text.length) {
    const end = text[at] === '"' ? endOfString(text, at) : skip(WORD, text, at);
    yield { at, token: text.slice(at, end) };
    at = skip(SPACE, text, end);
  }
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(text)?.[0].length ?? 1);
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

type Nesting = (Set<string> | undefined)[];
type Step = (token: string, nesting: Nesting) => Expected | 'duplicate' | undefined;

/** What may follow a token, `duplicate` for a key seen before, or undefined where the token may not stand here. */
const STEPS: Readonly<Record<Expected, Step>> = {
  key: (token, nesting) => keyStep(token, nesting.at(-1)),
  keyOrEnd: (token, nesting) => (token === '}' ? close(nesting) : keyStep(token, nesting.at(-1))),
  colon: (token) => (token === ':' ? 'value' : undefined),
  value: valueStep,
  valueOrEnd: (token, nesting) => (token === ']' ? close(nesting) : valueStep(token, nesting)),
  commaOrEnd: (token, nesting) => {
    if (token === ',') return nesting.at(-1) ? 'key' : 'value';
    return token === (nesting.at(-1) ? '}' : ']') ? close(nesting) : undefined;
  },
  nothing: () => undefined,
};

function keyStep(token: string, keys: Set<string> | undefined): Expected | 'duplicate' | undefined {
  const key = decoded(token);
  if (key === undefined) return undefined;
  if (keys?.has(key)) return 'duplicate';
  keys?.add(key);
  return 'colon';
}

function valueStep(token: string, nesting: Nesting): Expected | undefined {
  if (token === '{') {
    nesting.push(new Set());
    return 'keyOrEnd';
  }
  if (token === '[') {
    nesting.push(undefined);
    return 'valueOrEnd';
  }
  if (!isScalar(token)) return undefined;
  return nesting.length === 0 ? 'nothing' : 'commaOrEnd';
}

function close(nesting: Nesting): Expected {
  nesting.pop();
  return nesting.length === 0 ? 'nothing' : 'commaOrEnd';
}

function isScalar(token: string): boolean {
  if (token.startsWith('"')) return decoded(token) !== undefined;
  return /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(token);
}

/** The text of a JSON string, or undefined for anything else. */
function decoded(token: string): string | undefined {
  if (!token.startsWith('"')) return undefined;
  try {
    return JSON.parse(token) as string;
  } catch {
    return undefined;
  }
}
