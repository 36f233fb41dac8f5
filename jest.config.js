if (!process.version.startsWith('v24.'))
  throw new Error(`Linkspan is tested on Node 24; use "npm run jest" (this is ${process.version})`);

const project = (displayName, testMatch) => ({
  displayName,
  rootDir: import.meta.dirname,
  testMatch,
  modulePathIgnorePatterns: ['<rootDir>/build/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/scripts/strip-types.cjs' },
});

const image = (displayName, files) => ({
  ...project(displayName, [`<rootDir>/test/image/${files}.test.ts`]),
  globalSetup: '<rootDir>/test/lab/image/setup.ts',
  // A project's own testTimeout does not count.
  setupFilesAfterEnv: ['<rootDir>/test/lab/image/patience.ts'],
});

export default {
  rootDir: import.meta.dirname,
  testTimeout: 60_000,
  projects: [
    project('unit', ['<rootDir>/test/unit/**/*.test.ts', '<rootDir>/test/architecture.test.ts']),
    project('fuzz', ['<rootDir>/test/fuzz/**/*.fuzz.test.ts']),
    project('docker', ['<rootDir>/test/docker/**/*.test.ts']),
    project('netns', ['<rootDir>/test/netns/*.test.ts']),
    project('netns-alone', ['<rootDir>/test/netns/alone/*.test.ts']),
    project('package', ['<rootDir>/test/package/**/*.test.ts']),
    {
      ...project('vm', ['<rootDir>/test/vm/**/*.test.ts']),
      globalSetup: '<rootDir>/test/lab/vm/setup.ts',
      globalTeardown: '<rootDir>/test/lab/vm/teardown.ts',
      testTimeout: 180_000,
    },
    image('image', '*'),
    image('image-boards', 'boards/*'),
    image('image-numbers', 'numbers/*'),
    image('image-sites', 'sites/*'),
    image('image-faults', 'faults/*'),
  ],
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts', '!src/**/*.d.ts'],
};
