export { DOCUMENT_MAX, parseDesired } from './parse.ts';
export type { ParseContext, ParsedDocument, ParseResult } from './parse.ts';
export { type Change, documentChanges } from './difference.ts';
export { touchesTheWay } from './touches.ts';
export { desiredSchema, NAME_PATTERNS } from './schema.ts';
