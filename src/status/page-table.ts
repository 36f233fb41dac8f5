import { html, join, type Html } from './html.ts';

/** `good`, `warn` and `bad` colour a word; the word itself always says the same, so colour is never all there is. */
export type Tone = 'good' | 'warn' | 'bad';

export type Cell = Html | string | number | null;

export function toned(tone: Tone, text: string): Html {
  return html`<span class="${tone}-t">${text}</span>`;
}

/** `first` and, where there is a remark, the remark below it in muted text. */
export function withRemark(first: string, remark: string | null): Html {
  return remark === null || remark === ''
    ? html`${first}`
    : html`${first}
        <div class="mute">${remark}</div>`;
}

/** The word, and where there is a remark, the remark below it. */
export function withTone(tone: Tone, word: string, remark: string | null): Html {
  return remark === null
    ? toned(tone, word)
    : html`${toned(tone, word)}
        <div class="mute">${remark}</div>`;
}

/** One below the other. */
export function lines(list: readonly string[]): Html {
  return join(list.map((one) => html`<div>${one}</div>`));
}

/** Seconds as people say them, in at most two units. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

export type TableOptions = {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** most rows shown; the rest is counted and found at `more` */
  readonly limit: number;
  readonly more: string;
  readonly empty: string;
};

/** A titled table; on a narrow screen each value shows its column's name, except in the first column. */
export function table({ title, columns, rows, limit, more, empty }: TableOptions): Html {
  const heading = html`<h2>${title} <small>${rows.length > 0 ? rows.length : ''}</small></h2>`;
  if (rows.length === 0)
    return html`<section>
      ${heading}
      <div class="mute">${empty}</div>
    </section>`;
  const head = join(columns.map((column) => html`<th>${column}</th>`));
  const body = join(rows.slice(0, limit).map((row) => rowOf(columns, row)));
  const rest = rows.length - limit;
  const note = rest > 0 ? html`<p class="more">and ${rest} more: <a href="${more}">${more}</a></p>` : html``;
  return html`<section>
    ${heading}
    <table>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
    ${note}
  </section>`;
}

function rowOf(columns: readonly string[], row: readonly Cell[]): Html {
  const cells = row.map((cell, index) => {
    return index === 0 ? html`<td>${cell ?? ''}</td>` : html`<td data-l="${columns[index] ?? ''}">${cell ?? ''}</td>`;
  });
  return html`<tr>
    ${join(cells)}
  </tr>`;
}
