import type { ErrorObject } from 'ajv/dist/2020.js';
import type { Problem, ProblemCode } from '../model/problem.ts';
import { pointer, shortened, spoken } from './pointer.ts';
import type { RawDocument } from './raw.ts';
import { validate } from './validator.ts';
import schema from './desired.schema.json' with { type: 'json' };

/** The published JSON Schema of the desired document. */
export const desiredSchema: Readonly<Record<string, unknown>> = schema;

/** The rules for names, as regular expressions: a document's and everybody else's. */
export const NAME_PATTERNS = {
  name: schema.$defs.name.pattern,
  interface: schema.$defs.interfaceName.pattern,
  netns: schema.$defs.workload.properties.sandbox.properties.netns.pattern,
  container: schema.$defs.workload.properties.sandbox.properties.container.pattern,
} as const;

/** The parts of a field's schema that say what its value must be. */
type FieldSchema = {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
};

/** Checks a value against the schema: the typed document, or its problems in the schema's order. */
export function checkSchema(value: unknown): RawDocument | readonly Problem[] {
  if (validate(value)) return value;
  const errors = validate.errors ?? [];
  const choices = new Set(errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath));
  return errors.filter((error) => isTelling(error, choices)).map(toProblem);
}

/** Errors that only say that another error is below them, or that belong to one branch of a choice, tell nothing. */
function isTelling({ keyword, instancePath, propertyName }: ErrorObject, choices: ReadonlySet<string>): boolean {
  if (keyword === 'if' || propertyName !== undefined) return false;
  if (keyword === 'anyOf') return true;
  return !choices.has(instancePath) && !choices.has(instancePath.slice(0, instancePath.lastIndexOf('/')));
}

function toProblem(error: ErrorObject): Problem {
  const field = error.parentSchema as FieldSchema;
  const params = error.params as Readonly<Record<string, string>>;
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownKey(error.instancePath, params['additionalProperty'] ?? '', field);
    case 'required':
      return missingKey(error.instancePath, params['missingProperty'] ?? '', field);
    case 'dependentRequired':
      return missingBeside(error.instancePath, params['property'] ?? '', params['missingProperty'] ?? '');
    case 'propertyNames':
      return badName(error.instancePath, params['propertyName'] ?? '');
    default:
      return {
        path: error.instancePath,
        code: codeOf(error),
        message: `${spoken(error.instancePath)} ${expectation(error.keyword, field)}`,
      };
  }
}

function unknownKey(parent: string, key: string, field: FieldSchema): Problem {
  const path = parent + pointer(key);
  const known = Object.keys(field.properties ?? {}).join(', ');
  return { path, code: 'schema', message: `${spoken(path)} is not a known field; remove it, or use one of ${known}` };
}

function missingKey(parent: string, key: string, field: FieldSchema): Problem {
  const description = field.properties?.[key]?.description;
  const hint = description === undefined ? '' : ` (${lowerFirst(description)})`;
  return { path: parent, code: 'schema', message: `${spoken(parent)} lacks "${key}"${hint}; add it` };
}

function missingBeside(parent: string, key: string, missing: string): Problem {
  const path = parent + pointer(key);
  return { path, code: 'schema', message: `${spoken(path)} needs "${missing}" beside it; add it` };
}

function badName(parent: string, name: string): Problem {
  const path = parent + pointer(name);
  const rule = lowerFirst(schema.$defs.name.description);
  return { path, code: 'schema', message: `${spoken(parent)}: "${shortened(name)}" must be ${rule}; rename it` };
}

function codeOf({ keyword, instancePath, data }: ErrorObject): ProblemCode {
  if (keyword === 'enum' && /^\/spec\/networks\/[^/]+\/driver$/.test(instancePath)) return 'unknown_driver';
  if (typeof data === 'number' && /^\/spec\/networks\/[^/]+\/vni$/.test(instancePath)) return 'vni_range';
  return 'schema';
}

function expectation(keyword: string, field: FieldSchema): string {
  if (field.const !== undefined) return `must be ${JSON.stringify(field.const)}`;
  if (field.enum) return `must be one of ${field.enum.join(', ')}`;
  if (field.type === 'integer') return `must be a whole number from ${field.minimum} to ${field.maximum}`;
  if (field.type === 'boolean') return 'must be true or false';
  if (keyword === 'type' && field.type === 'object') return 'must be an object, { … }';
  if (keyword === 'type' && field.type === 'array') return 'must be a list, [ … ]';
  if (keyword === 'uniqueItems') return 'must not hold the same item twice; remove one';
  return `has the wrong form; write: ${lowerFirst(field.description ?? 'another value')}`;
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]* ?/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
