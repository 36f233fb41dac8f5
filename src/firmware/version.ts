const FORM = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** Below zero where `one` is older, by the rules of semver.org (section 11); undefined where either is no such version. */
export function compareVersions(one: string, other: string): number | undefined {
  const [a, b] = [FORM.exec(one), FORM.exec(other)];
  if (a === null || b === null) return undefined;
  const numbers = [1, 2, 3].map((at) => Number(a[at]) - Number(b[at])).find((difference) => difference !== 0);
  return numbers ?? compareLabels(a[4], b[4]);
}

/** What comes before a release is older than it. */
function compareLabels(one: string | undefined, other: string | undefined): number {
  if (one === other) return 0;
  if (one === undefined) return 1;
  if (other === undefined) return -1;
  const [a, b] = [one.split('.'), other.split('.')];
  const at = a.findIndex((word, n) => word !== b[n]);
  const [mine, theirs] = [at < 0 ? undefined : a[at], b[at < 0 ? a.length : at]];
  if (mine === undefined || theirs === undefined) return mine === undefined ? -1 : 1;
  const [isNumber, isOther] = [mine, theirs].map((word) => /^\d+$/.test(word)) as [boolean, boolean];
  if (isNumber && isOther) return Number(mine) - Number(theirs);
  if (isNumber !== isOther) return isNumber ? -1 : 1;
  return mine < theirs ? -1 : 1;
}

/** Whether an update to `version` would go back. One that cannot be compared is not taken for newer. */
export function isOlder(version: string, running: string): boolean {
  const order = compareVersions(version, running);
  return order === undefined ? version !== running : order < 0;
}
