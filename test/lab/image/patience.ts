import { jest } from '@jest/globals';

/** A gateway in emulation takes half a minute to start on an idle machine, and several on a busy one. */
jest.setTimeout(600_000);
