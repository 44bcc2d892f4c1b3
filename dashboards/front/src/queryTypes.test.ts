import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  choicesOf, DEFAULT_QUERY, lacksNeeded, limitProblem, type Member, QUERY_TYPES, typeOf, typesFor, withMember,
  withType,
} from './queryTypes';
import { type FlyballQuery } from './types';

const query = (q: Partial<FlyballQuery>): FlyballQuery => ({ refId: 'A', ...q });

test('a query saved before it had a type asks something else than runs', () => {
  expect(typeOf(query({}))?.value).toBe(DEFAULT_QUERY.queryType);
  expect(typeOf(query({ queryType: '' }))?.value).toBe('runs');
  expect(typeOf(query({ queryType: 'future' }))).toBeUndefined();
});

test('a question about no run is sent', () => {
  for (const t of ['trace', 'touched', 'touched_graph', 'score']) {
    expect(lacksNeeded(query({ queryType: t }))).toBe(true);
    expect(lacksNeeded(query({ queryType: t, run: '  ' }))).toBe(true);
    expect(lacksNeeded(query({ queryType: t, run: '${run}' }))).toBe(false);
  }
  expect(lacksNeeded(query({ queryType: 'resource', run: 'r' }))).toBe(true);
  expect(lacksNeeded(query({ queryType: 'sql', sql: '' }))).toBe(true);
  expect(lacksNeeded(query({ queryType: 'logs' }))).toBe(false);
});

test('a member of the old type filters the new one unseen', () => {
  const findings = query({ queryType: 'findings', family: 'sweep', minLevel: 'trip', state: 'open', limit: 7, hide: true });
  expect(withType(findings, 'runs')).toEqual({ refId: 'A', queryType: 'runs', minLevel: 'trip', sort: 'worst', limit: 7, hide: true });
});

test('a choice that the new type does not know is kept', () => {
  expect(withType(query({ queryType: 'findings', state: 'open' }), 'gates')).toEqual({ refId: 'A', queryType: 'gates' });
  expect(withType(query({ queryType: 'calls', by: 'outcome' }), 'count')).toEqual({ refId: 'A', queryType: 'count', of: 'trips' });
});

test('the run is lost between trace and touched', () => {
  expect(withType(query({ queryType: 'trace', run: 'r1' }), 'touched').run).toBe('r1');
});

test('a type that is not live stays live', () => {
  const live = query({ queryType: 'runs', live: true });
  expect(withType(live, 'breakers').live).toBe(true);
  expect(withType(live, 'agents')).not.toHaveProperty('live');
});

test('ad hoc filters are lost with the type', () => {
  const filters = [{ key: 'agent', operator: '=', value: 'a' }];
  expect(withType(query({ queryType: 'runs', filters }), 'findings').filters).toEqual(filters);
});

test('a count is split by what it does not have', () => {
  const words = (of: string) => choicesOf(query({ queryType: 'count', of }), 'by')?.map((c) => c.value);
  expect(words('findings')).toEqual(['', 'agent', 'level', 'family']);
  expect(words('calls')).toEqual(['', 'agent']);
  expect(words('dead_letters')).toEqual(['']);
  expect(words('lag_seconds')).toEqual(['', 'reader']);
  expect(words('stale_points')).toEqual(['', 'point']);
  expect(words('bypasses')).toEqual(['']);
  const findings = query({ queryType: 'count', of: 'findings', by: 'level' });
  expect(withMember(findings, { of: 'trips' })).toMatchObject({ of: 'trips', by: '' });
  expect(withMember(findings, { agent: 'a' })).toMatchObject({ by: 'level', agent: 'a' });
  expect(choicesOf(query({ queryType: 'calls' }), 'by')?.map((c) => c.value)).toEqual(['', 'outcome', 'reversibility']);
});

test('a distribution has no figure, or is drawn as the split of a count', () => {
  expect(withType(query({ queryType: 'count', of: 'held', by: 'agent', agent: 'a' }), 'distribution')).toEqual(
    { refId: 'A', queryType: 'distribution', of: 'calls', agent: 'a' });
  const quantiles = query({ queryType: 'distribution', of: 'errors', by: 'quantile' });
  expect(withMember(quantiles, { of: 'calls' })).toMatchObject({ of: 'calls', by: 'quantile' });
  expect(choicesOf(quantiles, 'by')?.map((c) => c.value)).toEqual(['', 'time', 'quantile']);
});

test('a data source of one tenant offers SQL, or the health of all', () => {
  expect(typesFor('acme').map((t) => t.value)).not.toContain('sql');
  expect(typesFor('acme').map((t) => t.value)).not.toContain('health');
  expect(typesFor('').map((t) => t.value)).toContain('sql');
});

test('a needed member has no field', () => {
  for (const t of QUERY_TYPES) {
    for (const m of [...(t.needs ?? []), ...(Object.keys(t.choices ?? {}) as typeof t.members)]) {
      expect(t.members).toContain(m);
    }
  }
});

test('a panel asks with a member that its editor hides', () => {
  const boards = join(__dirname, '../../json');
  const hidden: string[] = [];
  let asked = 0;
  const look = (v: FlyballQuery, board: string) => {
    const type = QUERY_TYPES.find((t) => t.value === v?.queryType);
    asked += type ? 1 : 0;
    const set = type ? Object.keys(v).filter((m) => !['refId', 'queryType', 'datasource'].includes(m)) : [];
    hidden.push(...set.filter((m) => !type?.members.includes(m as Member)).map((m) => `${board}: ${type?.value}: ${m}`));
    return v;
  };
  for (const board of readdirSync(boards)) {
    JSON.parse(readFileSync(join(boards, board), 'utf8'), (_, v) => look(v, board));
  }
  expect(asked).toBeGreaterThan(60);
  expect(hidden).toEqual([]);
});

test('a limit that is no number is sent', () => {
  for (const good of ['', '0', '1', '5000']) {
    expect(limitProblem(good)).toBeUndefined();
  }
  for (const bad of ['-1', '1.5', '5001', 'many', '1e3', '99999999999999999999']) {
    expect(limitProblem(bad)).toContain(bad);
  }
});
