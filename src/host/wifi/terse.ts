/**
 * The records of `nmcli --terse`: one a line, fields by colons, a colon or backslash of a field's own after a backslash.
 * Records of another number of fields than `count` are left out: an SSID may hold a line break, which nmcli passes on.
 */
export function terseRecords(output: string, count: number): readonly (readonly string[])[] {
  return output
    .split('\n')
    .map((line) => fieldsOf(line))
    .filter((fields) => fields.length === count);
}

function fieldsOf(line: string): readonly string[] {
  const fields = line.match(/(?:\\.|[^:\\])*(?::|$)/gu) ?? [];
  // The last match is empty, behind the last field's end, unless that field is empty itself.
  const last = line === '' || !line.endsWith(':') ? fields.slice(0, -1) : fields;
  return last.map((field) => field.replace(/:$/u, '').replaceAll(/\\(.)/gu, '$1'));
}

/** The values of `nmcli --terse … show`, one a line behind its field's name: there nothing is escaped. */
export function terseValues(output: string): readonly string[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => line.slice(line.indexOf(':') + 1));
}
