import type { FirmwareStatus } from '../model/firmware.ts';

/** What runs, and how far it is with another one. */
export function firmwareLines(status: FirmwareStatus): readonly string[] {
  const { version, slot, error, waiting_for: waiting } = status;
  return [
    `firmware ${version}, slot ${slot}, ${stateWords(status)}`,
    ...(waiting.length > 0 ? [`  waits for ${waiting.join(', ')}`] : []),
    ...(error === null ? [] : [`  ${error.message}`]),
  ];
}

function stateWords({ state, progress, version, target_version: target }: FirmwareStatus): string {
  const what = target === null || target === version ? '' : ` ${target}`;
  const far = progress === null ? '' : ` ${progress} %`;
  return `${state.replace('_', ' ')}${what}${far}`;
}
