import { Subject } from 'rxjs';
import { tellAnswers } from './answers';

const url = 'https://grafana.example/sub/api/datasources/uid/flyball/resources/breakers/trip?run=k1';
const headers = { 'X-Grafana-Action': '1' };
const held = { config: { url, headers }, ok: true, data: { message: 'run k1 is held' } };

function heard(...events: unknown[]): Array<[boolean, string]> {
  const stream = new Subject<never>();
  const said: Array<[boolean, string]> = [];
  tellAnswers({ getInspectorStream: () => stream }, (done, text) => said.push([done, text]));
  events.forEach((e) => stream.next(e as never));
  return said;
}

test('the answer to a button is not said', () => {
  const refused = { ...held, ok: undefined, status: 403, data: { message: 'viewer may not do this' } };
  expect(heard(held, { response: held, requestId: 'a' }, refused)).toEqual([
    [true, 'run k1 is held'], [true, 'run k1 is held'], [false, 'viewer may not do this'],
  ]);
});

test('the answer to something else is said', () => {
  const other = (change: object) => ({ ...held, config: { url, headers, ...change } });
  expect(heard(
    other({ headers: {} }), other({ headers: undefined }), other({ url: 'https://grafana.example/api/dashboards/uid/x' }),
    other({ url: '/api/datasources/uid/flyball/resources/agents?prefix=a' }), other({ url: '/api/ds/query' }), other({ url: undefined }),
    { ...held, data: { message: '' } }, { ...held, data: 'text' }, { ...held, data: undefined }, { ...held, data: { message: {} } }, {},
  )).toEqual([]);
});

test('an answer without a text, or to something else, is taken for the end of an action', () => {
  const stream = new Subject<never>();
  let answered = 0;
  tellAnswers({ getInspectorStream: () => stream }, () => undefined, () => answered++);
  for (const event of [held, { ...held, data: undefined }, { ...held, config: { url: '/api/ds/query', headers } }]) {
    stream.next(event as never);
  }
  expect(answered).toBe(2);
});

test('a Grafana without the stream has no data source', () => {
  expect(() => [undefined, {}].forEach((service) => tellAnswers(service, () => fail()))).not.toThrow();
});
