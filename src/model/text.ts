// Control and format characters, line separators and lone surrogates: on a terminal or a page they move the cursor,
// recolour, reverse the reading direction, or make a name look like another one.
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The text with everything that is not plainly visible written as an escape such as `\x1b` or `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(DECEPTIVE, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
  });
}

const LABEL_MAX = 63;

/** The text as one label of a DNS name (RFC 1035 section 2.3.1): lower-case, all other characters as dashes; may be empty. */
export function dnsLabel(text: string): string {
  const dashed = text.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-');
  return dashed.replaceAll(/^-+/g, '').slice(0, LABEL_MAX).replaceAll(/-+$/g, '');
}
