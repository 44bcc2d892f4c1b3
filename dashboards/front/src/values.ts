import { type DataFrame, type MetricFindValue } from '@grafana/data';

/** Values of a frame with `text` and `value`, or with a single text column. */
export function valuesOf(frame?: DataFrame): MetricFindValue[] {
  const field = (name: string) => frame?.fields.find((f) => f.name === name);
  const text = field('text') ?? frame?.fields[0];
  const value = field('value') ?? text;
  return Array.from({ length: frame?.length ?? 0 }, (_, i) => ({ text: String(text?.values[i]), value: String(value?.values[i]) }));
}
