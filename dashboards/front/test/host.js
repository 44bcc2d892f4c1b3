// What Grafana offers to a plugin's module, as one bundle.
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as ui from '@grafana/ui';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import { of } from 'rxjs';

window.shared = { '@grafana/data': data, '@grafana/runtime': runtime, '@grafana/ui': ui, react: React };
window.asked = [];

runtime.setBackendSrv({
  fetch: (request) => {
    window.asked.push({ url: request.url, method: request.method, body: request.data });
    const frame = { schema: { refId: 'A', fields: [{ name: 'agent', type: 'string' }, { name: 'score', type: 'number' }] }, data: { values: [['billing/bot'], [7.5]] } };
    return of({ status: 200, ok: true, data: { results: { A: { status: 200, frames: [frame] } } } });
  },
});
runtime.setTemplateSrv({ getVariables: () => [], containsTemplate: () => false, updateTimeRange: () => {}, replace: (s) => (s || '').replace('${run}', 'run-7').replace('${agent}', '') });
runtime.setDataSourceSrv?.({ getInstanceSettings: () => ({ uid: 'flyball', type: 'flyball-flyball-datasource', id: 1 }) });
window.render = (component, props) => createRoot(document.getElementById('root')).render(React.createElement(component, props));
