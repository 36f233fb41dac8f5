/** The few shapes of SVG that the chart is made of. */
export type Attributes = Readonly<Record<string, string | number>>;

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Tenths of a pixel are enough. */
const round = (value: string | number): string | number =>
  typeof value === 'number' ? Math.round(value * 10) / 10 : value;

export function element(name: string, attributes: Attributes, content = ''): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${round(value)}"`);
  return `<${name}${list.join('')}>${content}</${name}>`;
}

export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escape(content));

export const line = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
  element('line', { x1, y1, x2, y2, stroke: colour });
