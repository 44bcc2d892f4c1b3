// Opens Flyball's dashboards in a Grafana at 1280 px and keeps a whole picture of each. Exit 1 if a panel shows an error, an empty
// table without a sentence, or a column that is cut. Panels about one run wait for a run to be chosen, so the newest is.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './page.mjs';
import { inspect, stillLoading, wholeHeight } from './panels.mjs';

const WIDTH = 1280;
const FIRST_HEIGHT = 1000;
const MAX_HEIGHT = 12000;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Grafana's HTTP API with the user and the password of the address. */
function grafanaAt(base) {
  const at = new URL(base);
  const login = [at.username, at.password].map(decodeURIComponent).join(':');
  const headers = at.username ? { authorization: 'Basic ' + Buffer.from(login).toString('base64') } : {};
  at.username = at.password = '';
  const api = async (path, init = {}) => {
    const r = await fetch(new URL(path, at), { ...init, headers: { ...headers, 'content-type': 'application/json' } });
    const text = await r.text();
    if (!r.ok) {
      throw new Error(`${path}: HTTP ${r.status} ${text.slice(0, 300)}`);
    }
    return JSON.parse(text);
  };
  return { at, headers, api };
}

/** First value of each column of a query; nothing while Flyball has none, or is away: its panels are looked at all the same. */
async function firstRow({ api, say }, source, query) {
  try {
    const queries = [{ refId: 'A', datasource: { uid: source.uid }, limit: 1, ...query }];
    const got = await api('/api/ds/query', { method: 'POST', body: JSON.stringify({ from: 'now-6h', to: 'now', queries }) });
    const frame = got.results.A.frames?.[0];
    return Object.fromEntries((frame?.schema.fields ?? []).map((f, i) => [f.name, frame.data.values[i]?.[0] ?? '']));
  } catch (e) {
    say(`${query.queryType}: ${e.message}`);
    return {};
  }
}

/** Values for the variables of a dashboard: the run for each, agent and resource for the pages about one. */
async function chosen(job, source) {
  const { run = '', agent = '' } = await firstRow(job, source, { queryType: 'runs', sort: 'latest' });
  const { resource = '' } = run ? await firstRow(job, source, { queryType: 'touched', run }) : {};
  return (title) => {
    const about = (word, value) => value && title.toLowerCase().includes(word) && { [`var-${word}`]: value };
    return new URLSearchParams({ 'var-run': run, ...about('agent', agent), ...about('resource', resource) });
  };
}

/** Waits until no panel loads any more, and returns how many still do after the time. */
async function settled(page, { waitMs }) {
  const until = Date.now() + waitMs;
  let loading = await page.evaluate(stillLoading);
  while (loading && Date.now() < until) {
    await pause(100);
    loading = await page.evaluate(stillLoading);
  }
  return loading;
}

/** Makes the window as tall as the dashboard, for a panel below the fold is not drawn; then passes each panel once. */
async function stretch(page, job) {
  let height = FIRST_HEIGHT;
  await settled(page, job);
  for (let i = 0; i < 5; i++) {
    const whole = Math.ceil(Math.min(MAX_HEIGHT, await page.evaluate(wholeHeight)));
    if (whole <= height) {
      break;
    }
    height = whole;
    await page.setViewport({ width: WIDTH, height });
    await pause(300);
    await settled(page, job);
  }
  for (const panel of await page.$$('[data-testid^="data-testid Panel header"]')) {
    await panel.evaluate((p) => p.scrollIntoView({ block: 'center' }));
    await pause(50);
    await settled(page, job);
  }
  await page.evaluate(() => document.querySelectorAll('*').forEach((e) => e.scrollTop && e.scrollTo(e.scrollLeft, 0)));
  return settled(page, job);
}

/** Takes the picture of one dashboard and returns its faults. */
async function look(job, dashboard, variables) {
  const page = await job.browser.newPage();
  await page.setViewport({ width: WIDTH, height: FIRST_HEIGHT });
  await page.setExtraHTTPHeaders(job.headers);
  const url = new URL(`${dashboard.url}?kiosk&${variables}`, job.at);
  await page.goto(url.href, { waitUntil: 'networkidle2', timeout: 60000 });
  const loading = await stretch(page, job);
  const { panels, page: ofPage } = await page.evaluate(inspect);
  const picture = join(job.out, dashboard.uid + '.png');
  await page.screenshot({ path: picture });
  await page.close();
  job.say(`${dashboard.title}: ${panels.length} panels, ${picture}`);
  return [
    ...ofPage, ...panels.flatMap((p) => p.faults.map((f) => `${p.title} ${f}`)),
    ...(loading ? [`${loading} panels still load after ${job.waitMs} ms`] : []), ...(panels.length === 0 ? ['no panel is drawn'] : []),
  ];
}

/** Takes the pictures of all dashboards into out, says their faults, and returns how many there are. */
export async function takeShots(base, out, { browser, say = console.log, waitMs = 30000 }) {
  const job = { ...grafanaAt(base), browser, out, say, waitMs };
  const { version } = await job.api('/api/health');
  if (parseInt(version) < 12) {
    throw new Error(`Grafana ${version} is older than 12`);
  }
  const source = (await job.api('/api/datasources')).find((d) => d.type === 'flyball-flyball-datasource');
  if (!source) {
    throw new Error('no data source of type flyball-flyball-datasource: see deploy/grafana');
  }
  const health = await job.api(`/api/datasources/uid/${source.uid}/health`).catch((e) => ({ message: e.message }));
  say(`Grafana ${version}, ${health.message}`);
  const dashboards = await job.api('/api/search?tag=flyball&type=dash-db');
  if (dashboards.length === 0) {
    throw new Error('no dashboard with the tag flyball: see deploy/grafana');
  }
  mkdirSync(out, { recursive: true });
  const variables = await chosen(job, source);
  let faults = 0;
  for (const d of dashboards) {
    for (const fault of await look(job, d, variables(d.title))) {
      say(`  ${fault}`);
      faults++;
    }
  }
  say(`${dashboards.length} dashboards, ${faults} faults`);
  return faults;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [base, out] = process.argv.slice(2);
  const browser = await launch({ width: WIDTH, height: FIRST_HEIGHT });
  try {
    process.exitCode = (await takeShots(base, out, { browser })) ? 1 : 0;
  } catch (e) {
    console.error(e.message);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}
