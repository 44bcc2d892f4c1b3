// What Grafana offers to a plugin's module, as one bundle, and a stand-in for the page that holds an editor.
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as ui from '@grafana/ui';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import * as rxjs from 'rxjs';

window.shared = { '@grafana/data': data, '@grafana/runtime': runtime, '@grafana/ui': ui, react: React, rxjs };
window.asked = [];

const column = (name, type, values) => ({ name, type, values });
const frameOf = (...columns) => ({
  schema: { refId: 'A', fields: columns.map(({ name, type }) => ({ name, type })) }, data: { values: columns.map((c) => c.values) },
});
const RUNS = frameOf(column('agent', 'string', ['billing/bot']), column('score', 'number', [7.5]));
const VALUES = frameOf(column('value', 'string', ['team-a', 'team-b']), column('text', 'string', ['Team A', 'Team B']));
const OFFERS = { agents: [{ text: 'billing/bot', value: 'billing/bot' }, { text: 'billing/nightly', value: 'billing/nightly' }],
  runs: [{ text: 'run-7 (billing/bot)', value: 'run-7' }] };

window.inspected = new rxjs.Subject();
window.alerts = [];
const events = new data.EventBusSrv();
for (const { name } of [data.AppEvents.alertSuccess, data.AppEvents.alertError]) {
  events.getStream({ type: name }).subscribe(({ payload }) => window.alerts.push([name, ...payload]));
}
runtime.setAppEvents(events);
runtime.setBackendSrv({
  getInspectorStream: () => window.inspected,
  fetch: (request) => {
    const { url, method, params, data: body } = request;
    window.asked.push({ url, method, params, body });
    const resource = /\/resources\/(\w+)$/.exec(url)?.[1];
    if (resource) {
      return rxjs.of({ status: 200, ok: true, data: OFFERS[resource] });
    }
    const answer = (q) => ({ status: 200, frames: [q.queryType === 'variable' ? VALUES : RUNS] });
    const results = Object.fromEntries(body.queries.map((q) => [q.refId, answer(q)]));
    return rxjs.of({ status: 200, ok: true, data: { results } });
  },
});
const VARIABLES = { run: 'run-7', agent: '' };
runtime.setTemplateSrv({
  getVariables: () => [], containsTemplate: () => false, updateTimeRange: () => {},
  replace: (text = '') => text.replace(/\$\{(\w+)\}/g, (all, name) => VARIABLES[name] ?? all),
});
runtime.setDataSourceSrv?.({ getInstanceSettings: () => ({ uid: 'flyball', type: 'flyball-flyball-datasource', id: 1 }) });

window.datasource = (jsonData = {}) =>
  new window.plugin.DataSourceClass({ id: 1, uid: 'flyball', type: 'flyball-flyball-datasource', name: 'Flyball', jsonData, meta: {} });

let root;
// Holds what the editor edits as Grafana does: a change comes back as a property, and window.setValue changes it from outside.
function Holder({ Editor, initial, property, on, rest }) {
  const [value, setValue] = React.useState(initial);
  window.setValue = setValue;
  const change = (next) => {
    window.changes.push(next);
    setValue(next);
  };
  return React.createElement(Editor, { ...rest, [property]: value, [on]: change, onRunQuery: () => window.runs++ });
}

window.mount = (Editor, kind, initial, { mode = 'dark', jsonData } = {}) => {
  root?.unmount();
  window.changes = [];
  window.runs = 0;
  window.asked = [];
  const theme = data.createTheme({ colors: { mode } });
  Object.assign(document.body.style, { background: theme.colors.background.primary, color: theme.colors.text.primary });
  const of = kind === 'config' ? { property: 'options', on: 'onOptionsChange' } : { property: 'query', on: 'onChange' };
  const rest = kind === 'config' ? {} : { datasource: window.datasource(jsonData) };
  root = createRoot(document.getElementById('root'));
  const holder = React.createElement(Holder, { Editor, initial, ...of, rest });
  root.render(React.createElement(data.ThemeContext.Provider, { value: theme }, holder));
};
