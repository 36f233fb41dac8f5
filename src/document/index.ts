export { DOCUMENT_MAX, parseDesired } from './parse.ts';
export type { ParseContext, ParsedDocument, ParseResult } from './parse.ts';
export { desiredSchema } from './schema.ts';
