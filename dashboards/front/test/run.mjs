// What a person would see of the built module beside the real @grafana packages: each test is named after what goes wrong.
import { editorsOf } from './editors.mjs';
import { FIELDS, fieldTests } from './fields.mjs';
import { findChromium, openModule } from './page.mjs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';

if (!findChromium()) {
  console.log('SKIPPED TIER front: no Chromium is installed');
  process.exit(/front|all/.test(process.env.FLYBALL_REQUIRE_TIERS || '') ? 1 : 0);
}
const moduleFile = join(import.meta.dirname, '../dist/module.js');
assert.ok(existsSync(moduleFile), 'dist/module.js is missing: run `npm run build` first');
const { page, problems, close } = await openModule(moduleFile);

const { mount, last, settled, runs, labels, shown, becomes, tabTo, choose, clear, faults } = editorsOf(page);
const query = (members) => ({ refId: 'A', ...members });

const ask = (targets, filters) =>
  page.evaluate(async (targets, filters) => {
    const d = window.shared['@grafana/data'];
    window.asked = [];
    const range = { from: d.dateTime(0), to: d.dateTime(3600000), raw: { from: 'now-1h', to: 'now' } };
    const request = { targets, filters, range, intervalMs: 1000, maxDataPoints: 100, scopedVars: {}, requestId: 'r' };
    const got = await new Promise((next, error) => window.datasource().query(request).subscribe({ next, error }));
    return { asked: window.asked, frames: got.data.map((f) => ({ rows: f.length, fields: f.fields.map((x) => x.name) })) };
  }, targets, filters);

const tests = {
  'a live table gets its rows twice': async () => {
    const options = await page.evaluate(() => window.datasource().streamOptionsProvider({ maxDataPoints: 3 }, {}));
    assert.deepEqual(options, { maxLength: 5000, action: 'replace' });
  },

  'a person does not read what became of an action': async () => {
    const got = await page.evaluate(() => {
      const config = { url: 'http://127.0.0.1/api/datasources/uid/u/resources/gates/grant', headers: { 'X-Grafana-Action': '1' } };
      window.inspected.next({ config, ok: true, data: { message: 'granted once' } });
      window.inspected.next({ response: { config, status: 403, data: { message: 'may not' } } });
      window.inspected.next({ config: { url: '/api/ds/query' }, ok: true, data: { message: 'no action' } });
      return window.alerts;
    });
    assert.deepEqual(got, [['alert-success', 'Flyball', 'granted once'], ['alert-error', 'Flyball', 'may not']]);
  },

  'the module is no data source plugin': async () => {
    const got = await page.evaluate(() => ({
      is: window.plugin instanceof window.shared['@grafana/data'].DataSourcePlugin, editors: Object.keys(window.plugin.components).sort(),
      annotations: Boolean(window.datasource().annotations), variables: window.datasource().variables.getType(),
      initial: window.datasource().getDefaultQuery(),
    }));
    const editors = ['ConfigEditor', 'QueryEditor'];
    assert.deepEqual(got, { is: true, editors, annotations: true, variables: 'custom', initial: { queryType: 'runs' } });
  },

  'a query is sent with its variables, and rows come back nameless': async () => {
    const { asked, frames } = await ask([query({ queryType: 'touched', run: '${run}', agent: '${agent}', limit: 7 })]);
    assert.equal(asked.length, 1);
    assert.match(asked[0].url, /^\/?api\/ds\/query/);
    const { queryType, run, agent, limit } = asked[0].body.queries[0];
    assert.deepEqual({ queryType, run, agent, limit }, { queryType: 'touched', run: 'run-7', agent: '', limit: 7 });
    assert.deepEqual(frames, [{ rows: 1, fields: ['agent', 'score'] }]);
  },

  'a run in Explore leads nowhere, or one in a dashboard leads out of it': async () => {
    const got = await page.evaluate(async () => {
      const d = window.shared['@grafana/data'];
      const range = { from: d.dateTime(0), to: d.dateTime(3600000), raw: { from: 'now-1h', to: 'now' } };
      const answered = (app) => new Promise((next, error) => {
        const request = { targets: [{ refId: 'A', queryType: 'runs' }], app, range, intervalMs: 1000, scopedVars: {}, requestId: app };
        window.datasource().query(request).subscribe({ next, error });
      });
      const explored = await answered(d.CoreApp.Explore);
      const [agent, score] = explored.data[0].fields;
      const scopedVars = { __value: { value: { raw: "x' ${run} &" } } };
      const replaceVariables = (text, scoped) => text.replaceAll('${__value.raw}', () => scoped.__value.value.raw);
      const opened = agent.config.links.map((link) => {
        const internalLink = link.internal;
        const { href } = d.mapInternalLinkToExplore({ link, internalLink, scopedVars, range, field: agent, replaceVariables });
        return [link.title, JSON.parse(new URL(href, 'http://g').searchParams.get('left'))];
      });
      const drawn = await answered(d.CoreApp.Dashboard);
      return { opened, score: score.config.links, drawn: drawn.data[0].fields.map((f) => f.config.links) };
    });
    assert.deepEqual(got.opened.map(([title]) => title), ['Runs of the agent', 'Findings on the agent']);
    const { datasource, queries, range } = got.opened[0][1];
    assert.deepEqual([datasource, range.from, range.to], ['flyball', 'now-1h', 'now'], 'the data source or the time is lost');
    assert.deepEqual([queries[0].queryType, queries[0].agent, queries[0].datasource.uid], ['runs', "x' ${run} &", 'flyball']);
    assert.ok(!got.score && got.drawn.every((links) => !links), 'a number, or a dashboard, has links of Explore');
  },

  'ad hoc filters of the dashboard do not reach the backend': async () => {
    const { asked } = await ask([query({ queryType: 'findings' })], [{ key: 'agent', operator: '=', value: '${run}' }]);
    assert.deepEqual(asked[0].body.queries[0].filters, [{ key: 'agent', operator: '=', value: 'run-7' }]);
  },

  // Grafana calls filterQuery before it calls query.
  'a hidden query or a trace of no run is asked for': async () => {
    const trace = { queryType: 'trace' };
    const targets = [{ ...trace, run: '' }, { queryType: 'runs', hide: true }, { ...trace, run: '${run}' }, { queryType: 'runs' }];
    const kept = await page.evaluate((all) => all.map((q) => window.datasource().filterQuery({ refId: 'A', ...q })), targets);
    assert.deepEqual(kept, [false, false, true, true]);
  },

  'a variable lists nothing, or texts for values': async () => {
    const got = await page.evaluate(async () => {
      window.asked = [];
      const ds = window.datasource();
      const range = window.shared['@grafana/data'].getDefaultTimeRange();
      const targets = [{ refId: '', of: 'families', prefix: '${run}' }];
      const request = { targets, range, scopedVars: {}, requestId: 'v', intervalMs: 1000 };
      const answer = await new Promise((next, error) => ds.variables.query(request).subscribe({ next, error }));
      return { query: window.asked[0].body.queries[0], fields: answer.data[0].fields.map((f) => f.name) };
    });
    assert.equal(got.query.queryType, 'variable');
    assert.deepEqual([got.query.of, got.query.prefix, got.fields], ['families', 'run-7', ['value', 'text']]);
  },

  'ad hoc filters have no keys or values to choose': async () => {
    const got = await page.evaluate(async () => ({
      keys: await window.datasource().getTagKeys(), bound: await window.datasource({ tenant: 'acme' }).getTagKeys(),
      agents: await window.datasource().getTagValues({ key: 'agent', filters: [] }),
      levels: await window.datasource().getTagValues({ key: 'level', filters: [] }),
      none: await window.datasource().getTagValues({ key: 'nonsense', filters: [] }),
    }));
    assert.deepEqual(got.keys.map((k) => k.text), ['agent', 'owner', 'family', 'level', 'state', 'tenant']);
    assert.ok(!got.bound.some((k) => k.text === 'tenant'), 'a data source of one tenant offers others');
    assert.deepEqual(got.agents.map((v) => [v.text, v.value]), [['Team A', 'team-a'], ['Team B', 'team-b']]);
    assert.deepEqual([got.levels.map((v) => v.text), got.none], [['annotate', 'alert', 'trip'], []]);
  },

  'Enter sends nothing': async () => {
    await mount('query', query({ queryType: 'runs' }));
    await tabTo('Agent');
    await page.keyboard.type('billing/bot');
    await becomes(runs, 0, 'each letter was sent');
    await page.keyboard.press('Enter');
    assert.equal((await settled()).agent, 'billing/bot');
    await becomes(runs, 1);
    await page.keyboard.press('Enter');
    await becomes(runs, 2, 'Enter on an unchanged value runs the query again');
  },

  'leaving a field sends nothing, or sends what did not change': async () => {
    await mount('query', query({ queryType: 'trace' }));
    await tabTo('Run');
    await page.keyboard.type('run-7');
    await page.keyboard.press('Tab');
    assert.deepEqual([(await settled()).run, await runs()], ['run-7', 1]);
    await tabTo('Run');
    await page.keyboard.press('Tab');
    await becomes(runs, 1);
  },

  'after Back a field shows another value than the query': async () => {
    await mount('query', query({ queryType: 'runs', agent: 'first' }));
    await page.evaluate(() => window.setValue({ refId: 'A', queryType: 'runs', agent: 'second', minLevel: 'trip', limit: 12 }));
    await page.waitForFunction(() => [...document.querySelectorAll('input')].some((i) => i.value === 'second'), { timeout: 5000 });
    await becomes(async () => [await shown('Agent'), await shown('Least level'), await shown('Limit')], ['second', 'trip', '12']);
    await page.evaluate(() => window.setValue({ refId: 'A', queryType: 'trace', run: 'r9' }));
    await page.waitForFunction(() => [...document.querySelectorAll('input')].some((i) => i.value === 'r9'), { timeout: 5000 });
    await becomes(async () => [await shown('Show'), await shown('Run')], ['Trace', 'r9']);
  },

  'the type cannot be chosen with the keyboard, or fields of another type stay': async () => {
    await mount('query', query({ queryType: 'findings', family: 'sweep', minLevel: 'trip' }));
    assert.ok((await labels()).includes('Family'));
    await choose('Show', 'Held now');
    const { refId, queryType, ...others } = await settled();
    assert.deepEqual([refId, queryType, others], ['A', 'held', {}]);
    const gone = () => ![...document.querySelectorAll('label')].some((l) => l.innerText.trim() === 'Family');
    await page.waitForFunction(gone, { timeout: 5000 });
    const fields = (await labels()).filter((l) => l !== 'no rows without a run'); // which stands beside its box
    assert.deepEqual(fields, ['Show', 'Agent', 'Run', 'One run', 'Tenant', 'Limit']);
  },

  ...fieldTests(page, editorsOf(page)),

  'a limit that is no number is sent': async () => {
    await mount('query', query({ queryType: 'runs', limit: 5 }));
    await tabTo('Limit');
    await clear();
    await page.keyboard.type('9000');
    await page.keyboard.press('Enter');
    await becomes(runs, 0);
    assert.match(await page.$eval('[data-testid=flyball-query]', (e) => e.innerText), /"9000" is no whole number from 0 to 5000/);
    await clear();
    await page.keyboard.type('900');
    await page.keyboard.press('Enter');
    assert.deepEqual([(await settled()).limit, await runs()], [900, 1]);
  },

  'SQL is sent by a new line, or not at all': async () => {
    await mount('query', query({ queryType: 'sql' }));
    await tabTo('SQL');
    await page.keyboard.type('SELECT 1');
    await page.keyboard.press('Enter');
    await becomes(runs, 0);
    await page.keyboard.down('Control');
    await page.keyboard.press('Enter');
    await page.keyboard.up('Control');
    assert.deepEqual([(await settled()).sql, await runs()], ['SELECT 1\n', 1]);
  },

  'a data source of one tenant asks for a tenant': async () => {
    await mount('query', query({ queryType: 'runs' }), { jsonData: { tenant: 'acme' } });
    assert.ok(!(await labels()).includes('Tenant'));
  },

  'a type of a later version is shown as another': async () => {
    await mount('query', query({ queryType: 'future' }));
    await becomes(() => shown('Show'), 'future');
    assert.match(await page.$eval('[data-testid=flyball-query]', (e) => e.innerText), /does not know the query type "future"/);
  },

  'the list of a variable cannot be chosen with the keyboard': async () => {
    await mount('variable', query({ queryType: '' }));
    await becomes(async () => [await shown('List'), await labels()], ['Agents', ['List', 'Begins with', 'Owner', 'Limit']]);
    await choose('List', 'Runs');
    await becomes(last, { refId: 'A', queryType: 'variable', of: 'runs' });
    await tabTo('Agent');
    await page.keyboard.type('$agent');
    await page.keyboard.press('Enter');
    await becomes(last, { refId: 'A', queryType: 'variable', of: 'runs', agent: '$agent' });
  },

  'settings are not taken from their fields': async () => {
    await mount('config', { jsonData: {}, secureJsonFields: {} });
    const typed = {
      Address: 'ch:8443', Database: 'flyball', User: 'reader', Tenant: 'acme', Password: 'p w', 'Control API': 'https://fb:1', Token: 't',
    };
    for (const [label, text] of Object.entries(typed)) {
      await tabTo(label);
      await page.keyboard.type(text);
    }
    await tabTo('TLS');
    await page.keyboard.press('Space');
    await tabTo('CA certificate');
    await page.keyboard.type('PEM');
    await choose('Admin', 'bypass');
    const { jsonData, secureJsonData } = await settled();
    assert.deepEqual(jsonData, {
      addr: 'ch:8443', database: 'flyball', user: 'reader', tenant: 'acme', controlUrl: 'https://fb:1', tls: true,
      roles: { Admin: 'bypass' },
    });
    assert.deepEqual(secureJsonData, { password: 'p w', controlToken: 't', caCert: 'PEM' });
    await becomes(async () => [await shown('Viewer'), await shown('Editor'), await shown('Admin')], ['see', 'respond', 'bypass']);
  },

  'an address with a scheme is accepted without a word': async () => {
    await mount('config', { jsonData: { addr: 'http://ch:8123' }, secureJsonFields: {} });
    assert.match(await page.$eval('[data-testid=flyball-config]', (e) => e.innerText), /"http:\/\/ch:8123" has a scheme/);
  },

  'a saved password is shown, or cannot be replaced': async () => {
    await mount('config', { jsonData: {}, secureJsonFields: { password: true } });
    await becomes(() => shown('Password'), 'configured');
    await page.evaluate(() => [...document.querySelectorAll('button')].find((b) => b.innerText.trim() === 'Reset').focus());
    await page.keyboard.press('Enter');
    await becomes(last, { jsonData: {}, secureJsonFields: { password: false }, secureJsonData: { password: '' } });
    await tabTo('Password');
    await page.keyboard.type('new');
    assert.deepEqual((await settled()).secureJsonData, { password: 'new' });
  },

  'settings of a provisioned data source look editable': async () => {
    await mount('config', { readOnly: true, jsonData: { addr: 'ch:8123', tls: true }, secureJsonFields: { password: true } });
    const editable = await page.$$eval('input:not(:disabled), textarea:not(:disabled)', (all) => all.map((e) => e.id));
    assert.deepEqual(editable, []);
    const reset = () => [...document.querySelectorAll('button')].filter((b) => b.innerText.trim() === 'Reset').forEach((b) => b.click());
    await page.evaluate(reset);
    assert.equal(await page.evaluate(() => window.changes.length), 0, 'a secret of a provisioned data source was reset');
  },

  'a screen reader or a weak eye is shut out': async () => {
    const seen = [
      ...['findings', 'sql', 'annotations', 'count', 'future'].map((queryType) => ['query', query({ queryType })]),
      ['query', query({ queryType: 'runs', limit: 9999 })], ['variable', query({ of: 'runs' })],
      ['config', { jsonData: { tls: true, addr: 'http://x' }, secureJsonFields: { password: true, caCert: true } }],
      ['config', { readOnly: true, jsonData: {}, secureJsonFields: { controlToken: true } }],
    ];
    await mount(...seen[0]);
    await page.evaluate(() => document.getElementById('root').append(document.createElement('img')));
    assert.match((await faults()).join(), /image-alt/, 'axe does not see a fault that was put there');
    await page.evaluate(() => document.querySelector('#root > img').remove());
    const found = [];
    for (const queryType of Object.keys(FIELDS)) {
      await mount('query', query({ queryType }));
      found.push(...(await faults()).map((f) => `query ${queryType}: ${f}`));
    }
    for (const mode of ['dark', 'light']) {
      for (const [kind, value] of seen) {
        await mount(kind, value, { mode });
        found.push(...(await faults()).map((f) => `${kind} ${value.queryType ?? ''} ${mode}: ${f}`));
      }
    }
    assert.deepEqual(found, []);
  },

  // As soon as a package has them, drawn.js must draw these panels instead of counting what is in them.
  'node graph, trace or logs could be drawn, and are only counted': async () => {
    const names = await page.evaluate(() => Object.keys(window.shared['@grafana/ui']));
    assert.ok(names.includes('TimeSeries') && names.includes('BigValue'), 'the list of components is not read');
    assert.deepEqual(names.filter((name) => /^(NodeGraph|TraceView|Trace|LogRows?|LogList|LogsPanel|Logs)$/.test(name)), []);
  },

  'the page reports an error': async () => assert.deepEqual(problems, []),
};

// Words on the command line choose the tests whose names have one of them.
const words = process.argv.slice(2);
const chosen = Object.entries(tests).filter(([name]) => words.length === 0 || words.some((w) => name.includes(w)));
let failed = chosen.length ? 0 : 1;
for (const [name, test] of chosen) {
  try {
    await test();
    console.log(`ok   not so: ${name}`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${name}\n${e.stack}`);
  }
}
await close();
console.log(`front: ${chosen.length - failed} of ${chosen.length} tests passed`);
process.exit(failed ? 1 : 0);
