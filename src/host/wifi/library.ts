import type wifi from 'node-wifi';

type NodeWifi = typeof wifi;

/** What node-wifi sets at its import, for this process and all its children. */
const LOCALE = ['LANG', 'LC_ALL', 'LC_MESSAGES'] as const;
/** Every Debian has it; in another, nmcli writes a question mark for each letter of an SSID that is not ASCII. */
const UTF8 = 'C.UTF-8';
/** It waits for nmcli as long as that takes, and tells nmcli to wait 10 s for a connection. */
const DEADLINE_MS = 30_000;

let loaded: Promise<NodeWifi> | undefined;

/**
 * Has node-wifi do one thing with one interface. It passes `process.env` itself to nmcli when it starts it, before it
 * returns: so the locale that it needs is there for that long, and everybody else's stays as it was.
 */
export async function withNodeWifi<T>(device: string, act: (library: NodeWifi) => Promise<T>): Promise<T> {
  const library = await (loaded ??= load());
  const before = localeNow();
  setLocale({ LANG: UTF8, LC_ALL: UTF8, LC_MESSAGES: UTF8 });
  try {
    library.init({ iface: device });
    return inTime(act(library));
  } finally {
    setLocale(before);
  }
}

function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const message = `nmcli did not answer in ${DEADLINE_MS / 1000} s`;
  const limit = setTimeout(() => late.reject(new Error(message)), DEADLINE_MS);
  return Promise.race([work, late.promise]).finally(() => clearTimeout(limit));
}

/** Only where a document names an SSID. */
async function load(): Promise<NodeWifi> {
  const before = localeNow();
  try {
    return (await import('node-wifi')).default;
  } finally {
    setLocale(before);
  }
}

type Locale = Partial<Record<(typeof LOCALE)[number], string>>;

function localeNow(): Locale {
  return Object.fromEntries(LOCALE.flatMap((name) => (name in process.env ? [[name, process.env[name]]] : [])));
}

function setLocale(locale: Locale): void {
  for (const name of LOCALE) {
    if (locale[name] === undefined) delete process.env[name];
    else process.env[name] = locale[name];
  }
}
