import { type DataFrame } from '@grafana/data';
import { valuesOf } from './values';

const frame = (columns: Record<string, unknown[]>) =>
  ({
    length: Object.values(columns)[0].length, fields: Object.entries(columns).map(([name, values]) => ({ name, values })),
  }) as unknown as DataFrame;

test('the text is taken for the value', () => {
  expect(valuesOf(frame({ value: ['r1'], text: ['billing, 12:00'] }))).toEqual([{ text: 'billing, 12:00', value: 'r1' }]);
});

test('a frame of one column gives nothing', () => {
  expect(valuesOf(frame({ agent: ['a', 'b'] }))).toEqual([{ text: 'a', value: 'a' }, { text: 'b', value: 'b' }]);
});

test('no frame is an error', () => {
  expect(valuesOf(undefined)).toEqual([]);
});
