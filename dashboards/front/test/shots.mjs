// Opens Flyball's dashboards in a Grafana and keeps a picture of each. Exit 1 if
// a panel shows an error or has no data; panels about one run wait for a run to
// be chosen, so the newest is.
import puppeteer from 'puppeteer-core';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const [base, out] = process.argv.slice(2);
const at = new URL(base);
const headers = at.username ? { authorization: 'Basic ' + Buffer.from(`${decodeURIComponent(at.username)}:${decodeURIComponent(at.password)}`).toString('base64') } : {};
at.username = at.password = '';
const api = async (path, init = {}) => {
  const r = await fetch(new URL(path, at), { ...init, headers: { ...headers, 'content-type': 'application/json' } });
  if (!r.ok) throw new Error(`${path}: HTTP ${r.status} ${(await r.text()).slice(0, 300)}`);
  return r.json();
};
const version = (await api('/api/health')).version;
if (parseInt(version) < 12) throw new Error(`Grafana ${version} is older than 12`);
const source = (await api('/api/datasources')).find((d) => d.type === 'flyball-flyball-datasource');
if (!source) throw new Error('no data source of type flyball-flyball-datasource: see deploy/grafana');
const health = await api(`/api/datasources/uid/${source.uid}/health`);
console.log(`Grafana ${version}, ${health.message}`);
const runs = await api('/api/ds/query', { method: 'POST', body: JSON.stringify({ from: 'now-6h', to: 'now', queries: [{ refId: 'A', datasource: { uid: source.uid }, queryType: 'runs', limit: 1 }] }) });
const frame = runs.results.A.frames[0];
const run = frame.data.values[frame.schema.fields.findIndex((f) => f.name === 'run')][0] ?? '';

mkdirSync(out, { recursive: true });
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: ['--no-sandbox', '--disable-gpu'], defaultViewport: { width: 1680, height: 2000 } });
let bad = 0;
for (const d of await api('/api/search?tag=flyball&type=dash-db')) {
  const page = await browser.newPage();
  await page.setExtraHTTPHeaders(headers);
  await page.goto(new URL(`${d.url}?kiosk&var-run=${run}`, at).href, { waitUntil: 'networkidle2', timeout: 60000 });
  const panels = await page.$$eval('[data-testid^="data-testid Panel header"]', (all) => all.map((p) => {
    const title = p.getAttribute('data-testid').replace('data-testid Panel header ', '');
    const failed = p.querySelector('[data-testid*="Panel status error"], [aria-label*="Panel status"]');
    return { title, problem: failed ? 'shows an error' : /No data/.test(p.innerText) ? 'has no data' : '' };
  }));
  const picture = join(out, d.uid + '.png');
  await page.screenshot({ path: picture, fullPage: true });
  console.log(`${d.title}: ${panels.length} panels, ${picture}`);
  if (panels.length === 0) bad++;
  for (const p of panels.filter((p) => p.problem)) {
    console.log(`  ${p.title} ${p.problem}`);
    bad++;
  }
  await page.close();
}
await browser.close();
process.exit(bad ? 1 : 0);
