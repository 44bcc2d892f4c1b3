// Loads ../module.js under real SystemJS beside the real @grafana packages and
// looks at what a person would: exit 1 with the first thing that is wrong.
import { build } from 'esbuild';
import puppeteer from 'puppeteer-core';
import { readFileSync, mkdtempSync, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (!chromium) {
  console.log('SKIPPED TIER front: no Chromium is installed');
  process.exit(/front|all/.test(process.env.FLYBALL_REQUIRE_TIERS || '') ? 1 : 0);
}
const out = join(mkdtempSync(join(tmpdir(), 'front-')), 'host.js');
await build({ entryPoints: ['host.js'], bundle: true, outfile: out, format: 'iife', logLevel: 'error', define: { 'process.env.NODE_ENV': '"development"', global: 'window' },
  loader: { '.svg': 'text', '.woff2': 'empty', '.woff': 'empty', '.ttf': 'empty', '.png': 'empty' } });

const files = {
  '/host.js': out, '/module.js': '../module.js', '/system.js': 'node_modules/systemjs/dist/system.min.js', '/amd.js': 'node_modules/systemjs/dist/extras/amd.min.js',
};
const server = createServer((req, res) => {
  const file = files[req.url];
  // SystemJS after the bundle: its define would be taken by libraries in it.
  res.setHeader('content-type', file ? 'text/javascript' : 'text/html');
  res.end(file ? readFileSync(file) : '<!doctype html><div id=root></div><script src=/host.js></script><script src=/system.js></script><script src=/amd.js></script>');
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${server.address().port}/`;
const browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: ['--no-sandbox', '--disable-gpu'] });
let failed = null;
try {
  const page = await browser.newPage();
  const problems = [];
  page.on('pageerror', (e) => problems.push(String(e)));
  await page.goto(url, { waitUntil: 'load' });
  const loaded = await page.evaluate(async () => {
    for (const [name, value] of Object.entries(window.shared)) System.set('shared:' + name, { ...value, default: value });
    const map = document.createElement('script');
    map.type = 'systemjs-importmap';
    map.textContent = JSON.stringify({ imports: Object.fromEntries(Object.keys(window.shared).map((n) => [n, 'shared:' + n])) });
    document.head.append(map);
    System.prepareImport(true);
    const m = await System.import('/module.js');
    window.plugin = m.plugin;
    return { is: m.plugin instanceof window.shared['@grafana/data'].DataSourcePlugin, editors: Object.keys(m.plugin.components).sort() };
  });
  assert.deepEqual(loaded, { is: true, editors: ['ConfigEditor', 'QueryEditor'] }, 'the module is a data source plugin with two editors');

  const answer = await page.evaluate(async () => {
    const d = window.shared['@grafana/data'];
    const ds = new window.plugin.DataSourceClass({ id: 1, uid: 'flyball', type: 'flyball-flyball-datasource', name: 'Flyball', jsonData: {}, meta: {} });
    const range = { from: d.dateTime(0), to: d.dateTime(3600000), raw: { from: 'now-1h', to: 'now' } };
    const ask = (targets) => new Promise((done, fail) => ds.query({ targets, range, intervalMs: 1000, maxDataPoints: 100, scopedVars: {}, requestId: 'r' }).subscribe({ next: done, error: fail }));
    const got = await ask([{ refId: 'A', queryType: 'touched', run: '${run}', agent: '${agent}' }]);
    return { asked: window.asked, rows: got.data[0].length, fields: got.data[0].fields.map((f) => f.name), kept: ds.filterQuery({ queryType: 'trace', run: '' }), initial: ds.getDefaultQuery() };
  });
  assert.equal(answer.asked.length, 1);
  assert.match(answer.asked[0].url, /^\/?api\/ds\/query/);
  assert.equal(answer.asked[0].body.queries[0].run, 'run-7', 'the dashboard variable is filled in');
  assert.deepEqual([answer.rows, answer.fields], [1, ['agent', 'score']]);
  assert.equal(answer.kept, false, 'a trace of no run is not asked for');
  assert.equal(answer.initial.queryType, 'runs');

  for (const [editor, selector, words] of [['QueryEditor', '[data-testid=flyball-query]', ['Show', 'Agent', 'Least level']], ['ConfigEditor', '[data-testid=flyball-config]', ['ClickHouse', 'Database', 'Password']]]) {
    await page.evaluate((editor) => {
      document.getElementById('root').outerHTML = '<div id=root></div>';
      window.changes = [];
      window.render(window.plugin.components[editor], { query: { refId: 'A', queryType: 'runs' }, onChange: (q) => window.changes.push(q), onRunQuery: () => {}, options: { jsonData: {}, secureJsonFields: {} }, onOptionsChange: (o) => window.changes.push(o) });
    }, editor);
    await page.waitForSelector(selector, { timeout: 10000 });
    const text = await page.$eval(selector, (e) => e.innerText);
    for (const w of words) assert.ok(text.includes(w), `${editor} shows ${w}: ${text}`);
  }
  await page.type('[aria-label=addr]', 'c');
  const change = await page.evaluate(() => window.changes.at(-1));
  assert.equal(change.jsonData.addr, 'c', 'typing an address changes the options');
  assert.deepEqual(problems, [], 'errors on the page');
  console.log('front: module loaded, query sent and answered, both editors drawn');
} catch (e) {
  failed = e;
} finally {
  await browser.close();
  server.close();
}
if (failed) {
  console.error(failed);
  process.exit(1);
}
