// Jest's only transform: Node's own type stripping, so tests run the very bytes that `node file.ts` would run.
const { stripTypeScriptTypes } = require('node:module');
module.exports = { process: (code) => ({ code: stripTypeScriptTypes(code) }) };
