// The front of the data source: a configuration editor and a query editor. It is
// written as an AMD module because that is what Grafana loads: no bundler, and
// nothing but what Grafana shares.
define(['@grafana/data', '@grafana/runtime', '@grafana/ui', 'react'], function (data, runtime, ui, React) {
  'use strict';
  const h = React.createElement;

  const TYPES = [
    { value: 'runs', label: 'Runs', description: 'runs of agents, the worst first' },
    { value: 'findings', label: 'Findings', description: 'what the detector found' },
    { value: 'breakers', label: 'Breakers', description: 'the history of circuit breakers' },
    { value: 'touched', label: 'Touched', description: 'what one run touched, the most dangerous first' },
    { value: 'trace', label: 'Trace', description: 'the calls of one run as a trace' },
    { value: 'calls', label: 'Calls', description: 'calls over time, with failures and denials' },
    { value: 'held', label: 'Held now', description: 'who is held by a breaker now' },
    { value: 'gates', label: 'Gates', description: 'questions to people, those that wait first' },
    { value: 'agents', label: 'Agents', description: 'one row for each agent, the most at risk first' },
    { value: 'touched_graph', label: 'Touched, as a graph', description: 'run, routes and resources' },
    { value: 'resource', label: 'Resource', description: 'who touched a resource' },
    { value: 'score', label: 'Score', description: 'the score of one run over time' },
    { value: 'count', label: 'Count', description: 'one number, for stat panels and alert rules' },
    { value: 'logs', label: 'Logs', description: 'the calls of a run or an agent as lines' },
    { value: 'health', label: 'Health', description: 'whether Flyball itself works' },
    { value: 'quality', label: 'Quality', description: 'alarms by the verdicts of people' },
    { value: 'sql', label: 'SQL', description: 'a read-only statement over the views' },
    { value: 'annotations', label: 'Annotations', description: 'trips and new baselines' },
    { value: 'variable', label: 'Variable', description: 'values of a variable of a dashboard' },
  ];
  const LEVELS = [{ value: '', label: 'any level' }, { value: 'annotate', label: 'annotate' }, { value: 'alert', label: 'alert' }, { value: 'trip', label: 'trip' }];

  class FlyballDatasource extends runtime.DataSourceWithBackend {
    getDefaultQuery() {
      return { queryType: 'runs' };
    }
    // A trace or a report of no run would be an error on every dashboard that has not chosen one yet.
    filterQuery(query) {
      return !query.hide && !((query.queryType === 'trace' || query.queryType === 'touched') && !query.run);
    }
    applyTemplateVariables(query, scoped) {
      const fill = (s) => (s ? runtime.getTemplateSrv().replace(s, scoped) : s);
      return Object.assign({}, query, { run: fill(query.run), agent: fill(query.agent) });
    }
  }

  function field(label, tooltip, child) {
    return h(ui.InlineField, { label: label, labelWidth: 16, tooltip: tooltip, key: label }, child);
  }

  function QueryEditor(props) {
    const q = Object.assign({ queryType: 'runs' }, props.query);
    const set = (change) => {
      props.onChange(Object.assign({}, q, change));
      props.onRunQuery();
    };
    const text = (name, placeholder) =>
      h(ui.Input, { width: 40, defaultValue: q[name] || '', placeholder: placeholder, 'aria-label': name, onBlur: (e) => e.target.value !== (q[name] || '') && set({ [name]: e.target.value }) });
    const ofRun = q.queryType === 'trace' || q.queryType === 'touched';
    return h('div', { 'data-testid': 'flyball-query' }, [
      field('Show', 'what the panel is about', h(ui.Select, { width: 40, options: TYPES, value: q.queryType, 'aria-label': 'queryType', onChange: (v) => set({ queryType: v.value }) })),
      ofRun && field('Run', 'a run id, or the key that the agent gave its run', text('run', '$run')),
      !ofRun && field('Agent', 'exact name; empty is all', text('agent', 'all')),
      (q.queryType === 'runs' || q.queryType === 'findings') &&
        field('Least level', '', h(ui.Select, { width: 40, options: LEVELS, value: q.minLevel || '', 'aria-label': 'minLevel', onChange: (v) => set({ minLevel: v.value }) })),
    ]);
  }

  function ConfigEditor(props) {
    const o = props.options;
    const json = o.jsonData || {};
    const set = (name) => (e) => props.onOptionsChange(Object.assign({}, o, { jsonData: Object.assign({}, json, { [name]: e.target.value }) }));
    const input = (name, placeholder) => h(ui.Input, { width: 40, value: json[name] || '', placeholder: placeholder, 'aria-label': name, onChange: set(name) });
    return h('div', { 'data-testid': 'flyball-config' }, [
      field('ClickHouse', "host:port of the HTTP interface that Flyball stores to", input('addr', '127.0.0.1:8123')),
      field('Database', '', input('database', 'flyball')),
      field('User', 'may only read Flyball\'s views', input('user', 'default')),
      field('Password', '', h(ui.SecretInput, {
        width: 40, 'aria-label': 'password', isConfigured: Boolean(o.secureJsonFields && o.secureJsonFields.password),
        onReset: () => props.onOptionsChange(Object.assign({}, o, { secureJsonFields: Object.assign({}, o.secureJsonFields, { password: false }), secureJsonData: { password: '' } })),
        onChange: (e) => props.onOptionsChange(Object.assign({}, o, { secureJsonData: { password: e.target.value } })),
      })),
    ]);
  }

  return { plugin: new data.DataSourcePlugin(FlyballDatasource).setConfigEditor(ConfigEditor).setQueryEditor(QueryEditor) };
});
