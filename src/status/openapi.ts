type Described = {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly produces: string;
  readonly accepts?: object;
};

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'code', 'message'],
        properties: { path: { type: 'string' }, code: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

/** The OpenAPI 3.1 description of these routes. */
export function openApi(routes: readonly Described[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Linkspan local interface', version: '1' },
    paths,
    components: { schemas: { Problem: PROBLEM } },
  };
}

function operation(route: Described): object {
  const failure = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return {
    summary: route.summary,
    ...(route.accepts && {
      requestBody: { required: true, content: { 'application/json': { schema: route.accepts } } },
    }),
    responses: {
      '2XX': { description: 'OK', content: { [route.produces]: {} } },
      default: { description: 'What is wrong and what to do about it', content: failure },
    },
  };
}
