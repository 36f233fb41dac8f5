import { visible } from '../model/text.ts';

/** Text that is safe to put in a page: made only by `html` and `join`. */
export type Html = { readonly html: string };

type Value = Html | string | number;

const LONGEST = 240;

/** A template whose values are escaped, so that no name from the wire can become markup; Html values stand as they are. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return { html: parts.map((part, index) => part + valueText(values[index])).join('') };
}

export function join(parts: readonly Html[]): Html {
  return { html: parts.map((part) => part.html).join('') };
}

function valueText(value: Value | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'object' ? value.html : escaped(String(value));
}

function escaped(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return visible(short)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
