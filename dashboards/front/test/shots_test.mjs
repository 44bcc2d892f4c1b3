// What shots.mjs makes of a Grafana: this one has the routes and the panel
// markers of a real one, and panels that are well, that failed, that are empty.
// No Grafana is on the machines this runs on.
import { createServer } from 'node:http';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

const panel = (title, inside) => `<section data-testid="data-testid Panel header ${title}">${inside}</section>`;
const pages = {
  well: panel('Open runs', '12'),
  failed: panel('Open runs', '12') + panel('Findings', '<button data-testid="data-testid Panel status error">!</button>'),
  empty: panel('Breakers', 'No data'),
  blank: '',
};
const grafana = (version, page) => createServer((q, r) => {
  const json = (v) => { r.setHeader('content-type', 'application/json'); r.end(JSON.stringify(v)); };
  const path = new URL(q.url, 'http://x').pathname;
  if (path.startsWith('/api/') && path !== '/api/health' && q.headers.authorization !== 'Basic ' + Buffer.from('admin:p@ss').toString('base64')) { r.statusCode = 401; return r.end('{}'); }
  if (path === '/api/health') return json({ version });
  if (path === '/api/datasources') return json([{ type: 'flyball-flyball-datasource', uid: 'fb' }]);
  if (path.endsWith('/health')) return json({ message: 'ClickHouse answers' });
  if (path === '/api/ds/query') return json({ results: { A: { frames: [{ schema: { fields: [{ name: 'agent' }, { name: 'run' }] }, data: { values: [['a'], ['run-7']] } }] } } });
  if (path === '/api/search') return json([{ uid: 'overview', title: 'Overview', url: '/d/overview' }]);
  r.setHeader('content-type', 'text/html');
  r.end(`<!doctype html><body>${q.url.includes('var-run=run-7') ? pages[page] : 'the run was not chosen'}</body>`);
});

let bad = 0;
for (const [page, version, want] of [['well', '12.3.0', 0], ['failed', '12.3.0', 1], ['empty', '13.0.1', 1], ['blank', '12.0.0', 1], ['well', '11.6.0', 1]]) {
  const server = grafana(version, page);
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const out = mkdtempSync(join(tmpdir(), 'shots-'));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'shots.mjs'), `http://admin:p%40ss@127.0.0.1:${server.address().port}`, out], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (b) => (said += b));
  child.stderr.on('data', (b) => (said += b));
  const code = await new Promise((done) => child.on('close', done));
  server.close();
  const picture = join(out, 'overview.png');
  const kept = existsSync(picture) && statSync(picture).size > 500;
  if (code !== want || kept !== (version >= '12')) {
    console.log(`shots of a ${page} dashboard in Grafana ${version}: exit ${code}, want ${want}; picture kept: ${kept}\n${said}`);
    bad++;
  } else {
    console.log(`ok shots of a ${page} dashboard in Grafana ${version}: exit ${code}`);
  }
}
process.exit(bad ? 1 : 0);
