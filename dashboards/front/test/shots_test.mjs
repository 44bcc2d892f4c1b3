// What shots.mjs makes of a Grafana: this one has the routes and the panel markers of a real one, and panels that are well or not.
// No Grafana is on the machines this runs on.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium, launch } from './page.mjs';
import { takeShots } from './shots.mjs';

if (!findChromium()) {
  console.log('SKIPPED TIER front: no Chromium is installed');
  process.exit(/front|all/.test(process.env.FLYBALL_REQUIRE_TIERS || '') ? 1 : 0);
}

const panel = (title, inside, style = '') =>
  `<section style="${style}" data-testid="data-testid Panel header ${title}"><h2>${title}</h2>${inside}</section>`;
const cell = (role, text, width) => `<div role=${role} style="width:${width}px;flex:none">${text}</div>`;
const row = (role, texts, width) => `<div role=row style="display:flex">${texts.map((t) => cell(role, t, width)).join('')}</div>`;
const table = (heads, rows, width = 200) =>
  `<div role=grid style="overflow-x:auto">${row('columnheader', heads, width)}${rows.map((r) => row('gridcell', r, width)).join('')}</div>`;
const runs = table(['agent', 'level'], [['billing/bot', 'trip']]);
const badge = '<button data-testid="data-testid Panel status error">!</button>';
const loading = '<div aria-label="Panel loading bar"></div>';
const unexpected = 'An unexpected error happened';
// As Grafana does: a panel below the fold is not drawn until it is scrolled to.
const later = (inside) => `<div style="height:200px" data-later='${inside}'>${loading}</div>`;
const LAZY = `<script>
  const drawn = (e) => setTimeout(() => { e.target.innerHTML = e.target.dataset.later; }, 200);
  const seen = new IntersectionObserver((all) => all.filter((e) => e.isIntersecting).forEach(drawn));
  document.querySelectorAll('[data-later]').forEach((e) => seen.observe(e));
</script>`;
const TALL = 'display:block;height:3000px';
const cutHead = '<span style="display:block;overflow:hidden;white-space:nowrap">irreversible calls done</span>';
const noRuns = { schema: { fields: [] }, data: { values: [] } };

/** Pages with the sentences that are wanted about them; none: it is well. */
const cases = {
  well: { html: panel('Open runs', '12') + panel('Runs', runs) },
  'empty with a sentence': { html: panel('Gates', 'No question waits.') + panel('Runs', table(['agent'], []) + 'No run in this range.') },
  failed: { html: panel('Open runs', '12') + panel('Findings', badge), want: ['Findings shows an error'] },
  broken: { html: panel('Trace', unexpected), want: ['Trace says "An unexpected error happened"'] },
  'broken page': { html: panel('Open runs', '12') + unexpected, want: ['the page says "An unexpected error happened'] },
  empty: { html: panel('Breakers', 'No data'), want: ['Breakers has no data and no sentence'] },
  'empty table': { html: panel('Runs', table(['agent', 'level'], [])), want: ['Runs is an empty table without a sentence'] },
  'wide table': {
    html: panel('Runs', table(['agent', 'score', 'level', 'state'], [['a', '1', 'trip', 'open']], 400)),
    want: ['Runs has columns cut at 1280 px (1600 px in 1280): state'],
  },
  'short head': { html: panel('Runs', table([cutHead], [['1']], 60)), want: ['Runs has heads of columns cut: irreversible'] },
  'fault below the fold': { html: panel('Open runs', '12', TALL) + panel('Trace', later(unexpected)), want: ['Trace says'], tall: 3200 },
  'well below the fold': { html: panel('Open runs', '12', TALL) + panel('Trace', later('drawn')), tall: 3200 },
  'inner scrolling': { html: `<div style="height:100vh;overflow-y:scroll">${panel('Runs', runs, TALL)}</div>`, tall: 3000 },
  'never loaded': { html: panel('Open runs', loading), want: ['1 panels still load'] },
  blank: { html: '', want: ['no panel is drawn'] },
  'no run yet': { html: panel('Open runs', '0'), run: '', frame: noRuns },
  'Flyball away': { html: panel('Findings', badge), run: '', frame: null, want: ['Findings shows an error', 'HTTP 502'] },
  'Grafana 11': { html: panel('Open runs', '12'), version: '11.6.0', want: ['older than 12'], picture: false },
};

const FIELDS = ['agent', 'run', 'resource'].map((name) => ({ name }));
const FRAME = { schema: { fields: FIELDS }, data: { values: [['a'], ['run-7'], ['user:7']] } };
const KEY = 'Basic ' + Buffer.from('admin:p@ss').toString('base64');

/** A Grafana with one dashboard, which has the given page if the run was chosen. */
function grafana({ html, version = '12.3.0', run = 'run-7', frame = FRAME }) {
  const answers = {
    '/api/health': { version }, '/api/datasources': [{ type: 'flyball-flyball-datasource', uid: 'fb' }],
    '/api/datasources/uid/fb/health': { message: 'ClickHouse answers' },
    '/api/search': [{ uid: 'overview', title: 'Overview', url: '/d/overview' }],
    '/api/ds/query': frame && { results: { A: { frames: [frame] } } },
  };
  return createServer((q, r) => {
    const { pathname, searchParams } = new URL(q.url, 'http://x');
    if (pathname.startsWith('/api/')) {
      r.statusCode = pathname !== '/api/health' && q.headers.authorization !== KEY ? 401 : answers[pathname] ? 200 : 502;
      r.setHeader('content-type', 'application/json');
      return r.end(JSON.stringify(answers[pathname] ?? {}));
    }
    r.setHeader('content-type', 'text/html');
    const body = searchParams.get('var-run') === run ? html : panel('Run', 'An unexpected error: the run was not chosen');
    return r.end(`<!doctype html><html><body style="margin:0">${body}${LAZY}</body></html>`);
  });
}

/** Width and height of a PNG. */
const sizeOf = (file) => [readFileSync(file).readUInt32BE(16), readFileSync(file).readUInt32BE(20)];

const browser = await launch({ width: 1280, height: 1000 });

async function inProcess(url, out) {
  let said = '';
  const say = (line) => (said += line + '\n');
  const faults = await takeShots(url, out, { browser, say, waitMs: 1500 }).catch((e) => say(e.stack) && 1);
  return { code: faults ? 1 : 0, said };
}

function asCommand(url, out) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'shots.mjs'), url, out], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (b) => (said += b));
  child.stderr.on('data', (b) => (said += b));
  return new Promise((done) => child.on('close', (code) => done({ code, said })));
}

let bad = 0;
async function check(name, page, shots) {
  const server = grafana(page);
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const out = mkdtempSync(join(tmpdir(), 'shots-'));
  const { code, said } = await shots(`http://admin:p%40ss@127.0.0.1:${server.address().port}`, out);
  server.close();
  const picture = join(out, 'overview.png');
  const [width, height] = existsSync(picture) ? sizeOf(picture) : [];
  const wrong = [
    code !== (page.want ? 1 : 0) && `exit ${code}`, ...(page.want ?? []).filter((w) => !said.includes(w)).map((w) => `not said: ${w}`),
    Boolean(width) !== (page.picture ?? true) && `picture kept: ${Boolean(width)}`,
    width && (width !== 1280 || height < (page.tall ?? 1000)) && `the picture is of ${width} x ${height}`,
  ].filter(Boolean);
  console.log(wrong.length ? `FAIL shots, ${name}: ${wrong.join('; ')}\n${said}` : `ok   shots, ${name}: exit ${code}`);
  bad += wrong.length ? 1 : 0;
}

for (const [name, page] of Object.entries(cases)) {
  await check(name, page, inProcess);
}
await browser.close();
await check('as a command, well', cases.well, asCommand);
await check('as a command, failed', cases.failed, asCommand);
process.exit(bad ? 1 : 0);
