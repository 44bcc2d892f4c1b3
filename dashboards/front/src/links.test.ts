import { type DataFrame, type FieldType } from '@grafana/data';
import { withLinks } from './links';
import { lacksNeeded, QUERY_TYPES } from './queryTypes';
import { type FlyballQuery } from './types';

const frame = (...names: string[]): DataFrame => (
  { length: 1, fields: names.map((name) => ({ name, type: 'string' as FieldType, config: { unit: 'short' }, values: ['x'] })) });

const linksOf = (name: string) => {
  const [field] = withLinks({ data: [frame(name)] }, { uid: 'u', name: 'Flyball' }).data[0].fields as DataFrame['fields'];
  expect(field.config.unit).toBe('short');
  return (field.config.links ?? []).map(({ title, internal }) => (
    { title, uid: internal?.datasourceUid, query: internal?.query as FlyballQuery }));
};

test('a link asks what the backend does not answer, or leaves its selection behind', () => {
  for (const [field, types] of Object.entries({
    run: ['findings', 'trace', 'touched', 'score', 'logs'], traceID: ['findings', 'touched', 'score', 'logs'], agent: ['runs', 'findings'],
    resource: ['resource'],
  })) {
    const links = linksOf(field);
    expect(links.map((l) => l.query.queryType)).toEqual(types);
    for (const { title, uid, query } of links) {
      const type = QUERY_TYPES.find((t) => t.value === query.queryType);
      const members = Object.keys(query).filter((m) => !['refId', 'queryType'].includes(m));
      expect(members.filter((m) => !(type?.members as string[]).includes(m))).toEqual([]);
      expect([lacksNeeded(query), uid, title !== '']).toEqual([false, 'u', true]);
      expect(JSON.stringify(query)).toContain('${__value.raw}');
    }
  }
});

test('a field that is named like a member of every object has links', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'score', 'agent in lines']) {
    expect(linksOf(name)).toEqual([]);
  }
});
