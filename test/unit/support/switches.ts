/** Switches a setting of these devices on or off. */
export function switchAll(names: Set<string>, devices: readonly string[], on: boolean): void {
  for (const device of devices) {
    if (on) names.add(device);
    else names.delete(device);
  }
}
