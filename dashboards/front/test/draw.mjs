// Draws the committed dashboards with Grafana's own components and the answers of the data source that a Go test has kept
// (FLYBALL_ANSWERS), at 1280 px, and keeps a picture of each. Exit 1 if a panel shows an error, an empty table without a sentence, or a
// column or text that is cut, or has a serious fault for a screen reader or weak eyes (axe); where Flyball is away, if a panel shows no
// error; with the hostile names of a tenant, panels that are not for a tenant show one. The page around the panels is Grafana's and is not
// here.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findChromium, launch, loadAxe, serveDrawing } from './page.mjs';
import { cutCells, inspect, stillLoading } from './panels.mjs';

const WIDTH = 1280;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const JSONS = join(import.meta.dirname, '../../json');

const [from, out, ...words] = process.argv.slice(2);
if (!findChromium()) {
  console.log('SKIPPED TIER front: no Chromium is installed');
  process.exit(/front|all/.test(process.env.FLYBALL_REQUIRE_TIERS || '') ? 1 : 0);
}
mkdirSync(out, { recursive: true });
const server = await serveDrawing();
const browser = await launch({ width: WIDTH, height: 1000 });
const page = await browser.newPage();
let problems = [];
page.on('pageerror', (fault) => problems.push(String(fault)));
await page.goto(`http://127.0.0.1:${server.address().port}/`, { waitUntil: 'load', timeout: 180000 });

await loadAxe(page);

/** Faults of the page that axe calls serious or critical, but for Grafana's own legends. Runs in the page. */
async function serious() {
  const bad = await window.serious({ include: ['#root'], exclude: ['[class*=LegendLabel]'] });
  return bad.map((v) => `axe ${v.id}, ${v.nodes.length} times: ${v.nodes[0].html.slice(0, 200)} ${v.nodes[0].any[0]?.message ?? ''}`);
}

/** Draws one dashboard and returns its faults. */
async function look(kind, asked, mode) {
  problems = [];
  const board = JSON.parse(readFileSync(join(JSONS, asked.uid.replace('flyball-', '') + '.json')));
  await page.evaluate((...all) => window.draw(...all), board, asked, mode);
  const bottom = Math.max(...board.panels.map((p) => p.gridPos.y + p.gridPos.h));
  await page.setViewport({ width: WIDTH, height: 64 + bottom * 38 });
  for (const end = Date.now() + 60000; ;) {
    await pause(700);
    if (!(await page.evaluate(stillLoading)) || Date.now() > end) {
      break;
    }
  }
  await page.screenshot({ path: join(out, `${kind}-${asked.uid.replace('flyball-', '')}-${mode}.png`) });
  const { panels, page: ofPage } = await page.evaluate(inspect);
  const said = await page.evaluate(() => window.said);
  const unheard = await page.evaluate(serious);
  const errors = (p) => p.faults.filter((f) => f === 'shows an error');
  const expected = /away|hostile/.test(kind) ? 'shows an error' : undefined;
  const faults = panels.flatMap((p) => p.faults.filter((f) => f !== expected).map((f) => `${p.title} ${f}`));
  if (kind === 'away') {
    faults.push(...panels.filter((p) => !errors(p).length).map((p) => `${p.title} hides that Flyball is away`));
  }
  if (panels.length !== board.panels.length) {
    faults.push(`${panels.length} of ${board.panels.length} panels are drawn`);
  }
  // Of several hostile names in a row Grafana measures the one that it takes for the longest.
  faults.push(...(await page.evaluate(cutCells, kind !== 'hostile')), ...unheard);
  console.log(`${kind}, ${board.title}, ${mode}: ${panels.length} panels, ${faults.length} faults`);
  return [...faults, ...(expected ? [] : said), ...ofPage, ...problems];
}

let bad = 0, drawn = 0, panels = 0;
for (const file of readdirSync(from).filter((f) => f.endsWith('.json')).sort()) {
  const { boards, ...range } = JSON.parse(readFileSync(join(from, file)));
  for (const asked of boards) {
    for (const mode of /empty|away|hostile/.test(file) ? ['dark'] : ['dark', 'light']) {
      const name = `${file} ${asked.uid} ${mode}`;
      if (words.length && !words.some((w) => name.includes(w))) {
        continue;
      }
      drawn++;
      panels += asked.answers.length;
      for (const fault of await look(file.replace('.json', ''), { ...range, ...asked }, mode)) {
        console.log(`  ${fault}`);
        bad++;
      }
    }
  }
}
await browser.close();
server.close();
console.log(`${drawn} pictures of ${panels} panels, ${bad} faults`);
process.exit(bad || !drawn ? 1 : 0);
