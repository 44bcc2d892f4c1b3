import { type ScopedVars } from '@grafana/data';
import { interpolate, sqlValue } from './interpolate';
import { type FlyballQuery } from './types';

type Format = ((v: unknown) => string) | string | undefined;

/** Replaces `$name` and `${name}`, scoped variables first, and leaves unknown ones, as Grafana does. */
const srv = (vars: Record<string, unknown>) => ({
  replace: (text = '', scoped: ScopedVars = {}, format?: Format) =>
    text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced, bare) => {
      const name = braced ?? bare;
      const value = scoped[name]?.value ?? vars[name];
      return value === undefined ? all : typeof format === 'function' ? format(value) : String(value);
    }),
});

const ask = (q: Partial<FlyballQuery>, vars: Record<string, unknown> = {}, scoped: ScopedVars = {}) =>
  interpolate({ refId: 'A', queryType: 'runs', ...q }, scoped, srv(vars));

test('a text member keeps its variable', () => {
  const texts = [
    'agent', 'tenant', 'run', 'resource', 'family', 'state', 'minLevel', 'sort', 'of', 'by', 'part', 'prefix', 'owner', 'kinds',
  ] as const;
  for (const name of texts) {
    expect(ask({ [name]: '${v}' }, { v: 'filled' })[name]).toBe('filled');
  }
});

test('the type or the number of a query is taken for text', () => {
  expect(ask({ queryType: '$v', limit: 5 }, { v: 'x' })).toMatchObject({ queryType: '$v', limit: 5, refId: 'A' });
});

test('an unknown variable becomes empty, and so everything', () => {
  expect(ask({ agent: '${nowhere}' }).agent).toBe('${nowhere}');
});

test('two agents become one whose name is {a,b}', () => {
  expect(ask({ agent: '$a' }, { a: ['x', 'y'] }).several).toBe('agent');
  expect(ask({ agent: '$a', run: '$b' }, { a: ['x'], b: 'y' })).toMatchObject({ agent: 'x', run: 'y' });
  expect(ask({ agent: '$a' }, { a: '{x,y}' })).not.toHaveProperty('several');
});

test("a value's own text is interpolated again", () => {
  expect(ask({ agent: '$a' }, { a: '${b}', b: 'secret' }).agent).toBe('${b}');
});

test('a hostile value leaves its quotes in SQL', () => {
  const { sql } = ask({ queryType: 'sql', sql: "SELECT 1 FROM runs WHERE agent = '$a'" }, { a: "x' OR 1=1 --\\" });
  expect(sql).toBe("SELECT 1 FROM runs WHERE agent = 'x\\' OR 1=1 --\\\\'");
  expect(ask({ queryType: 'sql', sql: 'agent IN ($a)' }, { a: ['a', "b'c"] }).sql).toBe("agent IN ('a','b\\'c')");
});

test("the interval of the panel takes the backend's place in SQL", () => {
  const scoped = { __interval: { text: '15s', value: '15s' }, __interval_ms: { text: '15000', value: 15000 } };
  const sql = 'toStartOfInterval(t, $__interval) AND $__timeFilter(t)';
  expect(ask({ queryType: 'sql', sql }, {}, scoped).sql).toBe(sql);
});

test('ad hoc filters replace those of the query', () => {
  const own = { key: 'level', operator: '=', value: '$v' };
  const adhoc = [{ key: 'agent', operator: '!=', value: 'bot', condition: '' }, { key: '', operator: '=', value: '' }];
  const got = interpolate({ refId: 'A', filters: [own] }, {}, srv({ v: 'trip' }), adhoc);
  expect(got.filters).toEqual([{ key: 'level', operator: '=', value: 'trip' }, { key: 'agent', operator: '!=', value: 'bot' }]);
});

test('the list of a filter is lost, or keeps its variables', () => {
  const adhoc = [{ key: 'agent', operator: '=|', value: '', values: ['a', '$v'] }];
  expect(interpolate({ refId: 'A' }, {}, srv({ v: 'b' }), adhoc).filters).toEqual([{ ...adhoc[0], values: ['a', 'b'] }]);
});

test('no filters become an empty list', () => {
  expect(ask({})).not.toHaveProperty('filters');
});

test('a value for SQL that is a number is broken', () => {
  expect(sqlValue(7)).toBe('7');
});
