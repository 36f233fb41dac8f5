import type { BootstrapKey } from '../../src/service/bootstrap-keys.ts';

const HEAD = `# Linkspan's bootstrap file: what the gateway must know before it can be told anything else. Below is every key with its
# default: take the # before a key away to change it, then \`linkspand --config /etc/linkspan/linkspan.yaml --check\` and
# \`systemctl restart linkspan\`. Passwords and private keys are files of their own, beside this one.
`;

/** What the package sets otherwise than the program, and why. */
const OURS: Readonly<Record<string, { readonly value: string; readonly why: string }>> = {
  'mqtt.embedded.listen': {
    value: '127.0.0.1:1883',
    why: 'no network may command a gateway that has just been installed: the default is 0.0.0.0:1883',
  },
};

/** The bootstrap file that a package installs: each key commented out with its meaning and default. */
export function conffile(keys: Readonly<Record<string, BootstrapKey>>): string {
  const lines: string[] = [];
  let open: readonly string[] = [];
  for (const [key, entry] of inOrder(keys)) {
    const parts = key.split('.');
    const groups = parts.slice(0, -1);
    const shared = groups.findIndex((name, at) => open[at] !== name);
    for (let at = shared === -1 ? groups.length : shared; at < groups.length; at += 1) {
      if (at === 0) lines.push('');
      lines.push(`${'  '.repeat(at)}${groups[at]}:`);
    }
    open = groups;
    lines.push(...leaf('  '.repeat(groups.length), parts.at(-1) ?? '', key, entry));
  }
  return `${HEAD}${lines.join('\n')}\n`;
}

function leaf(indent: string, name: string, key: string, { doc, default: value }: BootstrapKey): readonly string[] {
  const ours = OURS[key];
  const meaning = `${indent}# ${doc}`;
  if (ours) return [meaning, `${indent}# ${ours.why}`, `${indent}${name}: ${ours.value}`];
  return [meaning, `${indent}#${name}: ${value === '' ? "''" : value}`];
}

const depth = (key: string): number => key.split('.').length;
const top = (key: string): string => (depth(key) === 1 ? '' : (key.split('.')[0] ?? ''));

/** Keys of one mapping stand together: `mqtt.url` and `mqtt.username` before the mapping `mqtt.embedded`. */
function inOrder(keys: Readonly<Record<string, BootstrapKey>>): readonly (readonly [string, BootstrapKey])[] {
  const all = Object.entries(keys);
  const groups = [...new Set(all.map(([key]) => top(key)))];
  return groups.flatMap((group) => all.filter(([key]) => top(key) === group).sort(([a], [b]) => depth(a) - depth(b)));
}
